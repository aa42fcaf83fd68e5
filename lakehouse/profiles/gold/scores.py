"""gold.scores: what the champions say of a profile, as of the event time its figures were taken at. Each score has its version."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.features.point_in_time import features
from lakehouse.profiles import rollup
from lakehouse.profiles.declaration import ChampionModels, ProfileTable
from lakehouse.profiles.declared_scores import PURCHASE_PROPENSITY, SCORES
from lakehouse.tables.contract import required
from lakehouse.tables.expectation import Action, unique, within


def transform(
    silver_identity_map: DataFrame,
    silver_activity_daily: DataFrame,
    silver_orders: DataFrame,
    *,
    profiles: DataFrame,
    champions: ChampionModels,
) -> DataFrame:
    activity = rollup.profile_activity(silver_activity_daily, silver_identity_map)
    purchases = rollup.profile_orders(silver_orders, silver_identity_map)
    models = champions.scores
    values = {score.column: models[score.column].value for score in SCORES if score.column in models}
    versions = {score.version_column: F.lit(models[score.column].version) for score in SCORES if score.column in models}
    declared = (column for score in SCORES for column in score.columns)
    absent = {
        column.name: F.lit(None).cast(column.type)
        for column in declared
        if column.name not in values and column.name not in versions
    }
    first = F.coalesce(*(F.col(score.version_column) for score in SCORES))
    scored = features(activity, purchases, profiles).select(
        "profile_id", "as_of", *(column.alias(name) for name, column in (values | versions | absent).items())
    )
    return scored.withColumn("model_version", first)


GOLD_SCORES = ProfileTable(
    name="gold.scores",
    grain="one row per profile",
    key=("profile_id",),
    transform=transform,
    needs=lambda champions: bool(champions.scores),
    columns=(
        required("profile_id", "string", "profile"),
        *(column for score in SCORES for column in score.columns),
        required("model_version", "string", f"version of {PURCHASE_PROPENSITY.column}, or of the first score there is"),
        required("as_of", "timestamp", "event time the features were taken at"),
    ),
    expectations=(
        unique("profile_id"),
        within(PURCHASE_PROPENSITY.column, 0, 1, action=Action.STOP),  # a broken model would decide for everybody
    ),
)
