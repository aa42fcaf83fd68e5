"""The tables of facts.py: what records tell, folded to one row per product and per experiment. The order of records does not matter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.tables.contract import Table
from lakehouse.tables.facts import SILVER_EXPERIMENT_STARTS, SILVER_PRODUCT_AVAILABILITY

_WRITTEN = (
    "product_id string, is_available boolean, experiment string, fingerprint string, layer string, buckets array<int>, "
    "salt string, arms array<struct<name:string,weight:double>>, at_ms bigint"
)


def availability(facts: DataFrame) -> DataFrame:
    """`fact` of records -> rows of silver.product_availability: of each product the latest word."""
    at = F.timestamp_millis("at_ms").alias("stated_at")
    told = _read(facts).where(F.col("product_id").isNotNull())
    latest = F.max(F.struct(at, (~F.col("is_available")).alias("is_gone"))).alias("latest")
    rows = told.groupBy("product_id").agg(latest)
    return rows.select("product_id", (~F.col("latest.is_gone")).alias("is_available"), "latest.stated_at")


def starts(facts: DataFrame) -> DataFrame:
    """`fact` of records -> rows of silver.experiment_starts: of each experiment the first start."""
    at = F.timestamp_millis("at_ms").alias("started_at")
    told = _read(facts).where(F.col("experiment").isNotNull())
    first = F.min(F.struct(at, "fingerprint", "layer", "buckets", "salt", "arms")).alias("start")
    return told.groupBy("experiment").agg(first).select("experiment", "start.*")


def _read(facts: DataFrame) -> DataFrame:
    return facts.select(F.from_json("fact", _WRITTEN).alias("told")).select("told.*")


@dataclass(frozen=True, kw_only=True)
class Fold:
    """rows: of a table, from the column `fact`. update_when: what is true of a row that takes the place of the stored one. time: the column that says when it
    was told. first_holds: the order in which of several rows of one key the first is the one that holds.
    """

    rows: Callable[[DataFrame], DataFrame]
    update_when: str
    time: str
    first_holds: Callable[[], tuple[Column, ...]]


FACT_TABLES: Mapping[Table, Fold] = {
    SILVER_PRODUCT_AVAILABILITY: Fold(
        rows=availability,
        update_when="new.stated_at > stored.stated_at "
        "OR (new.stated_at = stored.stated_at AND stored.is_available AND NOT new.is_available)",
        time="stated_at",
        first_holds=lambda: (F.desc("stated_at"), F.asc("is_available")),
    ),
    SILVER_EXPERIMENT_STARTS: Fold(
        rows=starts,
        update_when="new.started_at < stored.started_at "
        "OR (new.started_at = stored.started_at AND new.fingerprint < stored.fingerprint)",
        time="started_at",
        first_holds=lambda: (F.asc("started_at"), F.asc("fingerprint")),
    ),
}
