"""gold.experiment_results: who was exposed to which arm, what followed, the read-out. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from lakehouse.experiments.definitions import Experiment
from lakehouse.experiments.metrics import BEFORE, Metric
from lakehouse.experiments.readout import ArmComparison, ReadOut, read_out
from lakehouse.experiments.sticky import ArmsTold, arms_told
from lakehouse.tables.contract import Table, optional, required, write_time
from lakehouse.tables.people import Nobody

LOG = ["unit", "told_as", "kind", "experiment", "arm", "metric", "value", "decided_at", "occurred_at"]
"""Columns of the log as lakehouse/experiments/exposure_log.py gives it. told_as, decided_at: null = as unit, as occurred_at."""
NO_HISTORY = pd.DataFrame({"told_as": [], "profile_id": [], "valid_from": [], "valid_to": []})


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the tables say of an experiment's people. `units`: unit, and columns as `per_person` gives them; may have `segment`."""

    units: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"unit": pd.Series(dtype=str)}))
    declared: Mapping[str, Metric] = field(default_factory=dict)
    covariates: Sequence[str] = ()


def results(
    log: pd.DataFrame,
    experiments: Mapping[str, Experiment],
    told: Mapping[str, ArmsTold],
    *,
    as_of: datetime,
    measured: Mapping[str, Measured] | None = None,
) -> list[dict[str, Any]]:
    """Rows of gold.experiment_results. `log`: columns LOG. `told`: of `told_of`; experiments that are not in it give none."""
    rows: list[dict[str, Any]] = []
    for name, one in told.items():
        experiment = experiments[name]
        of_tables = (measured or {}).get(name, Measured())
        units = with_outcomes(one.first, log, experiment, of_tables)
        before = [BEFORE + covariate for covariate in of_tables.covariates]
        readout = read_out(
            units,
            experiment.asked,
            baseline=experiment.baseline,
            shares={arm.name: arm.weight for arm in experiment.arms},
            declared=of_tables.declared,
            primary=experiment.deciding,
            guardrails=experiment.guardrails,
            covariates=dict.fromkeys(experiment.asked, before),
            excluded=len(one.broken) + len(one.merged),
            broken=len(one.broken),
        )
        rows += [_row(name, readout, comparison, as_of) for comparison in readout.comparisons]
    return rows


def told_of(
    log: pd.DataFrame, experiments: Mapping[str, Experiment], history: pd.DataFrame = NO_HISTORY
) -> dict[str, ArmsTold]:
    """Experiment -> who was told which arm, by its trigger, while it was valid."""
    occurred_at = pd.to_datetime(log["occurred_at"], utc=True)
    log = log.assign(
        told_as=log["told_as"].fillna(log["unit"]),
        occurred_at=occurred_at,
        decided_at=pd.to_datetime(log["decided_at"], utc=True).fillna(occurred_at),
    )
    found: dict[str, ArmsTold] = {}
    for name, of_one in log[log["kind"] != "outcome"].groupby("experiment"):
        experiment = experiments.get(str(name))
        if experiment is None:
            continue
        kind = {"shown": "exposure", "decided": "decision"}[experiment.counts_from]
        told = of_one[of_one["kind"] == kind]
        if experiment.valid_from is not None:
            told = told[told["occurred_at"] >= experiment.valid_from]
        if len(told):
            found[str(name)] = arms_told(told, history)
    return found


