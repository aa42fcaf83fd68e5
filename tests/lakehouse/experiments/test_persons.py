"""A person counted under two names is one in a read-out; who may be anybody stays who they were."""

from pyspark.sql import SparkSession

from lakehouse.experiments.persons import by_person
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP
from tests.accepted import at
from tests.rows import frame

SEEN = at("2026-02-01 10:00")


def test_units_are_the_profiles_they_belong_to_now(spark: SparkSession) -> None:
    edges = [
        {"actor_id": actor, "identifier_type": type_, "identifier_token": token, "kind": kind, "weight": 0.0}
        for actor, type_, token, kind in [
            ("phone", "anonymous_id", "c1", "deterministic"),
            ("laptop", "anonymous_id", "c2", "deterministic"),
            ("laptop", "user_id", "ann", "deterministic"),
            ("ann-tv", "device_id", "tv", "deterministic"),
            ("bob-tv", "device_id", "tv", "deterministic"),
            ("bob-tv", "likely_pair", "laptop", "probabilistic"),
        ]
    ]
    members = [
        {"actor_id": actor, "profile_id": profile, "component_id": profile}
        for actor, profile in [("phone", "phone"), ("laptop", "phone"), ("ann-tv", "phone"), ("bob-tv", "bob-tv")]
    ]
    dated = [[{**row, "first_seen_at": SEEN, "resolved_at": SEEN} for row in rows] for rows in (edges, members)]
    units = ["anonymous_id:c1", "anonymous_id:c2", "user_id:ann", "laptop", "phone", "device_id:tv", "user_id:nobody"]
    log = spark.createDataFrame([(number, unit) for number, unit in enumerate(units)], "number int, unit string")
    found = by_person(
        log, frame(spark, SILVER_IDENTITY_EDGES, dated[0]), frame(spark, SILVER_IDENTITY_MAP, dated[1])
    ).orderBy("number")
    assert [row["unit"] for row in found.collect()] == [*["phone"] * 5, "device_id:tv", "user_id:nobody"]
