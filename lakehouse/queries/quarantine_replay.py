"""Rejected records read again, after the configuration, a source or the code was mended: what is an event by now is sent to the topic.

It comes by the way of everything else, so silver, profiles, gold and the online store follow, beside running streams. Each lands once: before
it is sent, silver is asked by message id, and the end of the topic, which nobody has taken in yet, by bytes. Both know what was
sent by a replay that was killed before it could note it. See docs/decisions/0087.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.errors import ConfigError
from lakehouse.events.document import record
from lakehouse.events.event_rows import NOTHING_DECLARED, Declarations
from lakehouse.events.parse import parse
from lakehouse.events.quarantine import PLACE, still_open, with_arrival
from lakehouse.events.reasons import FACT, ID_CONFLICT, UNEXPECTED, UNMAPPED
from lakehouse.kafka.message import Message
from lakehouse.kafka.unread import unread
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.quality.counts import first_broken
from lakehouse.queries.events import KNOWN
from lakehouse.queries.known_records import furthest, held_by
from lakehouse.sources.digests import digest
from lakehouse.sources.fields import FILE_TIME
from lakehouse.sources.record import Record, canonical
from lakehouse.sources.source import Source
from lakehouse.tables.events import (
    BRONZE_EVENTS,
    SILVER_EVENTS,
    SILVER_EVENTS_QUARANTINE,
    SILVER_QUARANTINE_REPLAYS,
)
from lakehouse.tables.expectation import Action

SLICE = 20_000  # records that are in memory at once
# Their ids are in the state of the stream, which drops a second copy for as long as it remembers the first.
_REMEMBERED = frozenset((UNEXPECTED, ID_CONFLICT))
_SLACK = timedelta(days=1)  # more than clocks differ, and than the hour the stream's clock is ahead
_RECORD = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("value", pa.binary()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("arrived_at", pa.timestamp("us", tz="UTC")),
    ]
)
Place = tuple[str, int, int]
Send = Callable[[str, Iterable[Message]], object]
"""Sends messages to a topic; returns when the broker has all of them."""


class Outcome(StrEnum):
    """Of a rejected record that is read again. SENT and THERE settle it; any other leaves it open."""

    SENT = "sent"
    THERE = "there"
    REJECTED = "rejected"
    CONFLICT = "conflict"
    REMEMBERED = "remembered"


class Attempt(NamedTuple):
    """A rejected record, and the bytes that are to be read in its place, from that topic.

    reason: why it was rejected; first_at: when it came first.
    """

    place: Place
    topic: str
    reason: str
    key: bytes | None
    value: bytes | None
    first_at: datetime


class Verdict(NamedTuple):
    """What the parse says of an attempt now. reason: None = an event, FACT = a fact."""

    reason: str | None
    message_id: str | None
    content_hash: int


@dataclass(kw_only=True)
class Known:
    """What is somewhere already. waiting: digests of the records that no micro-batch has taken in; stored, sent: message id -> content."""

    waiting: frozenset[bytes]
    stored: Mapping[str, int] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)


@dataclass(kw_only=True)
class Tally:
    """What became of the open records. reasons: of those that are rejected still. not_archived: bronze.events has not got them (yet)."""

    open: int = 0
    not_archived: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)


def replay(
    lake: Lake,
    sources: Callable[[str], Source],
    send: Send | None,
    *,
    now: datetime,
    declared: Declarations = NOTHING_DECLARED,
    reason: str | None = None,
    size: int = SLICE,
) -> Tally:
    """Read the open records again, send those that are events by now, and note what is settled.

    `sources`: the source of a name. `send`: None = nothing is sent or noted. `declared`: how records are read. `reason`: only those that were rejected for it. `size`: of a slice;
    each slice is sent and noted before the next is read.

    Raises:
        BrokerError: the topic cannot be read or written. What was noted before stays so; run it again.
    """
    rejected = still_open(lake.read(SILVER_EVENTS_QUARANTINE), lake.read(SILVER_QUARANTINE_REPLAYS))
    if reason is not None:
        rejected = rejected.where(F.col("reason") == reason)
    tally = Tally(open=rejected.count())
    if not tally.open:
        return tally
    known = Known(waiting=_waiting(lake))
    rows = archived(rejected, lake.read(BRONZE_EVENTS)).toLocalIterator()
    read = 0
    while rows_of_slice := list(islice(rows, size)):
        read += len(rows_of_slice)
        attempts = [attempt(row, sources, lake.config) for row in rows_of_slice]
        verdicts = _judged(lake, attempts, declared, now)
        known.stored = _stored(lake, verdicts.values())
        days = lake.config.events.dedupe_days
        decided = [(one, decide(one, verdicts[one.place], known, now=now, days=days)) for one in attempts]
        tally.outcomes.update(outcome for _, outcome in decided)
        tally.reasons.update(
            verdicts[one.place].reason or "" for one, outcome in decided if outcome is Outcome.REJECTED
        )
        if send is not None:
            to_send = [one for one, outcome in decided if outcome is Outcome.SENT]
            for topic in _topics(lake.config):
                messages = [Message(key=one.key, value=one.value, at=now) for one in to_send if one.topic == topic]
                send(topic, messages)
            lake.add(_notes(decided, verdicts, now), SILVER_QUARANTINE_REPLAYS)
    tally.not_archived = tally.open - read
    return tally


def archived(rejected: DataFrame, bronze: DataFrame) -> DataFrame:
    """Rejected records as bronze.events has them, with key and arrival, in the order of their places."""
    beside = F.broadcast(rejected.select(*PLACE, "reason"))
    record = ("key", "value", "kafka_timestamp", "ingested_at")
    held = bronze.select(*PLACE, *record).join(beside, on=list(PLACE), how="inner")
    first_at = F.coalesce("kafka_timestamp", "ingested_at").alias("first_at")  # as the parse takes it for arrival
    return held.select(*PLACE, "reason", "key", "value", first_at).orderBy(*PLACE)


def attempt(row: Row, sources: Callable[[str], Source], config: Config) -> Attempt:
    """What is to be read in place of a rejected record: its bytes with their arrival; of one without mapping what its source maps now.

    A record of a topic that is bound to a source comes again as it is, in that topic: its mapping says when it happened.
    """
    value = None if row["value"] is None else bytes(row["value"])
    first_at = row["first_at"].replace(tzinfo=UTC)
    is_bound = row["topic"] in config.kafka.sources
    if value is not None and not is_bound:
        mapped = _mapped(value, sources, config) if row["reason"] == UNMAPPED else value
        value = with_arrival(mapped, first_at, config.events)
    key = None if row["key"] is None else bytes(row["key"])
    topic = row["topic"] if is_bound else config.kafka.events_topic
    return Attempt((row["topic"], row["partition"], row["offset"]), topic, row["reason"], key, value, first_at)


def _topics(config: Config) -> tuple[str, ...]:
    """To which records are sent again."""
    return (config.kafka.events_topic, *config.kafka.sources)


def _mapped(value: bytes, sources: Callable[[str], Source], config: Config) -> bytes:
    """The document that the source makes of the record by now, of the time of its file; as it is, where it makes none."""
    told = record(value, config.events).message or {}
    sent, message_id = told.get("record"), str(told.get("messageId"))
    try:
        source = sources(str(told.get("source")))
    except ConfigError:  # it is not declared any more
        return value
    if not isinstance(sent, dict):
        return value
    found = Record(1, sent, file_time=at if isinstance(at := told.get(FILE_TIME), int) else None)
    document = source.mapped(found, message_id.removeprefix(f"{source.name}:")).document
    return value if document is None else canonical(document)


def decide(one: Attempt, verdict: Verdict, known: Known, *, now: datetime, days: int) -> Outcome:
    """What becomes of an attempt; what is to be sent is known from then on. `days`: events.dedupe_days."""
    if verdict.reason not in (None, FACT):
        return Outcome.REJECTED
    if digest(one.value or b"") in known.waiting:
        return Outcome.THERE
    if (id_ := verdict.message_id) is None or verdict.reason == FACT:
        return Outcome.SENT  # a fact may be told again
    content = known.stored.get(id_, known.sent.get(id_))
    if content is not None:
        return Outcome.THERE if content == verdict.content_hash else Outcome.CONFLICT
    if one.reason in _REMEMBERED and now < one.first_at + timedelta(days=2 * days) + _SLACK:
        return Outcome.REMEMBERED  # Spark forgets an id when a watermark that is `days` behind has passed its `days`
    known.sent[id_] = verdict.content_hash
    return Outcome.SENT


def _judged(lake: Lake, attempts: Iterable[Attempt], declared: Declarations, now: datetime) -> dict[Place, Verdict]:
    """By the parse, and by what puts an event aside, as the stream will judge them."""
    rows = [(*one.place, one.value, now, now) for one in attempts]
    table = pa.Table.from_pylist([dict(zip(_RECORD.names, row, strict=True)) for row in rows], schema=_RECORD)
    parsed = parse(lake.frame(table), lake.config, declared)
    breaks = first_broken(SILVER_EVENTS, Action.QUARANTINE)
    put_aside = F.lit(None) if breaks is None else F.when(breaks.isNotNull(), UNEXPECTED)
    told = parsed.select(*PLACE, F.coalesce("reason", put_aside).alias("reason"), "message_id", "content_hash")
    return {tuple(row)[:3]: Verdict(*tuple(row)[3:]) for row in told.collect()}  # a slice


def _stored(lake: Lake, verdicts: Iterable[Verdict]) -> dict[str, int]:
    ids = {one.message_id for one in verdicts if one.message_id is not None}
    held = lake.rows_with(SILVER_EVENTS, "message_id", ids, columns=("message_id", "content_hash"))
    return dict(zip(held["message_id"].to_pylist(), held["content_hash"].to_pylist(), strict=True))


def _waiting(lake: Lake) -> frozenset[bytes]:
    """Of the records behind those that silver or its quarantine has, or what was rejected would wait for itself.

    They are asked before silver is, so nothing falls between the two.
    """
    kafka, read_to = lake.config.kafka, furthest(held_by(lake, KNOWN).values())
    waiting: set[bytes] = set()
    for topic in _topics(lake.config):
        from_there = {int(partition): end for partition, end in read_to.get(topic, {}).items()}
        waiting.update(map(digest, unread(kafka, topic, from_there)))
    return frozenset(waiting)


def _notes(decided: Iterable[tuple[Attempt, Outcome]], verdicts: Mapping[Place, Verdict], now: datetime) -> pa.Table:
    settled = [(one, outcome) for one, outcome in decided if outcome in (Outcome.SENT, Outcome.THERE)]
    rows = [
        dict(zip(PLACE, one.place, strict=True))
        | {"message_id": verdicts[one.place].message_id, "outcome": outcome.value, "replayed_at": now}
        for one, outcome in settled
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(SILVER_QUARANTINE_REPLAYS))
