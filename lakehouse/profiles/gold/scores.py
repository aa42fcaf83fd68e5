"""gold.scores: what the champions say of a profile, as of the event time its figures were taken at. Each score has its version.

Where fairness.corrects names a column of gold.contacts, `gold_scores` is the table: it reads that column, too, and a model whose shifts are by those groups is corrected. Whoever
reads the table reads the corrected score.
"""

from collections.abc import Callable
from functools import cache

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.errors import ConfigError
from lakehouse.features.point_in_time import served_features
from lakehouse.profiles import rollup
from lakehouse.profiles.declaration import ChampionModels, Correctable, Explaining, ProfileTable, ScoreChampion
from lakehouse.profiles.declared_scores import PURCHASE_PROPENSITY, SCORES
from lakehouse.profiles.gold.contacts import GOLD_CONTACTS
from lakehouse.tables.contract import optional, required
from lakehouse.tables.expectation import Action, unique, within

_GROUP = "_group"
OF_SCORES = (
    *(column for score in SCORES for column in score.columns),
    *(
        optional(
            score.reasons_column,
            "array<string>",
            f"what moves {score.column} farthest from the usual, the farthest first, as `raises: 12 products looked at in 7 days`; empty = nothing much; null = no score, or a model of a release before",
        )
        for score in SCORES
        if score.reasons_column
    ),
)


def transform(
    silver_identity_map: DataFrame,
    silver_activity_daily: DataFrame,
    silver_orders: DataFrame,
    *,
    profiles: DataFrame,
    champions: ChampionModels,
) -> DataFrame:
    return _scored(_known(silver_identity_map, silver_activity_daily, silver_orders, profiles), champions, _plain)


def _known(identity: DataFrame, activity_daily: DataFrame, orders: DataFrame, profiles: DataFrame) -> DataFrame:
    """`served_features` of the profiles."""
    activity = rollup.profile_activity(activity_daily, identity)
    return served_features(activity, rollup.profile_orders(orders, identity), profiles)


def _scored(known: DataFrame, champions: ChampionModels, value: Callable[[ScoreChampion], Column]) -> DataFrame:
    """`_known`, and what `value` asks for -> rows of the table."""
    models = champions.scores
    values = {score.column: value(models[score.column]) for score in SCORES if score.column in models}
    versions = {score.version_column: F.lit(models[score.column].version) for score in SCORES if score.column in models}
    reasons: dict[str, Column] = {}
    for score in SCORES:
        model = models.get(score.column)
        if score.reasons_column is not None and isinstance(model, Explaining):
            reasons[score.reasons_column] = model.reasons
    given = values | versions | reasons
    absent = {column.name: F.lit(None).cast(column.type) for column in OF_SCORES if column.name not in given}
    first = F.coalesce(*(F.col(score.version_column) for score in SCORES))
    scored = known.select(
        "profile_id", "as_of", "due_at", *(column.alias(name) for name, column in (given | absent).items())
    )
    return scored.withColumn("model_version", first)


def _plain(model: ScoreChampion) -> Column:
    return model.value


@cache
def gold_scores(corrects: str = "") -> ProfileTable:
    """The contract. corrects: fairness.corrects, a column of gold.contacts by whose groups a model that can is corrected; empty = GOLD_SCORES.

    Raises:
        ConfigError: no column of gold.contacts.
    """
    if not corrects:
        return GOLD_SCORES
    table, _, column = corrects.rpartition(".")
    if table != GOLD_CONTACTS.name or column not in GOLD_CONTACTS.content:
        raise ConfigError(
            f"[fairness] corrects: got {corrects!r}, expected a column of {GOLD_CONTACTS.name}, such as {GOLD_CONTACTS.name}.country, or nothing. Mend conf/base.toml"
        )

    def value(model: ScoreChampion) -> Column:
        if isinstance(model, Correctable) and model.corrects == corrects:
            return model.value_of(F.col(_GROUP))
        return model.value

    def transform(
        silver_identity_map: DataFrame,
        silver_activity_daily: DataFrame,
        silver_orders: DataFrame,
        gold_contacts: DataFrame,
        *,
        profiles: DataFrame,
        champions: ChampionModels,
    ) -> DataFrame:
        known = _known(silver_identity_map, silver_activity_daily, silver_orders, profiles)
        groups = gold_contacts.select("profile_id", F.col(column).cast("string").alias(_GROUP))
        return _scored(known.join(groups, on="profile_id", how="left"), champions, value)

    return _table(transform)


def _table(transform: Callable[..., DataFrame]) -> ProfileTable:
    return ProfileTable(
        name="gold.scores",
        grain="one row per profile",
        key=("profile_id",),
        transform=transform,
        needs=lambda champions: bool(champions.scores),
        columns=(
            required("profile_id", "string", "profile"),
            *OF_SCORES,
            required(
                "model_version", "string", f"version of {PURCHASE_PROPENSITY.column}, or of the first score there is"
            ),
            required("as_of", "timestamp", "event time the features were taken at"),
            optional(
                "due_at", "timestamp", "when they are taken again though nothing happens; null = of a release before"
            ),
        ),
        expectations=(
            unique("profile_id"),
            # A broken model would decide for everybody.
            *(within(score.column, 0, 1, action=Action.STOP) for score in SCORES if score.read_as == "probability"),
        ),
    )


GOLD_SCORES = _table(transform)
