"""One experiment read out: every arm against the baseline on every metric, behind the checks that come before. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import pandas as pd

from lakehouse.experiments.arm_estimates import estimated, less_explained
from lakehouse.experiments.balance import SEGMENT, by_segment, uneven
from lakehouse.experiments.bayesian import bayesian
from lakehouse.experiments.estimates import Estimate
from lakehouse.experiments.fixed import fixed
from lakehouse.experiments.metrics import Guardrail, Metric
from lakehouse.experiments.multiplicity import holm_within
from lakehouse.experiments.sample_ratio import BLOCKS, sample_ratio_p
from lakehouse.experiments.sample_statistics import SampleMoments
from lakehouse.experiments.sequential import sequential

ALPHA = 0.05
Role = Literal["primary", "secondary", "guardrail"]


@dataclass(frozen=True, kw_only=True)
class ArmComparison:
    """An arm against the baseline on one metric. Differences are arm less baseline, in the metric's unit.

    `relative`: difference over the baseline's value; nan where that is 0. `p_adjusted`, `p_sequential_adjusted`: after Holm over the
    comparisons of one role. `guardrail`: what the always-valid interval says of it, None = it is none. `is_harm`: harm was shown.
    """

    metric: str
    arm: str
    baseline: str
    role: Role
    difference: float
    relative: float
    p_fixed: float
    interval_fixed: tuple[float, float]
    p_sequential: float
    interval_sequential: tuple[float, float]
    probability_better: float
    expected_loss: float
    p_adjusted: float = float("nan")
    p_sequential_adjusted: float = float("nan")
    guardrail: Literal["harm", "no_harm", "unclear"] | None = None

    @property
    def is_guardrail(self) -> bool:
        return self.guardrail is not None

    @property
    def is_harm(self) -> bool:
        return self.guardrail == "harm"


@dataclass(frozen=True, kw_only=True)
class ReadOut:
    """`arms`: arm -> metric -> moments, without CUPED. `blocked_because`: in words; where there is a reason no comparison is worth reading.

    excluded: units in no arm's figures, for they were in several. segments: segment -> p of its arms' sizes, after Holm.
    """

    srm_p: float
    blocked_because: tuple[str, ...]
    arms: Mapping[str, Mapping[str, SampleMoments]]
    counts: Mapping[str, int]
    comparisons: tuple[ArmComparison, ...]
    excluded: int
    baseline: str
    alpha: float
    segments: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_blocked(self) -> bool:
        return bool(self.blocked_because)


def read_out(
    units: pd.DataFrame,
    metrics: Sequence[str],
    *,
    baseline: str,
    shares: Mapping[str, float] | None = None,
    declared: Mapping[str, Metric] | None = None,
    primary: Sequence[str] | None = None,
    guardrails: Mapping[str, Guardrail] | None = None,
    covariates: Mapping[str, Sequence[str]] | None = None,
    excluded: int = 0,
    broken: int = 0,
    alpha: float = ALPHA,
) -> ReadOut:
    """Read out one row per unit: `arm` (text), what the metrics are made of, covariates as floats, and `segment` if it has one.

    A metric that is not `declared` is a column of floats without nan, as are all that a declared one is made of; a quantile's column
    has an array of floats a unit. `shares`: expected, of every declared arm, those without a unit among them; None = even shares of the
    arms there are. What cannot be said, as of an arm without units, is nan. `primary`: None = all but guardrails.
    `covariates`: metric -> columns of what its units did before the experiment (CUPED). `broken`: units of `excluded` that break the
    promise of one arm each.
    """
    declared, guardrails, covariates = declared or {}, guardrails or {}, covariates or {}
    arms = sorted({*units["arm"].unique(), *(shares or ())})
    shares = shares or dict.fromkeys(arms, 1.0)
    of_arm = {arm: units[units["arm"] == arm] for arm in arms}
    counts = {arm: len(rows) for arm, rows in of_arm.items()}
    plain = {name: estimated(name, declared, units, of_arm) for name in metrics}
    used = {name: less_explained(plain[name], of_arm, covariates.get(name, ())) for name in metrics}
    deciding = [name for name in metrics if name not in guardrails] if primary is None else primary
    roles = {name: _role(name, deciding, guardrails) for name in metrics}
    srm_p = sample_ratio_p(counts, shares)
    segments = by_segment(units, shares) if SEGMENT in units else {}
    every = list(dict.fromkeys(column for columns in covariates.values() for column in columns))
    return ReadOut(
        srm_p=srm_p,
        blocked_because=tuple(_blocked(srm_p, broken, segments, uneven(units, every, baseline))),
        arms=_by_arm(plain, arms),
        counts=counts,
        comparisons=tuple(_comparisons(_by_arm(used, arms), roles, baseline, guardrails, alpha)),
        excluded=excluded,
        baseline=baseline,
        alpha=alpha,
        segments=segments,
    )


def _by_arm(
    estimates: Mapping[str, Mapping[str, Estimate]], arms: Sequence[str]
) -> dict[str, dict[str, SampleMoments]]:
    """Metric -> arm -> estimate as arm -> metric -> moments."""
    return {arm: {name: of_arm[arm].moments for name, of_arm in estimates.items()} for arm in arms}


def _role(name: str, primary: Sequence[str], guardrails: Mapping[str, Guardrail]) -> Role:
    return "guardrail" if name in guardrails else "primary" if name in primary else "secondary"


def _blocked(srm_p: float, broken: int, segments: Mapping[str, float], uneven: Mapping[str, float]) -> list[str]:
    """Why no difference is worth reading, in words."""
    reasons = [f"sample ratio p {srm_p:.3g} is below {BLOCKS}"] if srm_p < BLOCKS else []
    if broken:
        reasons.append(
            f"{broken} {'was' if broken == 1 else 'were'} in more than one arm, expected everybody to stay in one"
        )
    reasons += [
        f"segment {name}: sample ratio p {p:.3g} is below {BLOCKS}" for name, p in segments.items() if p < BLOCKS
    ]
    return reasons + [
        f"covariate {name}: arms differ in it (p {p:.3g}), as nothing from before the exposure does. Leave it out if it is from after"
        for name, p in uneven.items()
    ]


def _comparisons(
    used: Mapping[str, Mapping[str, SampleMoments]],
    roles: Mapping[str, Role],
    baseline: str,
    guardrails: Mapping[str, Guardrail],
    alpha: float,
) -> list[ArmComparison]:
    alone = [
        _comparison(metric, arm, baseline, role, used, guardrails.get(metric), alpha)
        for metric, role in roles.items()
        for arm in used
        if arm != baseline
    ]
    families = [one.role for one in alone]
    at_once = holm_within(families, [one.p_fixed for one in alone])
    always = holm_within(families, [one.p_sequential for one in alone])
    return [
        replace(one, p_adjusted=p, p_sequential_adjusted=always_valid)
        for one, p, always_valid in zip(alone, at_once, always, strict=True)
    ]


def _comparison(
    metric: str,
    arm: str,
    baseline: str,
    role: Role,
    used: Mapping[str, Mapping[str, SampleMoments]],
    guardrail: Guardrail | None,
    alpha: float,
) -> ArmComparison:
    ours, theirs = used[arm][metric], used[baseline][metric]
    at_once, always = fixed(ours, theirs, alpha=alpha), sequential(ours, theirs, alpha=alpha)
    belief = bayesian(ours, theirs)
    difference = ours.mean - theirs.mean
    return ArmComparison(
        metric=metric,
        arm=arm,
        baseline=baseline,
        role=role,
        difference=difference,
        relative=difference / abs(theirs.mean) if theirs.mean else float("nan"),
        p_fixed=at_once.p,
        interval_fixed=at_once.interval,
        p_sequential=always.p,
        interval_sequential=always.interval,
        probability_better=belief.probability_better,
        expected_loss=belief.expected_loss,
        guardrail=None if guardrail is None else guardrail.judge(always.interval),
    )


def one_arm_each(rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Rows (unit, arm, ...) of units that were in one arm only, and how many units were in more."""
    arms = rows.groupby("unit", sort=False)["arm"].nunique()
    several = arms.index[arms > 1]
    return rows[~rows["unit"].isin(several)], len(several)


def per_unit(rows: pd.DataFrame, metrics: Sequence[str], covariates: Sequence[str] = ()) -> pd.DataFrame:
    """One row per unit and arm: metrics and covariates summed over its rows; a missing metric counts as 0."""
    wanted = [*metrics, *covariates]
    summed = rows.groupby(["unit", "arm"], sort=False)[wanted].sum(min_count=1).reset_index()
    summed[list(metrics)] = summed[list(metrics)].fillna(0.0)
    return summed
