"""conf/experiments.yaml: the layers, the experiments in them, and the part of everybody nothing is ever tried on."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from lakehouse.config.declarations import Declared, Name, checked, read_document, refuse
from lakehouse.config.limits import BUCKETS
from lakehouse.errors import RuleError
from lakehouse.events.facts import ExperimentStart
from lakehouse.experiments.assignment import arm_of, bucket
from lakehouse.experiments.metrics import Judged, Metric

HOLDOUT = "holdout"
HELD_OUT, SERVED = "held_out", "served"
"""The arms of the holdout, which is read out as an experiment of that name."""


class Arm(Declared):
    """`recommendations`: model (the default) or popularity; `offers`: the policy's name, or none for no offer at all."""

    name: Name
    weight: float = Field(default=1.0, gt=0)
    recommendations: Literal["model", "popularity"] = "model"
    offers: Literal["policy", "greedy", "none"] = "policy"


class Experiment(Judged):
    """One experiment. Two of one layer share nobody: each owns its own `buckets` of the layer's 10,000.

    trigger: who counts, and from when on. shown: who was shown something; decided: who was decided on, which is what an arm
    that shows nothing needs.
    """

    name: Name
    owner: str
    hypothesis: str = ""
    layer: Name
    buckets: tuple[int, int]
    salt: str = ""
    arms: tuple[Arm, ...] = Field(min_length=2)
    baseline: str
    trigger: Literal["shown", "decided"] | None = None
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
        if self.trigger == "shown" and any(arm.offers == "none" for arm in self.arms):
            raise ValueError("trigger: got shown, expected decided: an arm without offers is never shown one")
        return self

    @property
    def counts_from(self) -> Literal["shown", "decided"]:
        """`trigger`, or what it must be."""
        return self.trigger or ("decided" if any(arm.offers == "none" for arm in self.arms) else "shown")

    def start(self, at_ms: int) -> ExperimentStart:
        """What decides who is in which arm; while the experiment runs it must not change."""
        return ExperimentStart(
            experiment=self.name,
            layer=self.layer,
            buckets=self.buckets,
            salt=self.salt,
            arms=tuple((arm.name, arm.weight) for arm in self.arms),
            at_ms=at_ms,
        )

    @property
    def fingerprint(self) -> str:
        """Of its `start`."""
        return self.start(0).fingerprint

    def arm_of(self, unit: str) -> Arm:
        return arm_of(f"{self.name}\x1f{self.salt}", unit, self.arms, [arm.weight for arm in self.arms])


class Holdout(Judged):
    """A permanent share of everybody: they get no offer and no personal recommendation, in any experiment.

    It is read out over who was decided on from `valid_from` on. Set that when the share or the salt changes: who was served
    before and is held out now would be in two arms.
    """

    share: float = Field(default=0.0, ge=0, le=0.5)
    salt: str = HOLDOUT
    metrics: tuple[str, ...] = ("converted",)

    def experiment(self) -> Experiment:
        """As one, to be read out: everybody else against those held out. The share must be above 0."""
        asked = {name: getattr(self, name) for name in Judged.model_fields}
        arms = (Arm(name=SERVED, weight=1 - self.share), Arm(name=HELD_OUT, weight=self.share, offers="none"))
        return Experiment(
            name=HOLDOUT, owner="everybody", layer=HOLDOUT, buckets=(0, BUCKETS), arms=arms, baseline=HELD_OUT, **asked
        )


