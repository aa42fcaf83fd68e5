"""More settings than the fixed ones, within a stated budget: optuna's tree-structured Parzen estimator over declared ranges of each kind.

Bergstra et al. (2011), Algorithms for hyper-parameter optimization. It begins with what is known of the fixed settings, and asks for one setting after the
other. For training only. The same seed and the same losses give the same settings.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lakehouse.models.candidates import Setting
from lakehouse.models.score_model import BOOSTED, FOREST, LOGISTIC, NETWORK, XGBOOST

if TYPE_CHECKING:
    import optuna

Loss = Callable[[Setting], float]


@dataclass(frozen=True, kw_only=True)
class Range:
    """From `low` to `high`, both of them whole numbers or neither. is_log: as many tried between 1 and 10 as between 10 and 100."""

    low: float
    high: float
    is_log: bool = False

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


RANGES: Final[Mapping[str, Mapping[str, Range]]] = {
    LOGISTIC: {"C": Range(low=1e-3, high=10.0, is_log=True)},
    FOREST: {
        "max_depth": Range(low=3, high=10),
        "min_samples_leaf": Range(low=10, high=400, is_log=True),
        "max_features": Range(low=0.1, high=0.8),
    },
    BOOSTED: {
        "max_depth": Range(low=1, high=4),
        "learning_rate": Range(low=0.02, high=0.2, is_log=True),
        "min_samples_leaf": Range(low=10, high=400, is_log=True),
        "l2_regularization": Range(low=0.01, high=100.0, is_log=True),
    },
    NETWORK: {"alpha": Range(low=1e-3, high=10.0, is_log=True)},
    XGBOOST: {
        "max_depth": Range(low=1, high=4),
        "learning_rate": Range(low=0.02, high=0.2, is_log=True),
        "min_child_weight": Range(low=1.0, high=100.0, is_log=True),
        "reg_lambda": Range(low=0.01, high=100.0, is_log=True),
        "subsample": Range(low=0.5, high=1.0),
        "colsample_bytree": Range(low=0.3, high=1.0),
    },
}


def search(loss: Loss, known: Mapping[Setting, float], trials: int, seed: int) -> dict[Setting, float]:
    """Losses of `trials` further settings at most, of the kinds whose losses are known; one that is asked for again is not tried again."""
    import optuna  # a second to import, and only a training that searches needs it

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kinds = list(dict.fromkeys(one.kind for one in known))
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    for setting, value in known.items():
        study.add_trial(_told(setting, kinds, value))
    found: dict[Setting, float] = {}
    for _ in range(trials):
        trial = study.ask()
        setting = _suggested(trial, kinds)
        if setting not in found:
            found[setting] = loss(setting)
        study.tell(trial, found[setting])
    return found


def _suggested(trial: "optuna.Trial", kinds: Sequence[str]) -> Setting:
    """Three digits of each figure: what is tried can be read, and written again."""
    kind = trial.suggest_categorical("kind", kinds)
    options: dict[str, float] = {}
    for name, one in RANGES[kind].items():
        asked = f"{kind} {name}"
        if one.is_whole:
            options[name] = trial.suggest_int(asked, int(one.low), int(one.high), log=one.is_log)
        else:
            options[name] = float(f"{trial.suggest_float(asked, one.low, one.high, log=one.is_log):.3g}")
    return Setting(kind=kind, options=options)


def _told(setting: Setting, kinds: Sequence[str], value: float) -> "optuna.trial.FrozenTrial":
    """A setting whose loss is known, with those of its options that have a range."""
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import create_trial

    params: dict[str, object] = {"kind": setting.kind}
    spread: dict[str, BaseDistribution] = {"kind": CategoricalDistribution(kinds)}
    for name, one in RANGES[setting.kind].items():
        if name in setting.options:
            asked = f"{setting.kind} {name}"
            params[asked] = setting.options[name]
            spread[asked] = (
                IntDistribution(int(one.low), int(one.high), log=one.is_log)
                if one.is_whole
                else FloatDistribution(one.low, one.high, log=one.is_log)
            )
    return create_trial(params=params, distributions=spread, value=value)
