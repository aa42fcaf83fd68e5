"""Tables -> what each exposed person did before and after, one row a person. Frames of frames; names come from contracts only.

Of a table with a time of its own the window is exact to the microsecond. Of silver.activity_daily, which has days, the day
of the exposure counts neither before nor after: part of it was before, and nobody can say which. A table of gold has the
present state: it is read as it is by now, and never as something before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.errors import ConfigError
from lakehouse.experiments.metrics import BEFORE, Judged, Metric
from lakehouse.profiles.silver import SILVER_ACTIVITY_DAILY, SILVER_ORDERS
from lakehouse.profiles.tables import GOLD
from lakehouse.tables.contract import Table
from lakehouse.tables.events import SILVER_EVENTS

_DAY = 86_400_000_000  # microseconds
_NUMERIC = ("int", "bigint", "double", "decimal", "boolean")


@dataclass(frozen=True, kw_only=True)
class MetricSource:
    """`person`: the column that names whose a row is, an actor or a profile. `time`: timestamp, or day; None = the present state."""

    table: Table
    person: str
    time: str | None = None

    @property
    def has_days(self) -> bool:
        return any(column.name == self.time and column.type == "date" for column in self.table.columns)


SOURCES: Mapping[str, MetricSource] = {
    source.table.name: source
    for source in (
        MetricSource(table=SILVER_ORDERS, person="actor_id", time="ordered_at"),
        MetricSource(table=SILVER_ACTIVITY_DAILY, person="actor_id", time="activity_date"),
        MetricSource(table=SILVER_EVENTS, person="actor_id", time="occurred_at"),
        *(MetricSource(table=table, person="profile_id") for table in GOLD if table.key == ("profile_id",)),
    )
}


def check_metrics(metrics: Iterable[Metric]) -> None:
    """Raises ConfigError for a table or column that is not there, or a sum of something that is no number."""
    for metric in metrics:
        if metric.table is None:
            continue
        if metric.table not in SOURCES:
            raise ConfigError(f"metric {metric.name}: table: got {metric.table}, expected one of {', '.join(SOURCES)}")
        types = {column.name: column.type for column in SOURCES[metric.table].table.columns}
        for column in [*([metric.column] if metric.column else []), *metric.where]:
            if column not in types:
                raise ConfigError(
                    f"metric {metric.name}: {metric.table} has no column '{column}', expected one of {', '.join(types)}"
                )
        if metric.column is not None and not types[metric.column].startswith(_NUMERIC):
            raise ConfigError(
                f"metric {metric.name}: column: got {metric.column} ({types[metric.column]}), expected a number"
            )


def per_person(
    exposed: DataFrame,
    tables: Mapping[str, DataFrame],
    identity_map: DataFrame,
    metrics: Sequence[Metric],
    *,
    covariates: Sequence[str],
    judged: Judged,
) -> DataFrame:
    """One row per person of `exposed` (unit, exposed_at): each metric after, and BEFORE + name each covariate before.

    `tables`: by name, of those that the metrics name. A person without rows has 0, of a quantile an empty array.
    """
    parts = []
    for name in sorted({metric.table for metric in metrics if metric.table is not None}):
        of_table = [metric for metric in metrics if metric.table == name]
        rows = _of_persons(SOURCES[name], tables[name], identity_map).join(exposed, on="unit")
        parts.append(rows.groupBy("unit").agg(*_columns(SOURCES[name], of_table, covariates, judged)))
    joined = reduce(lambda one, other: one.join(other, on="unit", how="left"), parts, exposed.drop("exposed_at"))
    numbers = [name for name, type_ in joined.dtypes if type_ == "double"]
    return joined.fillna(0.0, subset=numbers) if numbers else joined


def _of_persons(source: MetricSource, rows: DataFrame, identity_map: DataFrame) -> DataFrame:
    """`rows` with `unit`, the profile each belongs to by now."""
    if source.table is SILVER_EVENTS:
        rows = rows.where(~F.col("is_bot"))
    if source.person == "profile_id":
        return rows.withColumnRenamed("profile_id", "unit")
    of_actor = identity_map.select(F.col("actor_id").alias(source.person), F.col("profile_id").alias("unit"))
    return rows.join(of_actor, on=source.person)


def _columns(
    source: MetricSource, metrics: Sequence[Metric], covariates: Sequence[str], judged: Judged
) -> Sequence[Column]:
    after, before = _windows(source, judged)
    columns = [_aggregated(metric, after).alias(metric.name) for metric in metrics]
    return columns + [
        _aggregated(metric, before).alias(BEFORE + metric.name) for metric in metrics if metric.name in covariates
    ]


def _windows(source: MetricSource, judged: Judged) -> tuple[Column, Column]:
    """Whether a row lies in the time after the exposure that counts, and whether in that before."""
    if source.time is None:
        return F.lit(True), F.lit(False)
    if source.has_days:
        waited = F.date_diff(F.col(source.time), F.to_date("exposed_at"))
        return waited.between(1, judged.window_days), waited.between(-judged.before_days, -1)
    waited = F.unix_micros(source.time) - F.unix_micros("exposed_at")
    is_after = (waited >= 0) & (waited < judged.window_days * _DAY)
    return is_after, (waited < 0) & (waited >= -judged.before_days * _DAY)


def _aggregated(metric: Metric, is_counted: Column) -> Column:
    for column, wanted in metric.where.items():
        is_counted = is_counted & F.col(column).eqNullSafe(F.lit(wanted))
    if metric.column is None:
        count = F.count_if(is_counted)
        return (F.least(count, F.lit(1)) if metric.aggregate == "any" else count).cast("double")
    value = F.when(is_counted, F.col(metric.column).cast("double"))
    return F.collect_list(value) if metric.aggregate == "quantile" else F.coalesce(F.sum(value), F.lit(0.0))
