"""The reading of a record in plain Python, no Spark: nothing makes it fail, and how JSON was written does not matter."""

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.config import load
from lakehouse.events.clock import microseconds
from lakehouse.events.event_row import EventReader
from lakehouse.events.event_rows import event_rows
from lakehouse.events.reader import Reader
from lakehouse.events.reasons import REASONS
from tests.lakehouse.events.test_fuzz import make
from tests.lakehouse.events.test_reader import random_message
from tests.rows import encode, order

CONFIG = load("dev", environ={})
READER, ALONE = EventReader(CONFIG), Reader(CONFIG)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_US = microseconds(NOON)
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "type",
        "messageId",
        "userId",
        "anonymousId",
        "event",
        "timestamp",
        "sentAt",
        "receivedAt",
        "context",
        "properties",
        "traits",
        "x",
    ]
)


@given(st.dictionaries(NAMES, HOSTILE, max_size=8))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_anything_at_any_place_gets_a_row_or_a_reason(fields: dict[str, Any]) -> None:
    row = READER.read(
        encode({"type": "track", "messageId": "m", "anonymousId": "a", "event": "Seen"} | fields), NOON_US, NOON_US
    )
    if row.verdict is None:
        assert row.message_id
        assert row.identifiers
        assert row.occurred_at is not None
        assert row.received_at is not None
    else:
        assert row.verdict.partition("|")[0] in REASONS


@given(st.dictionaries(NAMES, HOSTILE, max_size=8))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_what_is_asked_of_a_message_alone_is_what_its_row_says(fields: dict[str, Any]) -> None:
    value = encode({"type": "track", "messageId": "m", "anonymousId": "a", "event": "Seen"} | fields)
    row, message = READER.read(value, NOON_US, NOON_US), ALONE.document(value)
    if row.verdict is not None or message is None:
        return
    assert ALONE.identifiers(message) == row.identifiers
    assert ALONE.is_bot(message) == row.is_bot
    assert microseconds(ALONE.occurred_at(message, NOON)) == row.occurred_at
    if row.type == "track" and row.event is not None and not row.event.startswith("dev:"):
        assert ALONE.event_name(message) == row.event


@pytest.mark.parametrize("word", [True, 1, 1.0, "1", 0, 0.0, "no", [True], {"a": 1}, [[[]]], "", None])
def test_a_word_of_consent_is_heard_alike_whoever_said_another_before(word: Any) -> None:
    for said in (True, 1.0, word):
        message = {
            "type": "page",
            "messageId": "m",
            "anonymousId": "a",
            "context": {"consent": {"categoryPreferences": {"marketing": said}}},
        }
        heard = READER.read(encode(message), NOON_US, NOON_US).consent
        assert heard is not None
        assert heard.marketing == ALONE.consent(message)["marketing"]


def test_what_nests_thousands_of_levels_is_no_text_and_breaks_nothing() -> None:
    deep: Any = "u-1"
    for _ in range(5_000):
        deep = [deep]
    message = {
        **dict.fromkeys(("type", "event", "userId", "messageId", "receivedAt", "originalTimestamp"), deep),
        "anonymousId": "a",
        "context": {
            "externalIds": [{"type": "user_id", "id": deep}],
            "consent": {"categoryPreferences": {"x": deep}},
            "userAgent": deep,
        },
        "traits": {"email": deep, "address": deep},
    }
    assert ALONE.identifiers(message) == [("anonymous_id", "a")]
    assert ALONE.consent(message)["marketing"] is False
    assert (ALONE.event_name(message), ALONE.is_bot(message)) == (None, False)
    assert ALONE.occurred_at(message, NOON) == NOON


@pytest.mark.parametrize("seed", range(3))
def test_how_json_is_written_does_not_matter(seed: int) -> None:
    chance = random.Random(seed)
    for number in range(200):
        message = (
            random_message(chance)
            if number % 2
            else order(order_id=f"o-{number}", revenue=chance.choice([1, 59.8, "7.005"]))
        )
        dense = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
        loose = json.dumps(message, indent=2)  # other blanks, escapes for all but ASCII: another way through the reader
        assert READER.read(dense.encode(), NOON_US, NOON_US) == READER.read(loose.encode(), NOON_US, NOON_US)


def test_a_number_keeps_its_digits_however_it_is_written() -> None:
    for sent, worth in (
        ("19.90", "19.90"),
        ("1e2", "100.00"),
        ("0.005", "0.01"),
        ('"19.90"', "19.90"),
        ("90071992.55", "90071992.55"),
    ):
        value = f'{{"type":"track","event":"Order Completed","messageId":"m","anonymousId":"a","properties":{{"order_id":900719925474099312345,"revenue":{sent}}}}}'
        row = READER.read(value.encode(), NOON_US, NOON_US)
        assert (row.order_id, row.revenue) == ("900719925474099312345", Decimal(worth))


@pytest.mark.parametrize("number", ["1e9999999999999999999", "1e-9999999999999999999", "1E+1000000000000000000"])
def test_an_exponent_that_no_decimal_holds_is_no_amount_and_stops_nothing(number: str) -> None:
    for properties, verdict in (
        (f'"revenue":5,"x":{number}', None),
        (f'"revenue":{number}', "invalid_number|properties.revenue: number of at most 100000000 expected"),
    ):
        value = f'{{"type":"track","event":"Order Completed","messageId":"m","anonymousId":"a","properties":{{"order_id":"o",{properties}}}}}'
        assert READER.read(value.encode(), NOON_US, NOON_US).verdict == verdict


def test_a_batch_is_its_rows() -> None:
    chance = random.Random(3)
    values = [encode(make(chance, number)) for number in range(200)] + [
        encode(random_message(chance)) for _ in range(100)
    ]
    times = pa.array([NOON_US] * len(values), pa.timestamp("us", tz="UTC"))
    batch = event_rows(CONFIG)(pa.array(values, pa.binary()), times, times).to_pylist()
    for value, row in zip(values, batch, strict=True):
        alone = READER.read(value, NOON_US, NOON_US)
        assert row["message_id"] == alone.message_id
        assert row["verdict"] == alone.verdict
        assert row["faults"] == alone.faults
        assert row["revenue"] == alone.revenue
        assert (row["lines"] is None) == (alone.lines is None)
        assert [(one["type"], one["token"]) for one in row["identifiers"] or ()] == (alone.identifiers or [])
    assert event_rows(CONFIG)(pa.array([], pa.binary()), times[:0], times[:0]).to_pylist() == []
