"""Point-in-time rows of declared features: what was known of a profile at the end of past days, and nothing later.

Made of the same partial sums and by the same function as gold.features. Profiles are those of today's identity graph, as everywhere in training.
"""

from collections.abc import Sequence
from datetime import date

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config.paths import FEATURES
from lakehouse.errors import ConfigError
from lakehouse.feature_book.book import declared_features
from lakehouse.feature_book.kept_features import marked
from lakehouse.features.definition import Features
from lakehouse.features.point_in_time import end_of_day
from lakehouse.features.windows import features_at
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.training.consenting import consenting

MOMENT = pa.timestamp("us", tz="UTC")


def declared(lake: Lake) -> Features:
    """The features of conf/features.yaml, with those marked that a rebuild has yet to fill: they are null.

    Raises:
        ConfigError: a fault of the file, or that it declares none.
    """
    features = declared_features(lake.config)
    if not features:
        raise ConfigError(f"{FEATURES.name}: got no feature, expected one or more. Declare what is to be learned from")
    return marked(lake, features)


def feature_set(lake: Lake, features: Features, days: Sequence[date], *, purpose: str) -> DataFrame:
    """profile_id, as_of and a column for each feature: a row for each profile that may be learned from for `purpose`, and each day.

    A profile is in it from the day on which any of the features knew something of it. `as_of`: the last microsecond of the day, UTC.
    """
    ends = lake.frame(pa.table({"as_of": pa.array([end_of_day(day) for day in sorted(set(days))], MOMENT)}))
    members = lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id")
    willing = consenting(members.select("profile_id").distinct(), lake.read(GOLD_ACTIVATION), purpose, lake.config)
    sums = lake.read(SILVER_FEATURE_DAYS).join(members.join(willing, on="profile_id"), on="actor_id")
    first = sums.groupBy("profile_id").agg(F.min("activity_date").alias("known_from"))
    moments = first.join(F.broadcast(ends), on=F.col("known_from") <= F.to_date("as_of")).select("profile_id", "as_of")
    return features_at(sums, moments, features).drop("due_at")
