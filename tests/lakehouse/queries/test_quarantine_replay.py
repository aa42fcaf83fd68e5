"""Rejected records after a fix: through a real broker, killed in the middle, begun again; and what is decided of each, without one."""

import dataclasses
import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from batch.rebuild import check
from lakehouse.commands import quarantine as command
from lakehouse.config.paths import SOURCES
from lakehouse.events.reasons import BREAKS_PLAN, FACT, ID_CONFLICT, INVALID_NUMBER, MALFORMED_JSON, UNMAPPED
from lakehouse.events.tracking_plan import TrackingPlan, read_plan
from lakehouse.feature_book.book import declared_features
from lakehouse.feature_book.kept_features import marked
from lakehouse.kafka import admin, broker
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.profiles.check import balance
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.queries import bronze_events, declarations, driver, events
from lakehouse.queries.quarantine_replay import Attempt, Known, Outcome, Tally, Verdict, decide, replay
from lakehouse.sources.digests import digest
from lakehouse.sources.record import Record
from lakehouse.sources.source import Source
from lakehouse.tables.events import (
    SILVER_EVENT_FAULTS,
    SILVER_EVENTS,
    SILVER_EVENTS_QUARANTINE,
    SILVER_QUARANTINE_REPLAYS,
)
from tests import schema_registry
from tests.avro_records import encoded, field, framed, record
from tests.rows import Value, encode, order, track
from tests.schema_registry import RunningRegistry

TOPIC, TILL, RECEIPTS = "quarantined", "till", "receipts"
NOW = datetime(2026, 6, 30, tzinfo=UTC)
STARTS = [events.start, bronze_events.start]
DEAR = [order(f"o-{n}", f"dear-{n}", revenue=5_000) | {"anonymousId": f"a-{n}"} for n in range(5)]
PLAN = """
properties: []
sources: {{web: block}}
events: [{{event: Quiz Done, owner: growth, description: a quiz, properties: {{properties: {{score: {{maximum: {most}}}}}}}}}]
"""
QUIZ = [track("Quiz Done", f"quiz-{channel}", properties={"score": 12}, channel=channel) for channel in ("web", "app")]
SOLD = {
    "event": "purchase",
    "customer_id": "c-2",
    "timestamp": "2025-01-31T11:00:00Z",
    "order_id": "till-1",
    "revenue": 5_000,
}
MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
RECEIPT = record(
    field("number", "int"),
    field("at", {"type": "long", "logicalType": "timestamp-millis"}),
    field("who", "string"),
    field("gross", MONEY),
)
NEW_RECEIPT = record(*RECEIPT["fields"][:3], field("total", MONEY), field("shop", ["null", "string"], default=None))
RECEIPT_SOURCE = """
format: {type: avro, reader: receipt.avsc}
fields: {number: text, at: time, who: text, sum: number}
type: track
name: "'Order Completed'"
id: concat('receipt-', number)
time: at
identifiers: {user_id: who}
properties:
  order_id: concat('r-', number)
  revenue: sum
"""
RECEIPT_READER = """{"type": "record", "name": "Receipt", "fields": [
  {"name": "number", "type": "long"}, {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}, {"name": "who", "type": "string"},
  {"name": "sum", "aliases": ["gross", "total"], "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}}
]}"""
BOUGHT = {"at": datetime(2025, 1, 31, 11, tzinfo=UTC), "who": "c-3"}
FIRST = framed(1, encoded(RECEIPT, BOUGHT | {"number": 1, "gross": Decimal("99.90")}))
SECOND = framed(2, encoded(NEW_RECEIPT, BOUGHT | {"number": 2, "total": Decimal("0.07"), "shop": "Bonn"}))
RECORD = {"event": "search", "customer_id": "c-1", "timestamp": "2025-01-31T11:00:00Z", "query": "desk"}


def lake_of(lake: Lake, kafka: broker.RunningBroker, registry: RunningRegistry, *, max_amount: int) -> Lake:
    config = lake.config
    return Lake(
        lake.spark,
        dataclasses.replace(
            config,
            events=dataclasses.replace(config.events, max_amount=max_amount),
            kafka=dataclasses.replace(
                config.kafka,
                bootstrap_servers=kafka.bootstrap_servers,
                events_topic=TOPIC,
                sources={TILL: "simple-events", RECEIPTS: "receipts"},
            ),
            schema_registry=dataclasses.replace(config.schema_registry, url=registry.url),
        ),
    )


def send(lake: Lake, values: Iterable[Value], topic: str = TOPIC) -> None:
    messages = (Message(key=b"k", value=encode(value), at=NOW) for value in values)
    produce(messages, lake.config.kafka, topic, on_progress=lambda _: None)


