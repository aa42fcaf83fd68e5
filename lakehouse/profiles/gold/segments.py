"""gold.segments: which segment a profile is in, and since when. One row per profile is open at any time.

A new model that keeps a profile in its segment does not move valid_from: it is the time the profile entered the segment. Its version
is set on the open row. A segment that changes because time passes is one of the instant at which the row was made: valid_from is then.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.profiles import rollup
from lakehouse.profiles.declaration import ChampionModels, ProfileTable
from lakehouse.tables.contract import optional, required


def transform(
    silver_identity_map: DataFrame,
    silver_activity_daily: DataFrame,
    gold_rfm: DataFrame,
    *,
    profiles: DataFrame,
    champions: ChampionModels,
) -> DataFrame:
    model = champions.segments
    assert model is not None  # the table needs one

    def placed(rows: DataFrame, place: Column) -> DataFrame:
        dated = rows.join(profiles.select("profile_id", "as_of"), on="profile_id")
        return dated.select("profile_id", place.alias("_place"))

    said = placed(gold_rfm, model.place())
    if model.prospects is not None:
        seen = rollup.visits(rollup.profile_activity(silver_activity_daily, silver_identity_map))
        prospects = seen.join(gold_rfm.select("profile_id"), on="profile_id", how="left_anti")
        said = said.unionByName(placed(prospects, model.prospects.place()))
    return said.select(
        "profile_id",
        "_place.segment",
        F.lit(model.version).alias("model_version"),
        F.timestamp_micros("_place.due").alias("due_at"),
    )


GOLD_SEGMENTS = ProfileTable(
    name="gold.segments",
    grain="one row per profile and validity",
    key=("profile_id", "valid_from"),
    transform=transform,
    revised=("model_version",),
    passing=("due_at",),
    needs=lambda champions: champions.segments is not None,
    columns=(
        required("profile_id", "string", "profile; without an order where the model speaks of prospects"),
        required("segment", "string", "name of the segment, in words"),
        required("model_version", "string", "version of the segments model that says so, or said so last"),
        required("valid_from", "timestamp", "time the profile entered the segment"),
        optional("valid_to", "timestamp", "time it left; null = still in it"),
        optional(
            "due_at",
            "timestamp",
            "when it is another one though nothing happens, as of the time the row was written; null = never, or of a release before. gold.activation has it as it is now",
        ),
    ),
)
