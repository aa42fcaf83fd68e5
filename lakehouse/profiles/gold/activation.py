"""gold.activation: one profile in one row, for BI, exports, rules and the online store.

What of it the online profile holds and what rules may read is said at the columns, and nowhere else.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.config.limits import PURPOSES
from lakehouse.consent.defaults import Defaults
from lakehouse.consent.rulings import RULED
from lakehouse.features.point_in_time import quarter_after
from lakehouse.profiles import rollup
from lakehouse.profiles.declaration import ProfileTable
from lakehouse.profiles.declared_scores import SCORES
from lakehouse.profiles.gold.rfm import QUINTILES
from lakehouse.tables.contract import MONEY, SAID_LAST, optional, required, write_time
from lakehouse.tables.expectation import Expectation, unique


def transform(
    silver_identity_map: DataFrame,
    silver_activity_daily: DataFrame,
    gold_rfm: DataFrame,
    gold_segments: DataFrame,
    gold_scores: DataFrame,
    *,
    profiles: DataFrame,
    rulings: DataFrame,
    config: Config,
) -> DataFrame:
    activity = rollup.profile_activity(silver_activity_daily, silver_identity_map)
    purchased = gold_rfm.select(
        "profile_id", "last_order_at", "frequency", "monetary", *QUINTILES, F.col("due_at").alias("quintiles_due_at")
    )
    segmented = gold_segments.select(
        "profile_id",
        "segment",
        F.col("model_version").alias("segment_model_version"),
        F.col("due_at").alias("segment_due_at"),
    )
    scored = gold_scores.drop(
        "as_of", *(score.reasons_column for score in SCORES if score.reasons_column)
    ).withColumnsRenamed({"model_version": "score_model_version", "due_at": "scores_due_at"})
    joined = rollup.summary(activity).join(profiles, on="profile_id", how="inner")
    for known in (purchased, segmented, scored, rulings):
        joined = joined.join(known, on="profile_id", how="left")
    filled = joined.withColumns(
        {
            "frequency": F.coalesce("frequency", F.lit(0)),
            "monetary": F.coalesce("monetary", F.lit(0)).cast(MONEY),
            **{f"consent_{purpose}": _word(purpose) for purpose in PURPOSES},
            "consent_said_at": F.greatest(
                "answered_at", *(f"said_of_{purpose}.at" for purpose in PURPOSES), _last(F.col("also_said"))
            ),
            "consent_said": said_last(),
            **other_purposes(tuple(purpose for purpose in config.consent.purposes if purpose not in PURPOSES)),
        }
    )
    lapses = quarter_after(f"last_order_at + {_until_lapsed(config)} + INTERVAL 1 MICROSECOND")
    is_ahead = f"last_order_at + {_until_lapsed(config)} >= as_of"
    return filled.withColumns(
        {
            "next_best_action": next_best_action(config),
            "due_at": F.least(
                *(f"{name}_due_at" for name in ("scores", "quintiles", "segment")),
                F.expr(f"CASE WHEN {is_ahead} THEN {lapses} END"),
            ),
        }
    )


def _until_lapsed(config: Config) -> str:
    return f"INTERVAL {config.next_best_action.lapsed_days:d} DAYS"


def _word(purpose: str) -> Column:
    """What holds of what was said of the purpose; who answered, and said nothing of it, was asked and did not allow it."""
    if purpose in PURPOSES:
        said = F.col(f"said_of_{purpose}.is_allowed")
    else:
        said = F.get(F.filter("also_said", lambda one: one["purpose"] == F.lit(purpose)), F.lit(0))["is_allowed"]
    was_asked = F.when(F.col("answered_at").isNotNull(), F.lit(False))
    return F.coalesce(F.try_element_at(RULED, F.lit(purpose)), said, was_asked)


def _last(words: Column) -> Column:
    """When the last of some words was said."""
    return F.array_max(F.transform(words, lambda one: one["at"]))


def said_last() -> Column:
    """When each purpose was spoken of last, whoever of the profile did; null where nobody was asked."""
    own = [
        F.when(
            F.col(f"said_of_{purpose}").isNotNull(), F.struct(F.lit(purpose).alias("purpose"), f"said_of_{purpose}.at")
        )
        for purpose in PURPOSES
    ]
    others = F.transform("also_said", lambda one: F.struct(one["purpose"].alias("purpose"), one["at"].alias("at")))
    said = F.concat(F.array_compact(F.array(*own)), F.coalesce(others, F.array().cast(SAID_LAST)))
    return F.when(F.col("answered_at").isNotNull() | (F.size(said) > 0), F.array_sort(said))


def other_purposes(purposes: Sequence[str]) -> dict[str, Column]:
    """The purposes without a column of their own that hold as allowed, and as refused, in order; null = none."""
    said = [(purpose, _word(purpose)) for purpose in sorted(purposes)]

    def named(is_allowed: bool) -> Column:
        names = [F.when(word == F.lit(is_allowed), F.lit(purpose)) for purpose, word in said]
        found = F.array_compact(F.array(*names).cast("array<string>"))
        return F.when(F.size(found) > 0, found)

    return {"also_allowed": named(True), "also_refused": named(False)}


def word_in_row(purpose: str) -> Column:
    """What a row says of a purpose; null = nothing was said of it."""
    if purpose in PURPOSES:
        return F.col(f"consent_{purpose}")
    refused, allowed = (F.array_contains(f"also_{name}", purpose) for name in ("refused", "allowed"))
    return F.when(refused, F.lit(False)).when(allowed, F.lit(True))


def next_best_action(config: Config) -> Column:
    """What to do next, by rule, for whoever reads gold; the decision service chooses among offers instead.

    In order: suppressed, or marketing denied -> none; never ordered -> first_order_offer if a product is in the cart, else welcome;
    no order for `lapsed_days` before as_of -> win_back; propensity from `likely_propensity` -> recommend; else nurture.
    """
    rule, consent = config.next_best_action, config.consent
    lapsed = F.col("last_order_at") < F.col("as_of") - F.expr(_until_lapsed(config))
    return (
        F.when(F.coalesce("is_suppressed", F.lit(False)), "none")
        .when(
            ~F.coalesce("consent_marketing", Defaults.of(consent).column("marketing", F.col("jurisdictions"))), "none"
        )
        .when((F.col("frequency") == 0) & (F.col("cart_count") > 0), "first_order_offer")
        .when(F.col("frequency") == 0, "welcome")
        .when(lapsed, "win_back")
        .when(F.coalesce("purchase_propensity", F.lit(0.0)) >= rule.likely_propensity, "recommend")
        .otherwise("nurture")
    )


GOLD_ACTIVATION = ProfileTable(
    name="gold.activation",
    grain="one row per profile",
    key=("profile_id",),
    transform=transform,
    has_change_feed=True,
    columns=(
        required("profile_id", "string", "profile"),
        required("user_ids", "array<string>", "user ids of the profile, sorted; empty = anonymous"),
        required("first_seen_at", "timestamp", "earliest event", term="profile"),
        required("last_seen_at", "timestamp", "latest event", term="profile"),
        required("event_count", "bigint", "events of any kind", term="profile"),
        required("view_count", "bigint", "Product Viewed events", term="profile"),
        required("cart_count", "bigint", "Product Added events", term="profile"),
        optional("last_order_at", "timestamp", "latest order; null = never ordered", term="profile"),
        required("frequency", "bigint", "distinct orders; 0 = never ordered", term="profile"),
        required("monetary", MONEY, "net revenue, default_currency; 0 = never ordered", term="profile"),
        optional("r_score", "int", "quintile of the days since last_order_at, 5 = latest", term="profile"),
        optional("f_score", "int", "quintile of frequency, 5 = most", term="profile"),
        optional("m_score", "int", "quintile of monetary, 5 = most", term="profile"),
        optional(
            "segment",
            "string",
            "current segment; null = no model yet, or one that says nothing of who has not ordered",
            term="segment",
        ),
        optional("segment_model_version", "string", "version that chose the segment", is_online=True),
        *(column for score in SCORES for column in score.columns),
        optional("score_model_version", "string", "version that made the scores, as gold.scores", is_online=True),
        required(
            "next_best_action",
            "string",
            "what to do next, by rule; none = nothing: suppressed, or marketing consent denied",
            term="score",
        ),
        optional(
            "consent_analytics",
            "boolean",
            "word that holds, false where the answer left it out; null = never asked",
            term="profile",
        ),
        optional(
            "consent_personalization",
            "boolean",
            "word that holds, false where the answer left it out; null = never asked",
            term="profile",
        ),
        optional(
            "consent_marketing",
            "boolean",
            "word that holds, false where the answer left it out; null = never asked",
            term="profile",
        ),
        optional("loyalty_tier", "string", "latest loyalty tier told; null = none, or taken back", term="profile"),
        optional(
            "is_suppressed",
            "boolean",
            "true = to be left alone: no export, message or decision may reach them; false = not any more; null = never said",
            is_online=True,
        ),
        required(
            "as_of",
            "timestamp",
            "event time that r_score, segment, scores and next_best_action were taken at",
            is_online=True,
        ),
        write_time("updated_at", "time of the micro-batch that last wrote the row", is_online=True),
        optional(
            "consent_said_at",
            "timestamp",
            "newest statement of consent; null = never asked, or of a release before it was kept",
            is_online=True,
        ),
        optional(
            "also_allowed",
            "array<string>",
            "purposes of consent.purposes that have no column here and that hold as allowed, in order; null = none",
            is_online=True,
        ),
        optional(
            "also_refused", "array<string>", "the same of purposes that hold as refused; null = none", is_online=True
        ),
        optional(
            "jurisdictions",
            "array<string>",
            "ISO 3166: where events came from, or were said to; what holds where nobody was asked goes by them; null = not known",
            is_online=True,
        ),
        optional(
            "consent_said",
            SAID_LAST,
            "newest statement on each purpose, in order of their names; null = never asked, or of a release before it was kept",
            is_online=True,
        ),
        optional(
            "due_at",
            "timestamp",
            "when r_score, segment, scores and next_best_action are taken again though nothing happens; null = never, or of a release before",
        ),
    ),
    expectations=(
        unique("profile_id"),
        Expectation(
            name="times_follow_each_other",
            text="a last event not before the first",
            breaks="last_seen_at < first_seen_at",
        ),
    ),
)
