"""silver.personal_traits: the latest value of every trait an actor was identified with. Raw personal data."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.contracts.profiles import SILVER_PERSONAL_TRAITS
from lakehouse.io import Lake


def personal_traits(leaves: DataFrame) -> DataFrame:
    """Leaf rows -> one row per actor and trait; the latest value wins, at the same instant the greater one."""
    sent = leaves.select("actor_id", F.explode("traits").alias("fact"))
    values = sent.select(
        "actor_id",
        F.col("fact.occurred_at").alias("seen_at"),
        F.explode("fact.traits").alias("trait", "value"),
    )
    latest = F.max(F.struct("seen_at", "value"))
    return (
        values.where(F.col("value").isNotNull())
        .groupBy("actor_id", "trait")
        .agg(latest.alias("latest"))
        .select("actor_id", "trait", "latest.value", "latest.seen_at")
    )


def merge_traits(lake: Lake, new: DataFrame) -> None:
    """Set what is newer by the same rule, so that order of arrival does not matter."""
    newer = "new.seen_at > stored.seen_at OR (new.seen_at = stored.seen_at AND new.value > stored.value)"
    lake.upsert(new, SILVER_PERSONAL_TRAITS, update_when=newer)
