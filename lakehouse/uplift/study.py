"""A log studied: what every arm is worth to everybody, whether a policy is worth more, and to whom it gives what. Pure.

A policy is offered only where the lower bound of its value less that of the best blanket action (everybody gets the same arm) is
above 0, on rows no model of it had seen: see `evidence.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lakehouse.errors import SourceError
from lakehouse.experiments.off_policy import MOST_WEIGHT_SHARE
from lakehouse.targeting.encoding import Encoding
from lakehouse.targeting.policy import TargetingPolicy
from lakehouse.targeting.response_model import People
from lakehouse.uplift.chain import Chain, LoggedArms, chain, part_of
from lakehouse.uplift.contenders import kinds
from lakehouse.uplift.curve import Curve, curve
from lakehouse.uplift.evidence import Bounded, gain_over, mean, standard_error
from lakehouse.uplift.experiment_log import ExperimentLog
from lakehouse.uplift.learned_encoding import encoding_of
from lakehouse.uplift.scores import scores
from lakehouse.uplift.targeted import Group, groups

Array = NDArray[np.float64]

LEAST_PERSONS = 500  # for a policy: of fewer nobody is left to judge it by
LEAST_OF_ARM = 100.0  # effective rows; of fewer an arm's mean is not normal
# Standard errors that the mean weight of an arm may be from 1, which it is where propensities are right.
MOST_ERRORS_OFF = 4.0


@dataclass(frozen=True, kw_only=True)
class ArmFigures:
    """`value`: mean reward less cost if everybody got it. `gain`: of the policy over it; None where no policy was learned."""

    name: str
    rows: int
    logged_mean: float
    value: Bounded
    gain: Bounded | None = None


@dataclass(frozen=True, kw_only=True)
class Study:
    """`verdict`: in words. `refused`: the log itself cannot be used, in words; then there are no figures.

    `best`: the blanket action of the highest value. `gain_low`: lower bound of the policy's gain over the best of all blanket
    actions. `policy_value`: of the judged rows. `groups`: to whom the policy gives what.
    """

    reward: str
    alpha: float
    rows: int
    persons: int
    verdict: str
    baseline: str = ""
    best: str = ""
    is_offered: bool = False
    refused: str | None = None
    arms: tuple[ArmFigures, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    rows_left_out: Mapping[str, int] = field(default_factory=dict)
    policy: TargetingPolicy | None = None
    policy_value: Bounded | None = None
    gain_low: float | None = None
    curve: Curve | None = None
    groups: tuple[Group, ...] = ()
    made_of: Mapping[str, float] = field(default_factory=dict)


def study(
    log: ExperimentLog,
    *,
    reward: str,
    baseline: str | None = None,
    cost: Mapping[str, float] | None = None,
    alpha: float = 0.05,
) -> Study:
    """Study a log.

    Args:
        log: of decisions whose arms were chosen by chance.
        reward: its name.
        baseline: what the curve starts from; None = the first arm.
        cost: by arm, in the unit of the reward, of doing it once; 0 where there is none.
        alpha: intervals are at 1 - alpha; a policy that is no better is offered with probability alpha / 2 at most.

    Raises:
        SourceError: a cost of an arm that is not there.
    """
    judged = _JudgedArms(log, cost or {})
    plain = Study(
        reward=reward,
        alpha=alpha,
        rows=len(log),
        persons=judged.persons,
        verdict="",
        baseline=baseline if baseline in judged.names else next(iter(judged.names), ""),
        left_out=judged.left_out,
        rows_left_out=log.left_out,
    )
    if judged.refused is not None:
        return replace(plain, verdict=f"refused: {judged.refused}", refused=judged.refused)
    arms = judged.figures(judged.plain_scores(), alpha)
    plain = replace(plain, arms=arms, best=_best(arms))
    if len(arms) < 2:
        return replace(
            plain, verdict=f"no policy: {plain.best or 'no arm'} alone has enough rows, expected two arms or more"
        )
    encoding = encoding_of(log.features)
    plain = replace(
        plain, left_out={**judged.left_out, **{f"feature {name}": why for name, why in encoding.left_out.items()}}
    )
    if not encoding.columns:
        return replace(plain, verdict="no policy: no feature tells people apart")
    if judged.persons < LEAST_PERSONS:
        return replace(plain, verdict=f"no policy: {judged.persons} persons, expected {LEAST_PERSONS} or more")
    return _learned(plain, log, judged, encoding)


def _learned(plain: Study, log: ExperimentLog, judged: "_JudgedArms", encoding: Encoding) -> Study:
    logged = judged.logged(encoding.people(log.features), part_of(log.unit.tolist()))
    learned = chain(logged)
    gains = [gain_over(logged, learned, arm, plain.alpha) for arm in range(len(judged.names))]
    arms = judged.figures(learned.scores, plain.alpha, gains)
    best = _best(arms)
    policy = TargetingPolicy(
        arms=judged.names,
        cost=tuple(map(float, judged.cost)),
        reward=plain.reward,
        encoding=encoding,
        model=learned.model,
    )
    choice = policy.choose(log.features)
    gain_low = min(gain.low for gain in gains)
    is_offered = gain_low > 0 and len(np.unique(choice)) > 1
    return replace(
        plain,
        verdict=_verdict(arms, choice, is_offered),
        best=best,
        is_offered=is_offered,
        arms=arms,
        policy=policy,
        policy_value=_policy_value(logged, learned, plain.alpha),
        gain_low=gain_low,
        curve=curve(logged, learned, judged.names.index(plain.baseline), plain.alpha),
        groups=groups(
            log.features, encoding, choice, logged, learned, judged.names.index(best), judged.names, plain.alpha
        ),
        made_of=kinds(learned.shares),
    )


class _JudgedArms:
    """The arms that can be judged, and the log in numbers."""

    def __init__(self, log: ExperimentLog, cost: Mapping[str, float]) -> None:
        self._log = log
        present = sorted({str(name) for name in np.unique(log.arm)})
        strange = sorted(set(cost) - set(present))
        if strange:
            raise SourceError(f"--cost: no arm '{strange[0]}', expected one of {', '.join(present)}")
        units, self._person = np.unique(log.unit, return_inverse=True)
        self.persons = len(units)
        self.left_out = {}
        self.refused = None
        for name in present:
            weight = np.where(log.arm == name, 1 / log.propensity, 0.0)
            if (fault := self._fault(name, weight)) is not None:
                self.refused = self.refused or fault
            if (reason := _too_few(weight)) is not None:
                self.left_out[name] = reason
        self.names = tuple(name for name in present if name not in self.left_out)
        self.cost = np.array([cost.get(name, 0.0) for name in self.names])
        places = {name: place for place, name in enumerate(self.names)}
        self._arm = np.array([places.get(str(name), -1) for name in log.arm], dtype=np.int64)

    def _fault(self, name: str, weight: Array) -> str | None:
        """Propensities that cannot be right: where they are, an arm's weights have mean 1."""
        weighs, error = float(weight.mean()), standard_error(weight, self._person)
        if abs(weighs - 1) <= MOST_ERRORS_OFF * error + 1e-9:
            return None
        return (
            f"arm '{name}' has mean weight {weighs:.3f}, expected 1 (standard error {error:.3f}): the propensities are not those it "
            "was chosen by, or rows are missing"
        )

    def logged(self, people: People, part: NDArray[np.int64]) -> LoggedArms:
        log = self._log
        return LoggedArms(
            people=people,
            arm=self._arm,
            reward=log.reward,
            propensity=log.propensity,
            person=self._person,
            part=part,
            cost=self.cost,
        )

    def plain_scores(self) -> Array:
        """With each arm's mean for what is expected of it."""
        log = self._log
        means = np.array([log.reward[self._arm == arm].mean() for arm in range(len(self.names))])
        return np.asarray(scores(log.reward, self._arm, log.propensity, np.tile(means, (len(log), 1))) - self.cost)

    def figures(self, of_arms: Array, alpha: float, gains: list[Bounded] | None = None) -> tuple[ArmFigures, ...]:
        return tuple(
            ArmFigures(
                name=name,
                rows=int((self._arm == arm).sum()),
                logged_mean=float(self._log.reward[self._arm == arm].mean()),
                value=mean(of_arms[:, arm], self._person, alpha),
                gain=gains[arm] if gains else None,
            )
            for arm, name in enumerate(self.names)
        )


