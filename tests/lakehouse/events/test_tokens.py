"""Tokens: HMAC-SHA-256 by the standard library, in Python and in Spark alike, and a key that stands in no plan."""

import hashlib
import hmac

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.config import PrivacyConfig
from lakehouse.events.tokens import hidden, is_personal, token, token_of

KEYS = {"short": "k", "one block": "k" * 64, "longer than a block": "k" * 65, "not ASCII": "schlüssel-🔑"}
VALUES = ["ann@example.com", "+12025550143", "ü@😀", "", "x" * 300]


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_token_is_the_hmac_of_type_and_value_with_the_name_of_its_key(spark: SparkSession, key: str) -> None:
    privacy = PrivacyConfig(hmac_key=key, hmac_key_id="2026-11")
    frame = spark.createDataFrame([(value,) for value in [*VALUES, None]], "value string")
    rows = frame.select("value", token_of(privacy, "email", F.col("value")).alias("token")).collect()
    for row in rows:
        if row["value"] is None:
            assert row["token"] is None
            continue
        message = f"email:{row['value']}".encode()
        expected = "2026-11:" + hmac.new(key.encode(), message, hashlib.sha256).hexdigest()[:32]
        assert row["token"] == token(privacy, "email", row["value"]) == expected


def test_the_key_stands_in_no_plan(spark: SparkSession) -> None:
    privacy = PrivacyConfig(hmac_key="s3cret-of-the-shop", hmac_key_id="dev")
    frame = spark.range(1).select(token_of(privacy, "email", F.lit("ann@example.com")))
    plan = frame._jdf.queryExecution().toString()
    padded = b"s3cret-of-the-shop".ljust(64, b"\0")
    shapes = [padded, bytes(b ^ 0x36 for b in padded), bytes(b ^ 0x5C for b in padded)]
    for shape in (text for raw in shapes for text in (raw.hex(), raw.hex().upper(), raw[:18].hex().upper())):
        assert shape not in plan
    assert "s3cret" not in plan


@pytest.mark.parametrize(
    "text",
    [
        "ann@x.org",
        "+49 170 2345670",
        "ann%40x.org",
        "ann\uff20x.org",
        "tel:+1-202-555-0143",
        "(202) 555-0143",
        "0170 2345670",
    ],
)
def test_what_people_log_in_with_is_personal(text: str) -> None:
    assert is_personal(text)


@pytest.mark.parametrize("text", ["u-17", "7358220173421", "0012345678", "2026-11-27", "+", "(none)", "a+b", "12-3"])
def test_what_somebody_was_given_is_not(text: str) -> None:
    assert not is_personal(text)


def test_only_what_is_personal_is_hidden() -> None:
    privacy = PrivacyConfig(hmac_key="k", hmac_key_id="dev")
    assert hidden(privacy, "user_id", "u-17") == "u-17"
    assert hidden(privacy, "user_id", "a@b") == token(privacy, "user_id", "a@b")
