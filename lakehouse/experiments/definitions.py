"""conf/experiments.yaml: the layers, the experiments in them, and the part of everybody nothing is ever tried on."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

import orjson
from pydantic import Field, model_validator

from lakehouse.config.declarations import Declared, Name, Valid, checked, read_document, refuse
from lakehouse.errors import RuleError
from lakehouse.experiments.assignment import BUCKETS, arm_of, bucket

HOLDOUT = "holdout"


class Arm(Declared):
    """`recommendations`: model (the default) or popularity; `offers`: the policy's name, or none for no offer at all."""

    name: Name
    weight: float = Field(default=1.0, gt=0)
    recommendations: Literal["model", "popularity"] = "model"
    offers: Literal["policy", "greedy", "none"] = "policy"


class Guardrail(Declared):
    """What an arm must not make worse: by at most `margin`, in the metric's unit. `better`: which way is; nobody can guess it."""

    margin: float = Field(ge=0)
    better: Literal["higher", "lower"]

    @model_validator(mode="before")
    @classmethod
    def _is_whole(cls, sent: Any) -> Any:
        if not isinstance(sent, Mapping | Guardrail):
            raise ValueError(f"got {sent}, expected {{margin: {sent}, better: higher}}, or lower where less is better")
        return sent

    def may_be_broken(self, interval: tuple[float, float]) -> bool:
        """Whether the interval of arm less baseline does not rule out more harm than the margin."""
        low, high = interval
        return low < -self.margin if self.better == "higher" else high > self.margin


class Experiment(Valid):
    """One experiment. Two of one layer share nobody: each owns its own `buckets` of the layer's 10,000."""

    name: Name
    owner: str
    hypothesis: str = ""
    layer: Name
    buckets: tuple[int, int]
    salt: str = ""
    arms: tuple[Arm, ...] = Field(min_length=2)
    baseline: str
    metrics: tuple[str, ...] = Field(min_length=1)
    guardrails: Mapping[str, Guardrail] = {}
    window_days: int = Field(default=14, ge=1, le=365)
    is_enabled: bool = True

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        names = [arm.name for arm in self.arms]
        first, last = self.buckets
        if len(set(names)) != len(names) or self.baseline not in names:
            raise ValueError(
                f"arms: got {names} with baseline '{self.baseline}', expected each once and the baseline among them"
            )
        if not 0 <= first < last <= BUCKETS:
            raise ValueError(
                f"buckets: got [{first}, {last}], expected [first, one past the last] within 0 and {BUCKETS}"
            )
        return self

    @property
    def fingerprint(self) -> str:
        """Of what decides who is in which arm; while the experiment runs it must not change."""
        fixed = [self.name, self.layer, self.buckets, self.salt, [[arm.name, arm.weight] for arm in self.arms]]
        return hashlib.sha256(orjson.dumps(fixed)).hexdigest()[:16]

    def arm_of(self, unit: str) -> Arm:
        return arm_of(f"{self.name}\x1f{self.salt}", unit, self.arms, [arm.weight for arm in self.arms])


class Holdout(Declared):
    """A permanent share of everybody: they get no offer and no personal recommendation, in any experiment."""

    share: float = Field(default=0.0, ge=0, le=0.5)
    salt: str = HOLDOUT


class Experiments:
    """All of the file, for one question: what is this unit in?"""

    def __init__(self, experiments: Mapping[str, Experiment], holdout: Holdout) -> None:
        self.by_name = experiments
        self.holdout = holdout

    def assign(self, unit: str, now: datetime) -> dict[str, Arm]:
        """Experiment -> arm, of those that run now and own the unit's bucket; nothing for who is held out."""
        if self.held_out(unit) is not None:
            return {}
        return {
            one.name: one.arm_of(unit)
            for one in self.by_name.values()
            if is_running(one, now) and one.buckets[0] <= bucket(one.layer, unit) < one.buckets[1]
        }

    def ask(self, now: datetime) -> bool:
        """Whether anything depends on who is who: an experiment that runs, or a holdout."""
        return self.holdout.share > 0 or any(is_running(one, now) for one in self.by_name.values())

    def held_out(self, unit: str) -> str | None:
        """HOLDOUT, or None."""
        return HOLDOUT if bucket(self.holdout.salt, unit) < self.holdout.share * BUCKETS else None


def is_running(experiment: Experiment, now: datetime) -> bool:
    started = experiment.valid_from is None or now >= experiment.valid_from
    return experiment.is_enabled and started and (experiment.valid_to is None or now < experiment.valid_to)


def read_experiments(path: Path) -> Experiments:
    """Read and check the file.

    Raises:
        ConfigError: one line for every fault found; among them two experiments of a layer that share buckets.
    """
    document = read_document(path, "experiments", "holdout")
    faults: list[str] = []
    experiments = {
        experiment.name: experiment
        for _, experiment in checked(document.get("experiments") or [], Experiment, f"{path.name}: experiments", faults)
    }
    held = checked([document.get("holdout") or {}], Holdout, f"{path.name}: holdout", faults)
    by_layer: dict[str, list[Experiment]] = defaultdict(list)
    for experiment in experiments.values():
        for other in by_layer[experiment.layer]:
            if experiment.buckets[0] < other.buckets[1] and other.buckets[0] < experiment.buckets[1]:
                faults.append(
                    f"{path.name}: {experiment.name}: buckets {list(experiment.buckets)} of layer {experiment.layer} belong to {other.name} as well, "
                    "expected buckets of its own. Move it, or put it into another layer"
                )
        by_layer[experiment.layer].append(experiment)
    refuse(faults)
    return Experiments(experiments, held[0][1])


def unchanged(new: Experiments, running: Mapping[str, str], now: datetime) -> None:
    """`running`: experiment -> fingerprint it began with.

    Raises:
        RuleError: an experiment that runs was changed in who is in which arm.
    """
    for name, fingerprint in running.items():
        one = new.by_name.get(name)
        if one is not None and is_running(one, now) and one.fingerprint != fingerprint:
            raise RuleError(
                f"experiments: {name}: its arms, weights, layer, buckets or salt were changed while it runs, which would move "
                "people between arms and spoil it. End it (valid_to) and start another under a new name"
            )