def with_outcomes(first: pd.DataFrame, log: pd.DataFrame, experiment: Experiment, measured: Measured) -> pd.DataFrame:
    """One row per unit of `first`: what the tables say of it, and posted outcomes after its exposure, within the window, summed; 0 for none."""
    parts = [part for name in experiment.asked for part in _parts(measured.declared, name)]
    posted = list(dict.fromkeys(part for part in parts if part not in measured.units))
    outcomes = log.loc[log["kind"] == "outcome", ["unit", "metric", "value", "occurred_at"]]
    outcomes = outcomes.assign(occurred_at=pd.to_datetime(outcomes["occurred_at"], utc=True))
    joined = first.merge(outcomes, on="unit", suffixes=("", "_outcome"))
    waited = joined["occurred_at_outcome"] - joined["occurred_at"]
    counted = joined[(waited >= pd.Timedelta(0)) & (waited < pd.Timedelta(days=experiment.window_days))]
    summed = counted.pivot_table(index="unit", columns="metric", values="value", aggfunc="sum", fill_value=0.0)
    units = first[["unit", "arm"]].merge(summed.reindex(columns=posted, fill_value=0.0), on="unit", how="left")
    units[posted] = units[posted].fillna(0.0).astype(float)
    return units.merge(measured.units, on="unit", how="left")


def _parts(declared: Mapping[str, Metric], name: str) -> tuple[str, ...]:
    return declared[name].parts if name in declared else (name,)


def _row(experiment: str, readout: ReadOut, comparison: ArmComparison, as_of: datetime) -> dict[str, Any]:
    answers = {
        "difference": comparison.difference,
        "relative": comparison.relative,
        "p_fixed": comparison.p_fixed,
        "p_adjusted": comparison.p_adjusted,
        "p_sequential": comparison.p_sequential,
        "p_sequential_adjusted": comparison.p_sequential_adjusted,
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
        "blocked_because": "; ".join(readout.blocked_because) or None,
        "role": comparison.role,
        "guardrail": None if readout.is_blocked else comparison.guardrail,
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
    people=Nobody("of arms of experiments, made anew by each run"),
    key=("experiment", "metric", "arm"),
    owner="batch/experiments.py",
    reads=(
        "silver.decision_log",
        "silver.identity_edges",
        "silver.identity_map",
        "silver.identity_history",
        "silver.orders",
        "silver.activity_daily",
        "silver.events",
        "gold.rfm",
        "gold.scores",
        "gold.segments",
        "gold.activation",
    ),
    columns=(
        required("experiment", "string", "name in conf/experiments.yaml"),
        required("metric", "string", "declared in conf/experiments.yaml, or a posted outcome"),
        required("arm", "string", "arm compared"),
        required("baseline", "string", "arm it is compared with"),
        required("units", "bigint", "people exposed to the arm"),
        required("baseline_units", "bigint", "people exposed to the baseline"),
        required("excluded_units", "bigint", "people seen in more than one arm, left out"),
        optional(
            "mean",
            "double",
            "of the arm: value per person, quotient or quantile, within window_days of the first exposure; null = not known, as where nobody was exposed",
        ),
        optional("baseline_mean", "double", "of the baseline; null = not known"),
        required("srm_p", "double", "probability of arms as uneven as these by chance"),
        required("is_blocked", "boolean", "assignment or logging is broken: what follows is null"),
        optional("blocked_because", "string", "what says so, in words; null = not blocked"),
        optional("role", "string", "primary, secondary or guardrail; null = written before there were roles"),
        optional("guardrail", "string", "harm, no_harm or unclear, by the always-valid interval; null = it is none"),
        optional("difference", "double", "arm less baseline"),
        optional("relative", "double", "difference over the baseline's mean; null = that is 0"),
        optional("p_fixed", "double", "two-sided, to be looked at once"),
        optional("p_adjusted", "double", "p_fixed after Holm over the comparisons of the role"),
        optional("p_sequential", "double", "always valid: may be looked at at any time"),
        optional("p_sequential_adjusted", "double", "p_sequential after Holm over the comparisons of the role"),
        optional("interval_low", "double", "always-valid 95 % interval of the difference"),
        optional("interval_high", "double", "always-valid 95 % interval of the difference"),
        optional("probability_better", "double", "Bayesian, flat prior"),
        optional("expected_loss", "double", "of choosing the arm, in the metric's unit"),
        required("is_guardrail", "boolean", "the metric is only held not to get worse"),
        required("is_harm", "boolean", "a guardrail shown to be worse than its margin allows"),
        write_time("computed_at", "time of the run"),
    ),
)
