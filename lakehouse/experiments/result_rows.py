"""gold.experiment_results from the decision log: first exposures, the outcomes that followed, the read-out. Pure."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from lakehouse.experiments.definitions import Experiment
from lakehouse.experiments.readout import ArmComparison, ReadOut, one_arm_each, read_out
from lakehouse.tables.contract import Table, optional, required, write_time

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
        readout = read_out(
            units,
            metrics,
            baseline=experiment.baseline,
            shares={arm.name: arm.weight for arm in experiment.arms},
            guardrails=experiment.guardrails,
            excluded=several,
        )
        rows += [_row(experiment.name, readout, comparison, as_of) for comparison in readout.comparisons]
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


def _row(experiment: str, readout: ReadOut, comparison: ArmComparison, as_of: datetime) -> dict[str, Any]:
    answers = {
        "difference": comparison.difference,
        "relative": comparison.relative,
        "p_fixed": comparison.p_fixed,
        "p_adjusted": comparison.p_adjusted,
        "p_sequential": comparison.p_sequential,
        "interval_low": comparison.interval_sequential[0],
        "interval_high": comparison.interval_sequential[1],
        "probability_better": comparison.probability_better,
        "expected_loss": comparison.expected_loss,
    }
    return {
        "experiment": experiment,
        "metric": comparison.metric,
        "arm": comparison.arm,
        "baseline": comparison.baseline,
        "units": readout.counts[comparison.arm],
        "baseline_units": readout.counts[comparison.baseline],
        "excluded_units": readout.excluded,
        "mean": _known(readout.arms[comparison.arm][comparison.metric].mean),
        "baseline_mean": _known(readout.arms[comparison.baseline][comparison.metric].mean),
        "srm_p": readout.srm_p,
        "is_blocked": readout.is_blocked,
        **{name: None if readout.is_blocked else _known(value) for name, value in answers.items()},
        "is_guardrail": comparison.is_guardrail,
        "is_harm": comparison.is_harm and not readout.is_blocked,
        "computed_at": as_of,
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


GOLD_EXPERIMENT_RESULTS = Table(
    name="gold.experiment_results",
    grain="one row per experiment, metric and arm other than the baseline",
    key=("experiment", "metric", "arm"),
    owner="batch/experiments.py",
    reads=("silver.decision_log",),
    columns=(
        required("experiment", "string", "name in conf/experiments.yaml"),
        required("metric", "string", "name of the outcome"),
        required("arm", "string", "arm compared"),
        required("baseline", "string", "arm it is compared with"),
        required("units", "bigint", "units exposed to the arm"),
        required("baseline_units", "bigint", "units exposed to the baseline"),
        required("excluded_units", "bigint", "units seen in more than one arm, left out"),
        optional(
            "mean",
            "double",
            "of the arm: outcome values per unit, within window_days of its first exposure; null = no unit was exposed to it",
        ),
        optional("baseline_mean", "double", "of the baseline; null = no unit was exposed to it"),
        required("srm_p", "double", "probability of arms as uneven as these by chance"),
        required("is_blocked", "boolean", "srm_p is below 0.001: assignment or logging is broken, the rest is null"),
        optional("difference", "double", "arm less baseline"),
        optional("relative", "double", "difference over the baseline's mean; null = that is 0"),
        optional("p_fixed", "double", "two-sided, to be looked at once"),
        optional("p_adjusted", "double", "p_fixed after Holm over the experiment's comparisons"),
        optional("p_sequential", "double", "always valid: may be looked at at any time"),
        optional("interval_low", "double", "always-valid 95 % interval of the difference"),
        optional("interval_high", "double", "always-valid 95 % interval of the difference"),
        optional("probability_better", "double", "Bayesian, flat prior"),
        optional("expected_loss", "double", "of choosing the arm, in the metric's unit"),
        required("is_guardrail", "boolean", "the metric is only held not to get worse"),
        required("is_harm", "boolean", "a guardrail that may be worse than its margin allows"),
        write_time("computed_at", "time of the run"),
    ),
)
