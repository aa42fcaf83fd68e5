"""gold.segments: which segment a profile is in, and since when. One row per profile is open at any time.

A new model that keeps a profile in its segment does not move valid_from: it is the time the profile entered the segment. Its version
is set on the open row.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.profiles.declaration import ChampionModels, ProfileTable
from lakehouse.tables.contract import optional, required


def transform(gold_rfm: DataFrame, *, champions: ChampionModels) -> DataFrame:
    model = champions.segments
    assert model is not None  # the table needs one
    return gold_rfm.select("profile_id", model.segment().alias("segment"), F.lit(model.version).alias("model_version"))


GOLD_SEGMENTS = ProfileTable(
    name="gold.segments",
    grain="one row per profile and validity",
    key=("profile_id", "valid_from"),
    transform=transform,
    revised=("model_version",),
    needs=lambda champions: champions.segments is not None,
    columns=(
        required("profile_id", "string", "profile with orders"),
        required("segment", "string", "name of the segment, in words"),
        required("model_version", "string", "version of the segments model that says so, or said so last"),
        required("valid_from", "timestamp", "time the profile entered the segment"),
        optional("valid_to", "timestamp", "time it left; null = still in it"),
    ),
)
