"""Consent as tools name it: a state machine in plain words is the oracle; Python and Spark alike in one Spark run."""

import itertools
import json
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.events.consent import PURPOSES, consent, consented

CATEGORIES = load("dev", environ={}).consent.categories

# preferences -> analytics, personalization, marketing
SAID: list[tuple[dict[str, Any], tuple[bool | None, ...]]] = [
    ({}, (None, None, None)),
    ({"analytics": True}, (True, None, None)),
    ({"Analytics": False}, (False, None, None)),
    ({"C0001": True, "C0002": False, "C0003": False, "C0004": False}, (False, False, False)),
    ({"C0001": True}, (None, None, None)),
    ({"Advertising": False, "Analytics": False, "Functional": True}, (False, True, False)),
    ({"ad_storage": "denied", "analytics_storage": "granted"}, (True, None, False)),
    ({"marketing": "false"}, (None, None, False)),
    ({"marketing": 0, "analytics": 1}, (True, None, False)),
    ({"marketing": "no", "analytics": " YES "}, (True, None, False)),
    ({"marketing": "perhaps"}, (None, None, False)),
    ({"marketing": None}, (None, None, None)),
    ({"targeting": True, "advertising": False}, (None, None, False)),
    ({"our own category": False}, (False, False, False)),
    ({"our own category": False, "analytics": True}, (True, False, False)),
    ({"our own category": True}, (None, None, None)),
]


@pytest.mark.parametrize(("preferences", "expected"), SAID)
def test_what_was_said_of_each_purpose(preferences: dict[str, Any], expected: tuple[bool | None, ...]) -> None:
    assert tuple(consent(preferences, CATEGORIES).values()) == expected


def test_spark_hears_the_same(spark: SparkSession) -> None:
    names, words = ["analytics", "C0002", "ADS", "mine"], [True, False, "no", 1, None]
    sent = [
        dict(zip(pair, said, strict=True))
        for pair in itertools.combinations(names, 2)
        for said in itertools.product(words, repeat=2)
    ]
    sent += [preferences for preferences, _ in SAID]
    frame = spark.createDataFrame([(json.dumps(one),) for one in sent], "text string")
    read = frame.select("text", F.try_variant_get(F.parse_json("text"), "$", "map<string,string>").alias("preferences"))
    rows = read.select(
        "text", *(column.alias(name) for name, column in consented(F.col("preferences"), CATEGORIES).items())
    ).collect()
    for row in rows:
        assert {name: row[name] for name in PURPOSES} == consent(json.loads(row["text"]), CATEGORIES), row["text"]
