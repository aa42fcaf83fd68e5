"""gold.experiment_results from the decision log: first exposures, the outcomes that followed, the read-out. Pure."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from lakehouse.experiments.definitions import Experiment
from lakehouse.experiments.readout import ArmComparison, ReadOut, one_arm_each, read_out

LOG = ["unit", "kind", "experiment", "arm", "metric", "value", "occurred_at"]


def results(log: pd.DataFrame, experiments: Mapping[str, Experiment], *, as_of: datetime) -> list[dict[str, Any]]:
    """Rows of gold.experiment_results. `log`: columns LOG of silver.decision_log; experiments without exposures give none."""
    rows: list[dict[str, Any]] = []
    exposures = log[(log["kind"] == "exposure") & log["experiment"].notna()]
    outcomes = log[log["kind"] == "outcome"]
    for name, of_one in exposures.groupby("experiment"):
        experiment = experiments.get(str(name))
        if experiment is None:
            continue
        metrics = list(dict.fromkeys([*experiment.metrics, *experiment.guardrails]))
        units, several = exposed_units(of_one, outcomes, metrics, window_days=experiment.window_days)
        arms = set(units["arm"])
        if len(arms) < 2 or experiment.baseline not in arms:
            continue
        found = read_out(
            units,
            metrics,
            baseline=experiment.baseline,
            shares={arm.name: arm.weight for arm in experiment.arms},
            guardrails=experiment.guardrails,
            excluded=several,
        )
        rows += [_row(experiment.name, found, one, as_of) for one in found.comparisons]
    return rows


def exposed_units(
    exposures: pd.DataFrame, outcomes: pd.DataFrame, metrics: Sequence[str], *, window_days: int
) -> tuple[pd.DataFrame, int]:
    """One row per unit of one arm: its outcomes after its first exposure and within the window, summed; 0 where there are none."""
    alone, several = one_arm_each(exposures)
    first = alone.sort_values("occurred_at").drop_duplicates("unit")[["unit", "arm", "occurred_at"]]
    joined = first.merge(outcomes[["unit", "metric", "value", "occurred_at"]], on="unit", suffixes=("", "_outcome"))
    waited = joined["occurred_at_outcome"] - joined["occurred_at"]
    counted = joined[(waited >= pd.Timedelta(0)) & (waited < pd.Timedelta(days=window_days))]
    summed = counted.pivot_table(index="unit", columns="metric", values="value", aggfunc="sum", fill_value=0.0)
    units = first[["unit", "arm"]].merge(summed.reindex(columns=list(metrics), fill_value=0.0), on="unit", how="left")
    units[list(metrics)] = units[list(metrics)].fillna(0.0).astype(float)
    return units, several


def _row(experiment: str, found: ReadOut, one: ArmComparison, as_of: datetime) -> dict[str, Any]:
    answers = {
        "difference": one.difference,
        "relative": one.relative,
        "p_fixed": one.p_fixed,
        "p_adjusted": one.p_adjusted,
        "p_sequential": one.p_sequential,
        "interval_low": one.interval_sequential[0],
        "interval_high": one.interval_sequential[1],
        "probability_better": one.probability_better,
        "expected_loss": one.expected_loss,
    }
    return {
        "experiment": experiment,
        "metric": one.metric,
        "arm": one.arm,
        "baseline": one.baseline,
        "units": found.counts[one.arm],
        "baseline_units": found.counts[one.baseline],
        "excluded_units": found.excluded,
        "mean": found.arms[one.arm][one.metric].mean,
        "baseline_mean": found.arms[one.baseline][one.metric].mean,
        "srm_p": found.srm_p,
        "is_blocked": found.is_blocked,
        **{name: None if found.is_blocked or not math.isfinite(value) else value for name, value in answers.items()},
        "is_guardrail": one.is_guardrail,
        "is_harm": one.is_harm and not found.is_blocked,
        "computed_at": as_of,
    }
