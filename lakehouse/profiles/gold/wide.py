"""Wide rows: one per touched profile, with all that gold tells of it. The gold tables are cut from them."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config import ConsentConfig, NextBestActionConfig
from lakehouse.features.point_in_time import features
from lakehouse.models.registry import Champions
from lakehouse.profiles import rollup
from lakehouse.tables.contract import MONEY

_SEGMENT_COLUMNS = "r_score int, f_score int, m_score int, segment string, segment_model_version string"
_SCORE_COLUMNS = "purchase_propensity double, churn_risk double, clv double, score_model_version string"


def wide_rows(
    touched: DataFrame,
    members: DataFrame,
    *,
    activity: DataFrame,
    orders: DataFrame,
    champions: Champions,
    policy: NextBestActionConfig,
    consent: ConsentConfig,
    with_purchases: bool = False,
) -> DataFrame:
    """Roll the leaf tables up to the touched profiles and let the champions speak of them.

    `touched`: profile_id, as_of, updated_at. `members`: actor_id and profile_id of all their actors. `with_purchases`: also
    the column of rollup.purchases.
    """
    daily = rollup.profile_activity(activity, members)
    bought = rollup.profile_orders(orders, members)
    rfm = rollup.rfm(bought)
    segments = champions.segments.assign(rfm) if champions.segments else None
    scores = champions.scores.score(features(daily, bought, touched)) if champions.scores else None
    rows = _wide(touched, rollup.summary(daily), rfm, segments, scores, policy=policy, consent=consent)
    return rows.join(rollup.purchases(bought), on="profile_id", how="left") if with_purchases else rows


def _wide(
    touched: DataFrame,
    summary: DataFrame,
    rfm: DataFrame,
    segments: DataFrame | None,
    scores: DataFrame | None,
    *,
    policy: NextBestActionConfig,
    consent: ConsentConfig,
) -> DataFrame:
    """One row per touched profile (profile_id, as_of, updated_at) with all that gold tells of it.

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
            "computed_at": F.col("updated_at"),
        }
    )
    return filled.withColumn("next_best_action", next_best_action(policy, consent))


def next_best_action(policy: NextBestActionConfig, consent: ConsentConfig) -> Column:
    """What to do next, by rule, for whoever reads gold; the decision service chooses among offers instead.

    In order: marketing denied -> none; never ordered -> first_order_offer if a product is in the cart, else welcome;
    no order for `lapsed_days` before as_of -> win_back; propensity from `likely_propensity` -> recommend; else nurture.
    """
    lapsed = F.col("last_order_at") < F.col("as_of") - F.expr(f"INTERVAL {policy.lapsed_days:d} DAYS")
    return (
        F.when(~F.coalesce("consent_marketing", F.lit(consent.assumed)), "none")
        .when((F.col("frequency") == 0) & (F.col("cart_count") > 0), "first_order_offer")
        .when(F.col("frequency") == 0, "welcome")
        .when(lapsed, "win_back")
        .when(F.coalesce("purchase_propensity", F.lit(0.0)) >= policy.likely_propensity, "recommend")
        .otherwise("nurture")
    )


def _with_nulls(frame: DataFrame, ddl: str) -> DataFrame:
    wanted = (part.split() for part in ddl.split(", "))
    return frame.withColumns({n: F.lit(None).cast(t) for n, t in wanted if n not in frame.columns})