def _too_few(weight: Array) -> str | None:
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    if effective < LEAST_OF_ARM:
        return f"{effective:.0f} effective rows, expected {LEAST_OF_ARM:.0f} or more"
    largest = float(weight.max() / weight.sum())
    if largest > MOST_WEIGHT_SHARE:
        return f"one row carries {largest:.0%} of its weight, expected at most {MOST_WEIGHT_SHARE:.0%}"
    return None


def _best(arms: tuple[ArmFigures, ...]) -> str:
    """Its name; of equals the first."""
    return max(arms, key=lambda arm: arm.value.value).name if arms else ""


def _verdict(arms: tuple[ArmFigures, ...], choice: NDArray[np.str_], is_offered: bool) -> str:
    if is_offered:
        return f"a policy is offered: shown to be better than giving everybody the same, {_best(arms)} included"
    given = np.unique(choice)
    if len(given) == 1:
        return f"no policy: the effects foretold give everybody {given[0]}"
    beaten = [arm.name for arm in arms if arm.gain is not None and arm.gain.low <= 0]
    return f"no policy: not shown to be better than {' or '.join(beaten)} for everybody"


def _policy_value(logged: LoggedArms, learned: Chain, alpha: float) -> Bounded:
    judged = np.flatnonzero(learned.is_judged)
    return mean(learned.scores[judged, learned.choice[judged]], logged.person[judged], alpha)
