"""Tokens: HMAC-SHA-256 by the standard library, in Python and in Spark alike."""

import hashlib
import hmac

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.config import PrivacyConfig
from lakehouse.events.tokens import hidden, token, token_of

KEYS = {"short": "k", "one block": "k" * 64, "longer than a block": "k" * 65, "not ASCII": "schlüssel-🔑"}
VALUES = [
    ("email", "ann@example.com"),
    ("phone", "+12025550143"),
    ("user_id", "ü@😀"),
    ("email", ""),
    ("email", "x" * 300),
]


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_token_is_the_hmac_of_type_and_value_with_the_name_of_its_key(spark: SparkSession, key: str) -> None:
    privacy = PrivacyConfig(hmac_key=key, hmac_key_id="2026-11")
    frame = spark.createDataFrame(VALUES, "type string, value string")
    tokens = frame.select("type", "value", token_of(privacy, F.col("type"), F.col("value")).alias("token")).collect()
    for row in tokens:
        message = f"{row['type']}:{row['value']}".encode()
        expected = "2026-11:" + hmac.new(key.encode(), message, hashlib.sha256).hexdigest()[:32]
        assert row["token"] == token(privacy, row["type"], row["value"]) == expected


def test_only_what_holds_an_at_sign_is_hidden_and_null_stays_null(spark: SparkSession) -> None:
    privacy = PrivacyConfig(hmac_key="k", hmac_key_id="dev")
    frame = spark.createDataFrame([("u-17",), ("a@b",), (None,)], "value string")
    shown = [row[0] for row in frame.select(hidden(privacy, F.lit("user_id"), F.col("value"))).collect()]
    assert shown == ["u-17", token(privacy, "user_id", "a@b"), None]
    (empty,) = frame.where("value is null").select(token_of(privacy, F.lit("email"), F.col("value"))).first() or []
    assert empty is None
