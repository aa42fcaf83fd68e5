"""The four gold tables, cut from the wide rows of the touched profiles (lakehouse/profiles/gold/wide.py)."""

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake, differs
from lakehouse.tables.gold import GOLD_ACTIVATION, GOLD_RFM, GOLD_SCORES, GOLD_SEGMENTS


def write_activation(lake: Lake, rows: DataFrame) -> None:
    changed = differs(name for name in GOLD_ACTIVATION.column_names if name not in ("profile_id", "updated_at"))
    lake.upsert(rows, GOLD_ACTIVATION, update_when=changed, deletes=True)


def write_rfm(lake: Lake, rows: DataFrame) -> None:
    changed = differs(name for name in GOLD_RFM.column_names if name not in ("profile_id", "computed_at"))
    without = rows.withColumn("is_deleted", F.col("is_deleted") | ~F.col("has_orders"))
    lake.upsert(without, GOLD_RFM, update_when=changed, deletes=True)


def write_scores(lake: Lake, rows: DataFrame) -> None:
    """Nothing while no model is champion: the table then holds no row."""
    scored = rows.where(F.col("is_deleted") | F.col("score_model_version").isNotNull())
    lake.upsert(scored.withColumnRenamed("score_model_version", "model_version"), GOLD_SCORES, deletes=True)


def write_segments(lake: Lake, rows: DataFrame, now: datetime) -> None:
    """Close what no longer holds, open what now does: one row per profile is open at any time."""
    lake.upsert(segment_changes(lake.read(GOLD_SEGMENTS), rows, now), GOLD_SEGMENTS)


def segment_changes(stored: DataFrame, rows: DataFrame, now: datetime) -> DataFrame:
    """Rows of gold.segments to set: the closed validity and the opened one of every profile that changed segment.

    A new model version that keeps the segment's name closes and opens too: who said it is part of the answer.
    """
    current = stored.where(F.col("valid_to").isNull()).select(
        "profile_id",
        F.col("segment").alias("old_segment"),
        F.col("model_version").alias("old_version"),
        "valid_from",
    )
    said = rows.select("profile_id", "segment", F.col("segment_model_version").alias("model_version"))
    joined = said.join(current, on="profile_id", how="left")
    same = F.col("segment").eqNullSafe(F.col("old_segment")) & F.col("model_version").eqNullSafe(F.col("old_version"))
    changed = joined.where(~same)
    closed = F.struct(
        F.col("old_segment").alias("segment"),
        F.col("old_version").alias("model_version"),
        "valid_from",
        F.lit(now).alias("valid_to"),
    )
    opened = F.struct(
        "segment", "model_version", F.lit(now).alias("valid_from"), F.lit(None).cast("timestamp").alias("valid_to")
    )
    both = F.array_compact(
        F.array(F.when(F.col("old_segment").isNotNull(), closed), F.when(F.col("segment").isNotNull(), opened))
    )
    return changed.select("profile_id", F.explode(both).alias("row")).select("profile_id", "row.*")


def models_applied(lake: Lake) -> tuple[str | None, str | None]:
    """Versions of the segments and scores models that gold holds; None where it holds none or more than one."""
    open_segments = lake.read(GOLD_SEGMENTS).where(F.col("valid_to").isNull())
    return _only_version(open_segments), _only_version(lake.read(GOLD_SCORES))


def _only_version(rows: DataFrame) -> str | None:
    versions = rows.select("model_version").distinct().limit(2).collect()  # at most two rows
    return versions[0][0] if len(versions) == 1 else None