class Experiments:
    """All of the file, for one question: what is this unit in? `metrics`: declared ones, by name."""

    def __init__(
        self, experiments: Mapping[str, Experiment], holdout: Holdout, metrics: Mapping[str, Metric] = {}
    ) -> None:
        self.by_name = experiments
        self.holdout = holdout
        self.metrics = metrics

    @property
    def read_out(self) -> Mapping[str, Experiment]:
        """What a read-out may find in the log: the experiments, and the holdout as one."""
        return {**self.by_name, **({HOLDOUT: self.holdout.experiment()} if self.holdout.share > 0 else {})}

    def covariates_of(self, one: Judged) -> tuple[str, ...]:
        """Declared metrics that are taken from before the exposure, to explain some of the noise."""
        if one.covariates is not None:
            return one.covariates
        declared = [self.metrics[name] for name in one.asked if name in self.metrics]
        parts = dict.fromkeys(part for metric in declared for part in metric.parts if part in self.metrics)
        return tuple(name for name in parts if self.metrics[name].is_per_person and self.metrics[name].has_time)

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

    def holdout_arm(self, unit: str) -> str | None:
        """HELD_OUT or SERVED; None where there is no holdout."""
        if self.holdout.share == 0:
            return None
        return SERVED if self.held_out(unit) is None else HELD_OUT

    def held_out(self, unit: str) -> str | None:
        """HOLDOUT, or None."""
        share = self.holdout.share
        return HOLDOUT if share > 0 and bucket(self.holdout.salt, unit) < share * BUCKETS else None


def is_running(experiment: Experiment, now: datetime) -> bool:
    started = experiment.valid_from is None or now >= experiment.valid_from
    return experiment.is_enabled and started and (experiment.valid_to is None or now < experiment.valid_to)


def read_experiments(path: Path) -> Experiments:
    """Read and check the file.

    Raises:
        ConfigError: one line for every fault found; among them two experiments of a layer that share buckets, and metrics that
            are made of none.
    """
    document = read_document(path, "experiments", "holdout", "metrics")
    faults: list[str] = []
    declared = checked(document.get("metrics") or [], Metric, f"{path.name}: metrics", faults)
    metrics = {metric.name: metric for _, metric in declared}
    listed = checked(document.get("experiments") or [], Experiment, f"{path.name}: experiments", faults)
    experiments = {experiment.name: experiment for _, experiment in listed}
    held = checked([document.get("holdout") or {}], Holdout, f"{path.name}: holdout", faults)
    if HOLDOUT in experiments:
        faults.append(f"{path.name}: {HOLDOUT}: is what the holdout is read out as, expected another name")
    faults += [f"{path.name}: {fault}" for fault in _shared_buckets(experiments.values())]
    asked = [*experiments.items(), *((HOLDOUT, one) for _, one in held)]
    faults += [f"{path.name}: {fault}" for fault in _unmade_metrics(asked, metrics)]
    refuse(faults)
    return Experiments(experiments, held[0][1], metrics)


def _shared_buckets(experiments: Iterable[Experiment]) -> Iterator[str]:
    by_layer: dict[str, list[Experiment]] = defaultdict(list)
    for experiment in experiments:
        for other in by_layer[experiment.layer]:
            if experiment.buckets[0] < other.buckets[1] and other.buckets[0] < experiment.buckets[1]:
                yield (
                    f"{experiment.name}: buckets {list(experiment.buckets)} of layer {experiment.layer} belong to {other.name} as well, "
                    "expected buckets of its own. Move it, or put it into another layer"
                )
        by_layer[experiment.layer].append(experiment)


def _unmade_metrics(asked: Iterable[tuple[str, Judged]], metrics: Mapping[str, Metric]) -> Iterator[str]:
    """What a metric is made of must have a value of each person, and a covariate a time: of what may come after, none is made."""
    for metric in metrics.values():
        for part in metric.parts if metric.is_ratio else ():
            if part in metrics and not metrics[part].is_per_person:
                yield f"{metric.name}: got {part}, which no single person has a value of, expected a count, a sum or an any"
    for name, one in asked:
        for covariate in one.covariates or ():
            known = metrics.get(covariate)
            if known is None or not known.is_per_person or not known.has_time:
                yield (
                    f"{name}: covariates: got {covariate}, expected a declared count, sum or any over a table of silver: "
                    "of others nobody can say what was there before the exposure"
                )


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
