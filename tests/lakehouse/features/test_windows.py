"""Features at instants of the past and now, against DuckDB's brute force over the raw events: no difference."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.features.definition import Features
from lakehouse.features.point_in_time import end_of_day
from lakehouse.features.windows import features_at
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.silver import feature_days
from tests import feature_oracle as oracle
from tests.accepted import SCHEMA

SEED, FEATURES, EVENTS, ACTORS, DAYS = 17, 44, 300, 8, 24
AS_MERGED = [(f"a{n}", f"merged-{n % 3}") for n in range(ACTORS)]
AS_SPLIT = [(f"a{n}", f"split-{n}") for n in range(ACTORS)]
MEMBERS = [*AS_MERGED, *AS_SPLIT]  # of two moments of the identity graph, which the sums know nothing of


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Features:
    return oracle.declared(tmp_path_factory.mktemp("features"), oracle.random_declarations(SEED, FEATURES))


def events(spark: SparkSession, rows: list[dict[str, object]]) -> DataFrame:
    names = list(rows[0])
    return spark.createDataFrame([tuple(row[name] for name in names) for row in rows], f"{SCHEMA}, {oracle.EXTRA}")


def test_every_aggregation_filter_and_window_is_what_brute_force_says(spark: SparkSession, features: Features) -> None:
    rows = oracle.random_events(SEED, EVENTS, ACTORS, DAYS)
    raw = events(spark, rows)
    newest = max(row["occurred_at"] for row in rows)
    days = [end_of_day(date(2026, 1, 1) + timedelta(days=n)) for n in range(1, DAYS, 4)]
    profiles = sorted({profile for _, profile in MEMBERS} | {"nobody"})
    moments = [(profile, at) for profile in profiles for at in [newest, *days] if at <= newest]

    sums = feature_days.transform(leaf(with_day(raw), rates={}, features=features))
    members = spark.createDataFrame(MEMBERS, "actor_id string, profile_id string")
    when = spark.createDataFrame(moments, "profile_id string, as_of timestamp")
    ours = features_at(sums.join(members, on="actor_id"), when, features).toArrow()

    entries = oracle.random_declarations(SEED, FEATURES)
    expected = oracle.brute_force(raw.toArrow(), MEMBERS, moments, entries)
    assert oracle.differences(ours, expected, [entry["name"] for entry in entries]) == []
    filled = [name for name in ours.column_names if ours[name].null_count < ours.num_rows]
    assert len(filled) > FEATURES * 0.8, "most features say something of somebody"


def test_due_at_is_the_first_instant_at_which_a_feature_is_another(spark: SparkSession, tmp_path: Path) -> None:
    entries = [
        {"name": "day", "description": "d", "aggregation": "count", "window": "2 d"},
        {"name": "hour", "description": "d", "aggregation": "count", "window": "1 h"},
        {"name": "run", "description": "d", "aggregation": "streak"},
        {"name": "ever", "description": "d", "aggregation": "count"},
    ]
    features = oracle.declared(tmp_path, entries)
    (row, *_) = oracle.random_events(SEED, 6, 1, 2)
    at = datetime(2026, 1, 5, 10, 30, 20, tzinfo=UTC)
    sums = feature_days.transform(
        leaf(with_day(events(spark, [row | {"occurred_at": at}])), rates={}, features=features)
    )
    ends = [at, datetime(2026, 1, 5, 11, 30, tzinfo=UTC), datetime(2026, 1, 7, tzinfo=UTC)]
    known = sums.selectExpr("'p' AS profile_id", "partials")
    when = spark.createDataFrame([("p", end) for end in ends], "profile_id string, as_of timestamp")
    told = sorted(features_at(known, when, features).toArrow().to_pylist(), key=lambda one: one["as_of"])
    assert [(one["day"], one["hour"], one["run"], one["ever"]) for one in told] == [
        (1, 1, 1, 1),
        (1, 0, 1, 1),
        (0, 0, 0, 1),
    ]
    assert [one["due_at"] for one in told] == [ends[1], ends[2], None]
