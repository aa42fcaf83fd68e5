"""What the tables of profiles must hold, computed from silver.events in one batch: the stream's oracle and repair kit.

Personal traits are not in silver by design, so they are parsed from bronze again, for the records silver accepted.
"""

from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.events.parse import parse
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import Champions
from lakehouse.profiles.gold.wide import wide_rows
from lakehouse.profiles.silver.activity_daily import EVENT_COLUMNS, activity_daily, leaf, with_day
from lakehouse.profiles.silver.orders import orders
from lakehouse.profiles.silver.personal_traits import personal_traits
from lakehouse.profiles.stitching.graph_facts import actors
from lakehouse.profiles.stitching.rebuilt_identity import rebuilt_identity
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS
from lakehouse.tables.gold import GOLD_ACTIVATION, GOLD_RFM, GOLD_SCORES, GOLD_SEGMENTS
from lakehouse.tables.silver import SILVER_ACTIVITY_DAILY, SILVER_IDENTITY_MAP, SILVER_ORDERS, SILVER_PERSONAL_TRAITS


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """Rebuilt silver tables of profiles, by contract, and the wide rows gold is cut from."""

    silver: dict[Table, DataFrame]
    rows: DataFrame


def bronze_records(lake: Lake) -> DataFrame:
    """bronze.events with the column names of a Kafka source."""
    return lake.read(BRONZE_EVENTS).withColumnRenamed("kafka_timestamp", "timestamp")


def rebuilt_leaves(lake: Lake) -> DataFrame:
    """silver.events (without bots) and the traits of bronze -> leaf rows."""
    lineage = list(BRONZE_EVENTS.key)
    events = lake.read(SILVER_EVENTS).where(~F.col("is_bot")).select(*EVENT_COLUMNS, *lineage)
    parsed = parse(bronze_records(lake), lake.config)
    traits = parsed.where(F.col("traits").isNotNull()).select(*lineage, "traits")
    return leaf(with_day(events.join(traits, on=lineage, how="left")), rates=lake.config.money.rates)


def rebuild(lake: Lake, champions: Champions, *, now: datetime, keep_as_of: bool) -> Rebuilt:
    """Compute every table of profiles from silver.

    `keep_as_of`: take each stored profile's features at the time its stored row was scored, so that a comparison sees
    differences of content, not of the clock. Collects the whole identity graph to the driver.
    """
    leaves = rebuilt_leaves(lake).persist()
    of_actors = actors(leaves).persist()
    silver = {
        SILVER_ACTIVITY_DAILY: activity_daily(leaves),
        SILVER_ORDERS: orders(leaves),
        SILVER_PERSONAL_TRAITS: personal_traits(leaves),
    }
    silver |= rebuilt_identity(lake, of_actors, silver[SILVER_PERSONAL_TRAITS], champions.matcher, now=now)
    identity_map = silver[SILVER_IDENTITY_MAP]
    newest = leaves.agg(F.max("last_at")).first()
    as_of = F.lit(newest[0] if newest else None).cast("timestamp")
    touched = identity_map.select("profile_id").distinct().withColumn("as_of", as_of)
    if keep_as_of:
        stored = lake.read(GOLD_ACTIVATION).select("profile_id", F.col("as_of").alias("stored_as_of"))
        touched = touched.join(stored, on="profile_id", how="left").select(
            "profile_id", F.coalesce("stored_as_of", "as_of").alias("as_of")
        )
    touched = touched.withColumn("updated_at", F.lit(now))
    rows = wide_rows(
        touched,
        identity_map.select("actor_id", "profile_id"),
        activity=silver[SILVER_ACTIVITY_DAILY],
        orders=silver[SILVER_ORDERS],
        champions=champions,
        policy=lake.config.next_best_action,
        consent=lake.config.consent,
    )
    return Rebuilt(silver=silver, rows=rows)


def rebuilt_gold(rebuilt: Rebuilt) -> dict[Table, DataFrame]:
    """The gold tables cut from the rebuilt wide rows; gold.segments as it stands now, its history left out."""
    rows = rebuilt.rows
    return {
        GOLD_RFM: rows.where("has_orders"),
        GOLD_SEGMENTS: rows.where(F.col("segment").isNotNull()).withColumnRenamed(
            "segment_model_version", "model_version"
        ),
        GOLD_SCORES: rows.where(F.col("score_model_version").isNotNull()).withColumnRenamed(
            "score_model_version", "model_version"
        ),
        GOLD_ACTIVATION: rows,
    }
