"""gold.segments: which segment a profile is in, and since when. One row per profile is open at any time.

A new model that keeps a profile in its segment does not move valid_from: it is the time the profile entered the segment. Its version
is set on the open row. So is `due_at`. A segment that changes because time passes is one of the instant at which the row was made: valid_from is then.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.profiles.declaration import ChampionModels, ProfileTable
from lakehouse.tables.contract import optional, required


def transform(gold_rfm: DataFrame, *, profiles: DataFrame, champions: ChampionModels) -> DataFrame:
    model = champions.segments
    assert model is not None  # the table needs one
    dated = gold_rfm.join(profiles.select("profile_id", "as_of"), on="profile_id")
    return dated.select("profile_id", model.place().alias("_place")).select(
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
    revised=("model_version", "due_at"),
    needs=lambda champions: champions.segments is not None,
    columns=(
        required("profile_id", "string", "profile with orders"),
        required("segment", "string", "name of the segment, in words"),
        required("model_version", "string", "version of the segments model that says so, or said so last"),
        required("valid_from", "timestamp", "time the profile entered the segment"),
        optional("valid_to", "timestamp", "time it left; null = still in it"),
        optional(
            "due_at",
            "timestamp",
            "when it is another one though nothing happens, as of the time the row was made; null = never, or of a release before",
        ),
    ),
)
