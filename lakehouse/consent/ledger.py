"""Rows of silver.consent from accepted events. Pure. Each statement is kept as it was said, also where it says again what was said before."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config.limits import PURPOSES
from lakehouse.tables.consent import DENIED, GRANTED, NO_PURPOSE, UNSAID

COLUMNS = ("actor_id", "message_id", "occurred_at", "consent", "consent_basis", "location", "is_bot")


def statements(events: DataFrame) -> DataFrame:
    """Rows of silver.events, COLUMNS of them -> rows of silver.consent. Programs say nothing of people."""
    said = events.where(F.col("consent").isNotNull() & ~F.col("is_bot"))
    jurisdiction = F.coalesce("consent_basis.jurisdiction", "location.region", "location.country")
    return said.select(
        "actor_id",
        "message_id",
        F.col("occurred_at").alias("said_at"),
        *(F.col(f"consent_basis.{name}").alias(name) for name in ("source", "text_version", "told_by")),
        jurisdiction.alias("jurisdiction"),
        F.inline(_words()),
    )


def _words() -> Column:
    """array<struct<purpose, status>> of one event."""
    own = [_word(F.lit(purpose), F.col(f"consent.{purpose}")) for purpose in PURPOSES]
    others = F.transform(
        F.coalesce("consent_basis.others", F.array().cast("array<struct<purpose:string,is_allowed:boolean>>")),
        lambda one: _word(one["purpose"], one["is_allowed"]),
    )
    named = F.filter(F.concat(F.array(*own), others), lambda one: one["status"].isNotNull())
    nothing = F.array(F.struct(F.lit(NO_PURPOSE).alias("purpose"), F.lit(UNSAID).alias("status")))
    return F.when(F.size(named) > 0, named).otherwise(nothing)


def _word(purpose: Column, is_allowed: Column) -> Column:
    return F.struct(purpose.alias("purpose"), F.when(is_allowed, GRANTED).when(~is_allowed, DENIED).alias("status"))
