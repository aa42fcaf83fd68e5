"""The log an effect is learned from: one row per decision, with what was known of the person before it. From any frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lakehouse.errors import SourceError
from lakehouse.experiments.log_file import expected_shares
from lakehouse.experiments.policy_log import filled, propensities
from lakehouse.targeting.columns import has_columns, names_of
from lakehouse.targeting.encoding import typed

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ExperimentLog:
    """One entry per row in every column.

    `unit`: the person. `propensity`: with which `arm` was chosen. `features`: floats, nan = missing; or text. `left_out`: rows that are
    in no column, by reason.
    """

    unit: NDArray[np.str_]
    arm: NDArray[np.str_]
    reward: Array
    propensity: Array
    features: pd.DataFrame
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.reward)


def log_of(
    frame: pd.DataFrame,
    *,
    arm: str,
    reward: str,
    features: Sequence[str],
    unit: str | None = None,
    propensity: str | None = None,
    shares: Sequence[str] = (),
    categories: Sequence[str] = (),
) -> ExperimentLog:
    """Read the columns so named; rows without an arm or a unit are left out.

    Args:
        frame: as `log_file.read_log` gives it.
        arm: what was done.
        reward: what came of it; more is better.
        features: known before it was done. Numbers, true/false, or anything else as categories.
        unit: the person; None = every row is somebody else.
        propensity: probability with which the row's arm was chosen; None = the same for all rows of an arm: `shares`, else the share
            it has.
        shares: ARM=SHARE of every arm, any unit.
        categories: features that are categories though they look like numbers.

    Raises:
        SourceError: a column that is not there or is named twice; a row whose reward is no number or whose propensity is none.
    """
    _refuse_mixed(arm, reward, unit, propensity, features)
    has_columns(
        frame, [*([unit] if unit else []), arm, reward, *([propensity] if propensity else []), *features, *categories]
    )
    arms = names_of(frame[arm])
    units = names_of(frame[unit]) if unit else pd.Series(np.arange(len(frame)).astype(str), index=frame.index)
    known = (arms.notna() & units.notna()).to_numpy()
    if not known.any():
        raise SourceError(f"column '{arm}': no row names an arm and a unit, expected one for each decision")
    rows, names = frame[known], arms[known].to_numpy(dtype=np.str_)
    return ExperimentLog(
        unit=units[known].to_numpy(dtype=np.str_),
        arm=names,
        reward=filled(rows[reward]),
        propensity=propensities(rows[propensity]) if propensity else _constant(names, shares),
        features=pd.DataFrame(
            {name: typed(rows[name], is_category=name in categories) for name in features}, index=rows.index
        ),
        left_out={} if known.all() else {"without an arm or a unit": int((~known).sum())},
    )


def _refuse_mixed(arm: str, reward: str, unit: str | None, propensity: str | None, features: Sequence[str]) -> None:
    taken = {"arm": arm, "reward": reward, "unit": unit, "propensity": propensity}
    for feature in features:
        roles = [role for role, name in taken.items() if name == feature]
        if roles:
            raise SourceError(
                f"--feature: column '{feature}' is the {roles[0]}, expected what was known before it. Leave it out"
            )
    twice = sorted({name for name in features if list(features).count(name) > 1})
    if twice:
        raise SourceError(f"--feature: column '{twice[0]}' is named twice. Name it once")


def _constant(arms: NDArray[np.str_], asked: Sequence[str]) -> Array:
    names, places, counts = np.unique(arms, return_inverse=True, return_counts=True)
    shares = expected_shares(asked, [str(name) for name in names])
    weights = counts.astype(np.float64) if shares is None else np.array([shares[str(name)] for name in names])
    return np.asarray((weights / (weights.sum() if shares is None else sum(shares.values())))[places])
