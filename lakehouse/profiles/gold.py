"""Wide rows, one per touched profile, and the four gold tables that are cut from them."""

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config import NextBestActionConfig
from lakehouse.contracts.contract import MONEY
from lakehouse.contracts.gold import GOLD_ACTIVATION, GOLD_RFM, GOLD_SCORES, GOLD_SEGMENTS
from lakehouse.io import Lake, differs

_SEGMENT_COLUMNS = "r_score int, f_score int, m_score int, segment string, segment_model_version string"
_SCORE_COLUMNS = "purchase_propensity double, churn_risk double, clv double, score_model_version string"


def wide(
    touched: DataFrame,
    summary: DataFrame,
    rfm: DataFrame,
    segments: DataFrame | None,
    scores: DataFrame | None,
    *,
    policy: NextBestActionConfig,
    now: datetime,
) -> DataFrame:
    """One row per touched profile (profile_id, as_of) with all that gold tells of it.

    `is_deleted` marks a profile no actor belongs to any more. `segments` and `scores` are None while no model is
    champion; their columns are null then. Columns are those of gold.activation, and `first_order_at`.
    """
    segmented = rfm if segments is None else segments.withColumnRenamed("model_version", "segment_model_version")
    joined = touched.join(summary, on="profile_id", how="left").join(segmented, on="profile_id", how="left")
    if scores is not None:
        scored = scores.drop("as_of").withColumnRenamed("model_version", "score_model_version")
        joined = joined.join(scored, on="profile_id", how="left")
    rows = _with_nulls(joined, f"{_SEGMENT_COLUMNS}, {_SCORE_COLUMNS}")
    filled = rows.withColumns(
        {
            "is_deleted": F.col("first_seen_at").isNull(),
            "has_orders": F.col("frequency").isNotNull(),
            "frequency": F.coalesce("frequency", F.lit(0)),
            "monetary": F.coalesce("monetary", F.lit(0)).cast(MONEY),
            "consent_analytics": F.col("consent.analytics"),
            "consent_personalization": F.col("consent.personalization"),
            "consent_marketing": F.col("consent.marketing"),
            "updated_at": F.lit(now),
            "computed_at": F.lit(now),
        }
    )
    return filled.withColumn("next_best_action", next_best_action(policy))


def next_best_action(policy: NextBestActionConfig) -> Column:
    """The one rule for what to do next, until the decision service chooses.

    In order: marketing denied -> none; never ordered -> first_order_offer if a product is in the cart, else welcome;
    no order for `lapsed_days` before as_of -> win_back; propensity from `likely_propensity` -> recommend; else nurture.
    """
    lapsed = F.col("last_order_at") < F.col("as_of") - F.expr(f"INTERVAL {policy.lapsed_days:d} DAYS")
    return (
        F.when(~F.coalesce("consent_marketing", F.lit(True)), "none")
        .when((F.col("frequency") == 0) & (F.col("cart_count") > 0), "first_order_offer")
        .when(F.col("frequency") == 0, "welcome")
        .when(lapsed, "win_back")
        .when(F.coalesce("purchase_propensity", F.lit(0.0)) >= policy.likely_propensity, "recommend")
        .otherwise("nurture")
    )


def _with_nulls(frame: DataFrame, ddl: str) -> DataFrame:
    wanted = (part.split() for part in ddl.split(", "))
    return frame.withColumns({n: F.lit(None).cast(t) for n, t in wanted if n not in frame.columns})


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
