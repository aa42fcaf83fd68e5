"""Random bytes and messages with random damage: every record gets a verdict, none makes parse fail. One Spark run."""

import json
import random
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from lakehouse.config import load
from lakehouse.events.parse import parse
from lakehouse.events.reasons import REASONS
from lakehouse.tables.events import SILVER_EVENTS
from tests.rows import Value, encode, message, order, records, track

SEED = 20_250_131
RECORDS = 600
MESSAGES = [
    order(currency="EUR", products=[{"product_id": "p-1", "price": 19.9, "quantity": 2}], coupon="MAY"),
    track(
        userId="ann", context={"userAgent": "Firefox", "page": {"url": "https://shop.test/?q=1"}}, sentAt="2025-01-31"
    ),
    track(
        context={"externalIds": [{"type": "phone", "id": "+1 202 555 0143"}], "consent": {"categoryPreferences": {}}}
    ),
    message("identify", traits={"email": "ann@example.com", "firstName": "Ann", "address": {"city": "Rome"}}),
    message("alias", previousId="anon-0", userId="ann"),
    message("page", name="Home", properties={"url": "https://shop.test/"}),
]
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1e308, -1e-308, 10**30, 2**63, float("nan"), float("inf"), "", " ", "\x00", "\ud800", "é"),
    *("null", "-0", "1e99", "9" * 400, "{", "[]", "[{}]", '{"a":1}', "0000-00-00", "9999-12-31T23:59:60Z", "a@b", "x" * 300),
    *([], {}, [[]], [None], [1, "a", {}], {"a": {"a": []}}, {"": ""}, {"a.b": 1}, {"$": 1}, [{"type": None, "id": None}]),
    *(-62_135_596_800_000, 253_402_300_800_000, 8_640_000_000_000_000, "+275760-09-13", "12:00", "2025-1-1", "\u202e\u2028"),
]  # fmt: skip


def damaged(chance: random.Random, value: Any) -> Any:
    """The value with some part of it, or all, replaced, removed or renamed."""
    if chance.random() < 0.15:
        return chance.choice(ODD)
    if isinstance(value, dict):
        kept = {name: part for name, part in value.items() if chance.random() > 0.05}
        return {name: damaged(chance, part) if chance.random() < 0.6 else part for name, part in kept.items()}
    if isinstance(value, list):
        return [damaged(chance, part) for part in value] * chance.choice([1, 1, 2])
    return value


def garbled(chance: random.Random, content: bytes) -> bytes:
    """The bytes with a few of them changed, a piece cut out, or a piece twice."""
    start, end = sorted(chance.choices(range(len(content) + 1), k=2))
    match chance.randrange(3):
        case 0:
            changed = bytearray(content)
            for _ in range(chance.randint(1, 4)):
                changed[chance.randrange(len(changed))] = chance.choice([chance.randrange(256), *b'{}[]",:\\e-'])
            return bytes(changed)
        case 1:
            return content[:start] + content[end:]
        case _:
            return content[:end] + content[start:]


def make(chance: random.Random, number: int) -> Value:
    message_ = chance.choice(MESSAGES) | {"messageId": f"m-{number}"}
    match number % 4:
        case 0:
            return chance.randbytes(chance.randint(0, 60))
        case 1:
            return garbled(chance, encode(message_) or b"")
        case _:
            return json.dumps(damaged(chance, message_), ensure_ascii=chance.random() < 0.5)


@pytest.fixture(scope="module")
def rows(_session: SparkSession) -> list[Row]:
    chance = random.Random(SEED)
    values = [make(chance, number) for number in range(RECORDS)]
    return parse(records(_session, values), load("dev", environ={})).collect()


def test_every_record_has_a_reason_or_every_column_an_event_needs(rows: list[Row]) -> None:
    assert sorted(row["offset"] for row in rows) == list(range(RECORDS))
    needed = [column.name for column in SILVER_EVENTS.columns if not column.nullable]
    for row in rows:
        if row["reason"] is None:
            assert [name for name in needed if row[name] is None] == [], row["value"]
        else:
            assert row["reason"] in REASONS, row["value"]


def test_the_damage_goes_from_harmless_to_fatal(rows: list[Row]) -> None:
    found = {row["reason"] for row in rows}
    assert found >= {None, "invalid_utf8", "malformed_json", "not_an_object", "wrong_type", "missing_field"}
    assert found >= {"unknown_type", "invalid_timestamp", "no_usable_identifier"}


def test_an_accepted_event_keeps_the_bounds_of_the_contract(rows: list[Row]) -> None:
    for row in (row for row in rows if row["reason"] is None):
        assert row["identifiers"] == sorted(row["identifiers"])
        assert row["occurred_at"] <= row["received_at"]
        assert row["occurred_at"].year >= 1970
        assert row["revenue"] is None or row["revenue"] >= 0
        assert len(row["message_id"]) <= 100