def sources(lake: Lake) -> Callable[[str], Source]:
    return partial(Source.named, folder=SOURCES, config=lake.config)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """It knows the first schema of receipts. The queries find the source of receipts beside the others."""
    folder = Path(shutil.copytree(SOURCES, tmp_path_factory.mktemp("conf") / "sources"))
    (folder / "receipts.yaml").write_text(RECEIPT_SOURCE)
    (folder / "receipt.avsc").write_text(RECEIPT_READER)
    with pytest.MonkeyPatch.context() as patch, schema_registry.running() as running:
        patch.setattr(declarations, "SOURCES", folder)
        running.register(RECEIPT, number=1)
        yield running


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TrackingPlan, TrackingPlan, Path]]:
    """Yesterday's, and today's, which allows more; the queries find the file of both in its place."""
    file = Path(tmp_path_factory.mktemp("plan"), "events.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(declarations, "EVENTS", file)
        file.write_text(PLAN.format(most=20))
        after = read_plan(file)
        file.write_text(PLAN.format(most=10))
        yield read_plan(file), after, file


@pytest.fixture(scope="module")
def rejecting(
    new_lake: Callable[[str], Lake],
    kafka: broker.RunningBroker,
    registry: RunningRegistry,
    plans: tuple[TrackingPlan, TrackingPlan, Path],
) -> tuple[Lake, Lake]:
    """A lake that has rejected some records, by yesterday's configuration and plan; the same lake by today's, which are mended."""
    lake = new_lake("rejecting")
    before, after = (lake_of(lake, kafka, registry, max_amount=amount) for amount in (1_000, 100_000))
    for topic in (TOPIC, TILL, RECEIPTS):
        admin.create_topic(kafka, topic, 2)
    unmapped = sources(lake)("simple-events").rejected(
        Record(1, RECORD), "time: none", "17"
    )  # as of a source that was mended since
    once_more = DEAR[1] | {"sentAt": "2025-01-31T12:00:05Z"}
    send(
        before,
        [
            track(message_id="good"),
            *DEAR,
            once_more,
            unmapped,
            "{oops",
            order("o-9", "dear-9", revenue=1_000_000),
            *QUIZ,
        ],
    )
    send(before, [SOLD], TILL)
    send(before, [FIRST, SECOND, FIRST[:-1]], RECEIPTS)
    driver.drain(before, STARTS)
    plans[2].write_text(PLAN.format(most=20))
    return before, after


def rows(lake: Lake) -> list[tuple[Any, ...]]:
    told = lake.read(SILVER_EVENTS).select("message_id", "order_id", "occurred_at", "received_at")
    return sorted(tuple(row) for row in told.collect())


def test_each_record_that_is_good_by_now_lands_once_wherever_a_replay_was_killed(
    rejecting: tuple[Lake, Lake],
    registry: RunningRegistry,
    plans: tuple[TrackingPlan, TrackingPlan, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, lake = rejecting
    plan_before, plan, _ = plans
    declared = dataclasses.replace(declarations.declarations(lake.config), plan=plan)
    told = [tuple(row) for row in lake.read(SILVER_EVENT_FAULTS).select("message_id", "field", "reason").collect()]
    assert told == [("quiz-app", "properties.score", BREAKS_PLAN)]
    assert (
        balance(before, dataclasses.replace(declared, plan=plan_before)).rejected
        == 13
        == before.read(SILVER_EVENTS_QUARANTINE).count()
    )
    registry.register(NEW_RECEIPT, number=2)
    again = partial(replay, lake, sources(lake), now=datetime.now(UTC), declared=declared, size=4)
    calls = itertools.count()

    def killed_before_it_is_noted(topic: str, messages: Iterable[Message]) -> None:
        produce(messages, lake.config.kafka, topic, on_progress=lambda _: None)
        if topic == TOPIC and next(calls) == 1:
            raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        again(killed_before_it_is_noted)
    assert lake.read(SILVER_QUARANTINE_REPLAYS).count() == 4
    resumed = again(killed_before_it_is_noted)
    assert resumed.outcomes[Outcome.THERE] > 0  # they wait in the topic
    assert dict(resumed.reasons) == {INVALID_NUMBER: 1, MALFORMED_JSON: 1, UNMAPPED: 1}
    driver.drain(lake, STARTS)

    ids = [f"dear-{n}" for n in range(5)]
    *of_events, of_till = [row[0] for row in rows(lake)]
    assert of_events == [*ids, "good", "quiz-app", "quiz-web", "receipt-1", "receipt-2", "simple-events:17"]
    of_receipts = lake.read(SILVER_ORDERS).where("order_id LIKE 'r-%'").select("order_id", "revenue").collect()
    assert sorted(map(tuple, of_receipts)) == [("r-1", Decimal("99.90")), ("r-2", Decimal("0.07"))]
    assert lake.read(SILVER_ORDERS).where("revenue = 5000").count() == 6
    first_came = before.read(SILVER_EVENTS_QUARANTINE).agg({"quarantined_at": "max"}).collect()[0][0]
    assert all(
        row[3] < first_came for row in rows(lake) if row[0] not in (of_till, "receipt-2")
    )  # received when it came first, not when it was replayed
    registry.status = 503  # nobody needs it any more: the lake has its schemas
    alone = Lake(lake.spark, dataclasses.replace(lake.config, log=dataclasses.replace(lake.config.log, level="error")))
    by_itself = dataclasses.replace(declarations.declarations(alone.config), plan=plan)
    assert check(alone, by_itself, marked(alone, declared_features(alone.config))) == 0
    registry.status = None
    counted = orjson.loads(capsys.readouterr().out.splitlines()[-1])["events"]
    assert [counted[of] for of in ("bronze", "accepted", "quarantine", "duplicates")] == [26, 12, 3, 11]

    assert lake.read(SILVER_QUARANTINE_REPLAYS).count() == 10
    lake.clear(SILVER_QUARANTINE_REPLAYS)  # as if none of it had been noted: silver knows
    assert again(None).outcomes == {Outcome.REJECTED: 3, Outcome.THERE: 10}
    assert lake.read(SILVER_QUARANTINE_REPLAYS).count() == 0  # it was only tried


def test_rejected_records_are_listed_and_shown(rejecting: tuple[Lake, Lake]) -> None:
    lake, _ = rejecting
    header, *lines, told = command.listing(lake)
    assert header.split()[:3] == ["source", "reason", "records"]
    found = {tuple(line.split()[:3]) for line in lines}
    assert {("simple-events", UNMAPPED, "1"), ("unknown", MALFORMED_JSON, "1"), ("receipts", UNMAPPED, "2")} <= found
    assert orjson.loads(told)["records"] == 13
    shown = list(command.showing(lake, MALFORMED_JSON, limit=5, has_bytes=False))
    assert shown[1].strip() == "{xxxx"
    assert list(command.showing(lake, MALFORMED_JSON, limit=5, has_bytes=True))[1].strip() == "{oops"
    of_bytes = "".join(command.showing(lake, UNMAPPED, limit=5, has_bytes=True))
    assert FIRST[:-1].hex() in of_bytes
    assert "receipts: row: a whole record of its schema expected (EOFError)" in of_bytes


def attempt(reason: str = INVALID_NUMBER, *, days_ago: float = 1) -> Attempt:
    return Attempt(("t", 0, 7), "t", reason, None, b"{}", NOW - timedelta(days=days_ago))


@pytest.mark.parametrize(
    ("one", "verdict", "known", "outcome"),
    [
        (attempt(), Verdict(None, "m", 5), Known(waiting=frozenset()), Outcome.SENT),
        (attempt(), Verdict(FACT, None, 5), Known(waiting=frozenset()), Outcome.SENT),
        (attempt(), Verdict(MALFORMED_JSON, None, 5), Known(waiting=frozenset()), Outcome.REJECTED),
        (attempt(), Verdict(None, "m", 5), Known(waiting=frozenset([digest(b"{}")])), Outcome.THERE),
        (attempt(), Verdict(None, "m", 5), Known(waiting=frozenset(), stored={"m": 5}), Outcome.THERE),
        (attempt(), Verdict(None, "m", 5), Known(waiting=frozenset(), stored={"m": 6}), Outcome.CONFLICT),
        (attempt(), Verdict(None, "m", 5), Known(waiting=frozenset(), sent={"m": 6}), Outcome.CONFLICT),
        (attempt(ID_CONFLICT), Verdict(None, "m", 5), Known(waiting=frozenset(), stored={"m": 6}), Outcome.CONFLICT),
        (attempt(ID_CONFLICT, days_ago=14.9), Verdict(None, "m", 5), Known(waiting=frozenset()), Outcome.REMEMBERED),
        (attempt(ID_CONFLICT, days_ago=15.1), Verdict(None, "m", 5), Known(waiting=frozenset()), Outcome.SENT),
    ],
)
def test_what_becomes_of_an_attempt(one: Attempt, verdict: Verdict, known: Known, outcome: Outcome) -> None:
    assert decide(one, verdict, known, now=NOW, days=7) is outcome
    if outcome is Outcome.SENT and verdict.message_id is not None:
        assert decide(one, verdict, known, now=NOW, days=7) is Outcome.THERE  # a second of that id


def test_a_tally_is_told_in_words() -> None:
    tally = Tally(open=3, not_archived=1)
    tally.outcomes.update([Outcome.SENT, Outcome.REJECTED])
    tally.reasons.update([MALFORMED_JSON])
    *lines, told = command._told(tally, is_dry_run=True)
    assert [line.split()[0] for line in lines] == ["1", "1", "1", "1"]
    assert orjson.loads(told) == {
        "command": "quarantine replay", "dry_run": True, "open": 3, "sent": 1, "there": 0, "rejected": 1, "conflict": 0, "remembered": 0,
        "not_archived": 1,
    }  # fmt: skip
