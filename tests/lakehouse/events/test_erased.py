"""Who was erased is told by keyed hashes: what is held back, and what comes anew. Without Spark."""

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa

from lakehouse.config import load
from lakehouse.events.erased import ACTOR, READ, HoldBack, digest, digests
from lakehouse.events.event_rows import NOTHING_DECLARED
from lakehouse.events.identifiers import resolve
from tests.rows import track

CONFIG = load("dev", environ={})
AT = datetime(2026, 5, 1, tzinfo=UTC)
TIME = pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    [
        ("identifiers", pa.list_(pa.struct([("type", pa.string()), ("token", pa.string())]))),
        ("actor_id", pa.string()),
        ("occurred_at", TIME),
        ("topic", pa.string()),
        ("value", pa.binary()),
        ("kafka_timestamp", TIME),
        ("arrived_at", TIME),
    ]
)


def told(*identifiers: tuple[str, str], actor: str = "a", at: datetime | None = AT, **rest: Any) -> dict[str, Any]:
    named = [{"type": type_, "token": token} for type_, token in identifiers]
    return {"identifiers": named, "actor_id": actor, "occurred_at": at, "topic": "events", **rest}


def rejected(message: dict[str, Any] | bytes, kafka: datetime = AT) -> dict[str, Any]:
    """A row that carries its record, and nothing that was read of it."""
    value = message if isinstance(message, bytes) else orjson.dumps(message)
    return {"topic": "events", "value": value, "kafka_timestamp": kafka, "arrived_at": kafka}


def flags(held: HoldBack, *rows: dict[str, Any]) -> list[bool]:
    found: list[bool] = held.flags(pa.Table.from_pylist(list(rows), schema=SCHEMA)).to_pylist()
    return found


def held_back() -> HoldBack:
    until = int((AT + timedelta(hours=1)).timestamp()) * 1_000_000
    known = digests(
        CONFIG.privacy, [("user_id", "ann"), ("email", str(resolve("email", "a@b.example", CONFIG)))], ["hers"]
    )
    return HoldBack(config=CONFIG, declared=NOTHING_DECLARED, until=dict.fromkeys(known, until))


def test_what_carries_an_identifier_or_is_of_an_actor_is_held_back_up_to_the_time() -> None:
    held = held_back()
    late, anew = AT + timedelta(hours=1), AT + timedelta(hours=1, seconds=1)
    assert flags(
        held,
        told(("anonymous_id", "x"), ("user_id", "ann")),
        told(("user_id", "ann"), at=late),
        told(("user_id", "ann"), at=anew),
        told(("anonymous_id", "ann")),  # the same text of another type
        told(("device_id", "tv"), actor="hers"),
        told(("device_id", "tv"), actor="hers", at=anew),
        told(("device_id", "tv")),
        {"topic": "events"},  # asks for an id alone
    ) == [True, True, False, False, True, False, False, False]
    assert set(READ) == set(SCHEMA.names)


def test_a_rejected_record_is_read_again() -> None:
    held = held_back()
    assert flags(
        held,
        rejected(track(userId="ann", timestamp="2026-05-01T00:10:00Z")),
        rejected(track(userId="bob")),
        rejected({"type": "identify", "traits": {"email": "A@B.example"}}),
        rejected({"type": "identify", "traits": {"email": "A@B.example"}}, AT + timedelta(days=1)),
        rejected(b"{oops a@b.example"),
    ) == [True, False, True, False, False]


def test_a_hash_is_no_token_and_travels_to_workers() -> None:
    token = str(resolve("email", "a@b.example", CONFIG))
    assert digest(CONFIG.privacy, "email", token) not in token
    assert digest(CONFIG.privacy, ACTOR, "x") != digest(CONFIG.privacy, "user_id", "x")
    held = held_back()
    flags(held, told(("user_id", "ann")))
    assert flags(pickle.loads(pickle.dumps(held)), told(("user_id", "ann"))) == [True]
    assert not HoldBack(config=CONFIG, declared=NOTHING_DECLARED, until={})
