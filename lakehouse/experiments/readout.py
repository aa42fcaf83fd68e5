"""One experiment read out: every arm against the baseline on every metric, behind the sample-ratio check. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lakehouse.experiments.adjustment import adjusted
from lakehouse.experiments.bayesian import bayesian
from lakehouse.experiments.definitions import Guardrail
from lakehouse.experiments.fixed import fixed
from lakehouse.experiments.multiplicity import holm
from lakehouse.experiments.sample_ratio import BLOCKS, sample_ratio_p
from lakehouse.experiments.sample_statistics import SampleMoments, moments
from lakehouse.experiments.sequential import sequential

ALPHA = 0.05


@dataclass(frozen=True, kw_only=True)
class ArmComparison:
    """An arm against the baseline on one metric. Differences are arm less baseline, in the metric's unit.

    `relative`: difference over the baseline's mean; nan where that is 0. `p_adjusted`: p_fixed after Holm over all
    comparisons of the read-out. `is_harm`: of a guardrail, that the arm may be worse than its margin allows.
    """

    metric: str
    arm: str
    baseline: str
    difference: float
    relative: float
    p_fixed: float
    interval_fixed: tuple[float, float]
    p_adjusted: float
    p_sequential: float
    interval_sequential: tuple[float, float]
    probability_better: float
    expected_loss: float
    is_guardrail: bool = False
    is_harm: bool = False


@dataclass(frozen=True, kw_only=True)
class ReadOut:
    """`arms`: arm -> metric -> moments. `excluded`: units seen in more than one arm, in no arm's figures."""

    srm_p: float
    is_blocked: bool
    arms: Mapping[str, Mapping[str, SampleMoments]]
    counts: Mapping[str, int]
    comparisons: tuple[ArmComparison, ...]
    excluded: int
    baseline: str
    alpha: float


def read_out(
    units: pd.DataFrame,
    metrics: Sequence[str],
    *,
    baseline: str,
    shares: Mapping[str, float] | None = None,
    guardrails: Mapping[str, Guardrail] | None = None,
    covariates: Mapping[str, str] | None = None,
    excluded: int = 0,
    alpha: float = ALPHA,
) -> ReadOut:
    """Read out one row per unit: `arm` (text), the metrics as floats without nan, and covariates as floats.

    `shares`: expected, of every declared arm, those without a unit among them; None = even shares of the arms there are. What
    cannot be said, as of an arm without units, is nan. `guardrails`: by metric.
    `covariates`: metric -> column of the same quantity before the experiment (CUPED).
    """
    arms = sorted({*units["arm"].unique(), *(shares or ())})
    counts = {arm: int((units["arm"] == arm).sum()) for arm in arms}
    srm_p = sample_ratio_p(counts, shares or dict.fromkeys(arms, 1.0))
    estimates: dict[str, dict[str, SampleMoments]] = {arm: {} for arm in arms}
    plain: dict[str, dict[str, SampleMoments]] = {arm: {} for arm in arms}
    of_arm = {arm: (units["arm"] == arm).to_numpy() for arm in arms}
    for metric in metrics:
        values = units[metric].to_numpy(dtype=np.float64)
        column = (covariates or {}).get(metric)
        used = values if column is None else adjusted(values, units[column].to_numpy(dtype=np.float64))
        for arm in arms:
            plain[arm][metric] = moments(values[of_arm[arm]])
            estimates[arm][metric] = moments(used[of_arm[arm]])
    pairs = [(metric, arm) for metric in metrics for arm in arms if arm != baseline]
    p_values = [fixed(estimates[arm][metric], estimates[baseline][metric], alpha=alpha).p for metric, arm in pairs]
    comparisons = [
        _comparison(metric, arm, baseline, estimates, p_adjusted, alpha=alpha, guardrail=(guardrails or {}).get(metric))
        for (metric, arm), p_adjusted in zip(pairs, holm(p_values), strict=True)
    ]
    return ReadOut(
        srm_p=srm_p,
        is_blocked=srm_p < BLOCKS,
        arms=plain,
        counts=counts,
        comparisons=tuple(comparisons),
        excluded=excluded,
        baseline=baseline,
        alpha=alpha,
    )


def _comparison(
    metric: str,
    arm: str,
    baseline: str,
    estimates: Mapping[str, Mapping[str, SampleMoments]],
    p_adjusted: float,
    *,
    alpha: float,
    guardrail: Guardrail | None,
) -> ArmComparison:
    ours, theirs = estimates[arm][metric], estimates[baseline][metric]
    at_once, always, belief = (
        fixed(ours, theirs, alpha=alpha),
        sequential(ours, theirs, alpha=alpha),
        bayesian(ours, theirs),
    )
    difference = ours.mean - theirs.mean
    return ArmComparison(
        metric=metric,
        arm=arm,
        baseline=baseline,
        difference=difference,
        relative=difference / abs(theirs.mean) if theirs.mean else float("nan"),
        p_fixed=at_once.p,
        interval_fixed=at_once.interval,
        p_adjusted=p_adjusted,
        p_sequential=always.p,
        interval_sequential=always.interval,
        probability_better=belief.probability_better,
        expected_loss=belief.expected_loss,
        is_guardrail=guardrail is not None,
        is_harm=guardrail is not None and guardrail.may_be_broken(always.interval),
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
