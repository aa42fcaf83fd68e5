"""The experiments of a lake, read out: its decision log, and what its tables say of the people in it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.experiments.balance import SEGMENT
from lakehouse.experiments.definitions import Experiment, Experiments
from lakehouse.experiments.estimates import winsorised
from lakehouse.experiments.exposure_log import exposure_log, history_of, names_of_several
from lakehouse.experiments.metric_sources import SOURCES, per_person
from lakehouse.experiments.metrics import BEFORE, Judged, Metric
from lakehouse.experiments.new_policies import COLUMNS
from lakehouse.experiments.persons import by_person
from lakehouse.experiments.result_rows import Measured, results, told_of
from lakehouse.experiments.sticky import ArmsTold
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold import GOLD_SEGMENTS
from lakehouse.tables.contract import Table
from lakehouse.tables.decisions import SILVER_DECISION_LOG
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_MAP


def results_of(lake: Lake, experiments: Experiments, *, as_of: datetime) -> list[dict[str, Any]]:
    """Rows of gold.experiment_results. `experiments`: see `check_metrics`."""
    asked = experiments.read_out
    log, told = told_log(lake.read, asked)
    measured = {
        name: with_segment(lake, measure(lake, one.first, asked[name], experiments), one.first)
        for name, one in told.items()
    }
    return results(log, asked, told, as_of=as_of, measured=measured)


def told_log(
    read: Callable[[Table], DataFrame], asked: Mapping[str, Experiment]
) -> tuple[pd.DataFrame, dict[str, ArmsTold]]:
    """The decision log by person, columns LOG, and who was told which arm of the experiments asked for. `read`: a table of the lake."""
    edges, people = read(SILVER_IDENTITY_EDGES), read(SILVER_IDENTITY_MAP)
    since = {name: one.valid_from for name, one in asked.items() if one.valid_from is not None}
    logged = exposure_log(read(SILVER_DECISION_LOG), edges, people, since=since).persist()
    try:
        history = history_of(names_of_several(logged), edges, read(SILVER_IDENTITY_HISTORY)).toPandas()
        log = logged.toPandas()
    finally:
        logged.unpersist()
    return log, told_of(log, asked, history)


def decisions_by_person(read: Callable[[Table], DataFrame]) -> DataFrame:
    """Decisions and outcomes of the log, columns of `weighable`, each of the person as they are known now."""
    log = read(SILVER_DECISION_LOG).where("kind <> 'exposure'").select(*COLUMNS)
    return by_person(log, read(SILVER_IDENTITY_EDGES), read(SILVER_IDENTITY_MAP))


def measure(lake: Lake, first: pd.DataFrame, judged: Judged, experiments: Experiments) -> Measured:
    """What the tables say of the people of `first` (unit, occurred_at): the declared metrics among those asked for, and covariates."""
    covariates = experiments.covariates_of(judged)
    declared = _with_parts([*judged.asked, *covariates], experiments.metrics)
    of_tables = [metric for metric in declared.values() if metric.table is not None]
    if not of_tables:
        return Measured(declared=declared)
    tables = {str(metric.table): lake.read(SOURCES[str(metric.table)].table) for metric in of_tables}
    units = per_person(
        _frame(lake, first),
        tables,
        lake.read(SILVER_IDENTITY_MAP),
        of_tables,
        covariates=covariates,
        judged=judged,
    ).toPandas()
    for metric in of_tables:
        if metric.quantile is not None:
            units[metric.name] = [[] if rows is None else rows for rows in units[metric.name]]
        if metric.winsorise is not None and metric.name in covariates:  # as the metric itself is when it is read out
            before = BEFORE + metric.name
            units[before] = winsorised(units[before].to_numpy(dtype="float64"), metric.winsorise)
    return Measured(units=units, declared=declared, covariates=covariates)


def _with_parts(names: list[str], metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """The declared ones among the names, and what these are made of."""
    parts = [part for name in names if name in metrics for part in metrics[name].parts]
    return {name: metrics[name] for name in dict.fromkeys([*names, *parts]) if name in metrics}


def with_segment(lake: Lake, measured: Measured, first: pd.DataFrame) -> Measured:
    """With the segment each person was in when they were exposed, as gold.segments knew it; None = in none yet."""
    segments = lake.read(GOLD_SEGMENTS).withColumnRenamed("profile_id", "unit")
    then = (F.col("valid_from") <= F.col("exposed_at")) & (
        F.col("valid_to").isNull() | (F.col("valid_to") > F.col("exposed_at"))
    )
    found = _frame(lake, first).join(segments, on="unit").where(then).select("unit", F.col("segment").alias(SEGMENT))
    units = measured.units if len(measured.units) else first[["unit"]]
    return Measured(
        units=units.merge(found.toPandas().drop_duplicates("unit"), on="unit", how="left"),
        declared=measured.declared,
        covariates=measured.covariates,
    )


def _frame(lake: Lake, first: pd.DataFrame) -> DataFrame:
    """unit, exposed_at."""
    schema = pa.schema([("unit", pa.string()), ("exposed_at", pa.timestamp("us", tz="UTC"))])
    renamed = first.rename(columns={"occurred_at": "exposed_at"})
    return lake.frame(pa.Table.from_pandas(renamed, schema=schema, preserve_index=False))
