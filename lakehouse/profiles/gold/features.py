"""gold.features: the declared features of each profile at `as_of`, a typed column each.

The columns follow from conf/features.yaml: `gold_features` makes the contract. What is listed in the catalogue is the contract of no feature.

Windows close without an event: a row says in `due_at` when, and the `events` query makes it again once the lake's clock, the newest
event of anybody, is there. Until then it is what any later `as_of` would give, but for days_since: whoever reads one of these adds the time
since `as_of`.
"""

from collections.abc import Mapping

from pyspark.sql import DataFrame

from lakehouse.errors import ContractError
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.features.windows import features_at
from lakehouse.profiles.declaration import ProfileTable
from lakehouse.tables.contract import optional, required, write_time

OWN_COLUMNS = ("profile_id", "as_of", "due_at", "computed_at")


def gold_features(features: Features) -> ProfileTable:
    """The contract of the table that holds these features."""

    def transform(silver_identity_map: DataFrame, silver_feature_days: DataFrame, *, profiles: DataFrame) -> DataFrame:
        days = silver_feature_days.join(silver_identity_map.select("actor_id", "profile_id"), on="actor_id")
        living = profiles.join(silver_identity_map.select("profile_id"), on="profile_id", how="left_semi")
        return features_at(days, living, features)

    return ProfileTable(
        name="gold.features",
        grain="one row per profile",
        key=("profile_id",),
        transform=transform,
        columns=(
            required("profile_id", "string", "profile"),
            required("as_of", "timestamp", "event time that the features are taken at"),
            optional("due_at", "timestamp", "when the first of them changes without an event; null = never"),
            write_time("computed_at", "time of the micro-batch that last changed the row"),
            *(optional(one.name, one.type, one.description) for one in features.features),
        ),
    )


def check_stored(table: ProfileTable, stored: Mapping[str, str]) -> None:
    """Raises ContractError where a feature is stored with another type. `stored`: column -> Spark type."""
    for column in table.columns:
        if column.name not in OWN_COLUMNS and stored.get(column.name, column.type) != column.type:
            raise ContractError(
                f"features.yaml: {column.name}: got {column.type}, expected {stored[column.name]}, as gold.features has stored it. Declare "
                "what gives that type again, or another name"
            )


GOLD_FEATURES = gold_features(NO_FEATURES)
