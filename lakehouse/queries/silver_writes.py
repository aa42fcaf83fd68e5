"""silver.events, silver.event_faults, silver.consent, silver.events_quarantine of one micro-batch: every record judged by its contract, and kept once.

A record that is a fact of no person (lakehouse/events/facts.py) goes to the table of its kind instead.

Duplicate rule: the same message_id with the same content is a repeat and is dropped; with another it is a conflict and
goes to quarantine. The first in a Kafka partition is the event; across partitions, one of the first batch they come in.

What is new is the same on a replay, but of the copies of one content in two Kafka partitions either may be the one that is left, and
so another content may come first, or the same one with another time of sending. So the tables decide: Delta skips an append it
has had, and after a crash the replay takes for its events what the attempt before decided.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.consent.ledger import COLUMNS as STATED
from lakehouse.consent.ledger import statements, statements_of
from lakehouse.events import dedupe, verdict
from lakehouse.events.content_hash import content_hash_of
from lakehouse.events.fact_tables import FACT_TABLES
from lakehouse.events.reasons import FACT, ID_CONFLICT, UNEXPECTED
from lakehouse.lake.checkpoint import Ends
from lakehouse.lake.delta import Lake, arrow_schema, conform
from lakehouse.lake.transaction import Transaction
from lakehouse.quality.counts import Counts, counted, counted_here, first_broken
from lakehouse.queries.known_records import is_news, is_news_here
from lakehouse.tables.consent import SILVER_CONSENT
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENT_FAULTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from lakehouse.tables.expectation import Action

FEW_BYTES = 2**24  # of records that pass through the driver: some 20,000
_CLOCK_SLACK = timedelta(days=1)  # the hour the clock is ahead, and more than a machine's clock is ever set back
_BESIDE = ("traits", "faults", "source")  # what an event has that silver.events does not
_OF_FAULTS = (*SILVER_EVENTS.key, *BRONZE_EVENTS.key, "event", "source")


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The events of a micro-batch.

    events: the columns of silver.events, and `traits`, `faults`, `source`; on the driver, where they passed through it anyway.
    are_few: whether they fit into the driver's memory. have_faults: whether something is wrong with any of them. have_statements: whether any says
    something of consent. count, first_arrival: of the batch's events, and when Kafka took the first of
    them. quarantined: how many records are no events, by reason.
    """

    events: DataFrame | pa.Table
    are_few: bool
    have_faults: bool
    have_statements: bool
    count: int
    first_arrival: datetime | None
    quarantined: Mapping[str, int]


Judge = Callable[[Counts], None]
"""What is handed how the events keep to what is expected of them."""


def write_events(
    lake: Lake,
    rows: DataFrame | pa.Table,
    once: Transaction,
    *,
    known: Ends,
    table: Table = SILVER_EVENTS,
    judge: Judge | None = None,
) -> Accepted:
    """Decide what the events of the batch are, and append them to silver.events; what is not one goes to quarantine first.

    Quarantine is written first, and decides between contents: an event is a content that quarantine does not hold, which is
    never in both tables and never in none. Then silver.events decides between copies: where it has had the batch, its rows are
    the events.

    Args:
        lake: the lake.
        rows: the answered rows of lakehouse/events/dedupe.py, persisted, or few on the driver.
        once: the batch.
        table: the contract of silver.events, with what is declared.
        known: how far quarantine reached before the checkpoint: that is there, and is not put there again.
        judge: is called before an event is written, and what it raises is raised; None = nothing is counted.
    """
    if isinstance(rows, pa.Table):
        are_conflicts = dedupe.are_conflicts(rows)
        is_replay = any(lake.has_had(decides, once) for decides in (SILVER_EVENTS_QUARANTINE, SILVER_EVENTS))
        # What is known from before the checkpoint decides between contents, too: quarantine must be read.
        is_decided = not (is_replay or (known and any(are_conflicts)))
        if is_decided and first_broken(SILVER_EVENTS, Action.QUARANTINE) is None:
            return _write_here(lake, rows, are_conflicts, once, known, table, judge)
        rows = lake.frame(rows)
    return _write_by_spark(lake, rows, once, known, table, judge)


def _write_by_spark(
    lake: Lake, rows: DataFrame, once: Transaction, known: Ends, table: Table, judge: Judge | None
) -> Accepted:
    """`write_events` of a batch of which tables may have something."""
    contents = rows.where(F.col("asks") == dedupe.CONTENT)
    judged = rows.where(F.col("asks") == dedupe.REJECTED).unionByName(dedupe.conflicts(rows))
    breaks = first_broken(SILVER_EVENTS, Action.QUARANTINE)
    if breaks is not None:
        if judge is not None:
            judge(counted(contents, SILVER_EVENTS))  # those that are put aside among them
            judge = None
        judged = judged.unionByName(_unexpected(contents, breaks, judged))
        contents = contents.where(breaks.isNull())
    judged = judged.withColumn("quarantined_at", F.current_timestamp()).persist()
    try:
        tallies = _tallies(judged, contents)
        are_few = sum(tally.bytes for tally in tallies.values()) <= FEW_BYTES
        conflicts = _quarantine(lake, judged, tallies, once, known, are_few=are_few)
    finally:
        judged.unpersist()
    events: DataFrame | pa.Table = contents
    if lake.has_had(SILVER_EVENTS, once):
        beside = F.broadcast(contents.select("message_id", "content_hash", *_BESIDE))
        held = lake.read(table).join(beside, on=["message_id", "content_hash"], how="inner")
        events = held.dropDuplicates(["message_id"])  # it may hold an id that was forgotten twice
    else:
        if conflicts is not None:
            events = contents.join(conflicts, on="content_hash", how="left_anti")
        if are_few and lake.uses_delta_rs:
            events = conform(events, table, *_BESIDE).toArrow()
        _append(lake, events, table, once, judge)
    new = tallies.get(dedupe.CONTENT)
    quarantined = {reason: tally.rows for reason, tally in tallies.items() if reason not in (FACT, dedupe.CONTENT)}
    return Accepted(
        events=events,
        are_few=are_few,
        have_faults=new is not None and new.faulty > 0,
        have_statements=new is not None and new.stated > 0,
        count=0 if new is None else new.rows - quarantined.get(ID_CONFLICT, 0),
        first_arrival=None if new is None else new.arrival.replace(tzinfo=UTC),
        quarantined=quarantined,
    )


def _unexpected(contents: DataFrame, breaks: Column, judged: DataFrame) -> DataFrame:
    """The contents that an expectation puts aside, and that are not judged yet."""
    aside = contents.withColumns({"reason": F.lit(UNEXPECTED), "detail": breaks}).where("detail IS NOT NULL")
    place = list(BRONZE_EVENTS.key)
    return aside.join(judged.select(*place), on=place, how="left_anti").select(*judged.columns)


def _write_here(
    lake: Lake,
    rows: pa.Table,
    are_conflicts: Sequence[bool],
    once: Transaction,
    known: Ends,
    table: Table,
    judge: Judge | None,
) -> Accepted:
    """`write_events` on the driver, of a batch of which no table has anything: there is nothing to find out there."""
    is_conflict = pa.array(are_conflicts, pa.bool_())
    is_content = pc.equal(rows["asks"], dedupe.CONTENT)
    contents, conflicts = rows.filter(pc.and_not(is_content, is_conflict)), rows.filter(is_conflict)
    for name, said in (("reason", ID_CONFLICT), ("detail", dedupe.OTHER_CONTENT)):
        column = pa.repeat(pa.scalar(said, pa.string()), conflicts.num_rows)
        conflicts = conflicts.set_column(conflicts.column_names.index(name), rows.schema.field(name), column)
    judged = pa.concat_tables([rows.filter(pc.equal(rows["asks"], dedupe.REJECTED)), conflicts])
    is_fact = pc.equal(judged["reason"], FACT)
    told, rejected = judged.filter(is_fact), judged.filter(pc.invert(is_fact))
    aside = _at_once(rejected.filter(is_news_here(rejected, known)), "quarantined_at")
    lake.append(_typed(aside, SILVER_EVENTS_QUARANTINE), SILVER_EVENTS_QUARANTINE, once)
    if told.num_rows:
        keep_facts(lake, lake.frame(told.select(["fact"])))
    events = _typed(contents, table)
    for name in _BESIDE:
        events = events.append_column(name, contents[name])
    _append(lake, events, table, once, judge)
    first: datetime | None = pc.min(contents["kafka_timestamp"]).as_py()
    return Accepted(
        events=events,
        are_few=True,
        have_faults=bool(pc.any(pc.greater(pc.list_value_length(contents["faults"]), 0)).as_py()),
        have_statements=contents["consent"].null_count < contents.num_rows,
        count=contents.num_rows,
        first_arrival=first,
        quarantined=Counter(rejected["reason"].to_pylist()),
    )


def _at_once(rows: pa.Table, column: str) -> pa.Table:
    """With a column that says now."""
    now = pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC"))
    return rows.append_column(column, pa.repeat(now, rows.num_rows))


def _typed(rows: pa.Table, table: Table) -> pa.Table:
    """The columns of the table, in the types of its contract."""
    schema = pa.schema([field.with_nullable(True) for field in arrow_schema(table)])
    return rows.select(schema.names).cast(schema)


def _append(lake: Lake, events: DataFrame | pa.Table, table: Table, once: Transaction, judge: Judge | None) -> None:
    """Have the events counted, and append them. Those that are on the driver are counted there: Spark takes 0.1 s."""
    if isinstance(events, pa.Table):
        events = events.select(table.column_names)
    if judge is not None:
        judge(counted_here(events, table) if isinstance(events, pa.Table) else counted(events, table))
    lake.append(events, table, once)


class _Tally(NamedTuple):
    """Of the rows of one reason. bytes: of their records. faulty: how many have faults. stated: how many say something of consent. clock: the least time they are remembered at.

    arrival: when Kafka took the first of them.
    """

    rows: int
    bytes: int
    faulty: int
    stated: int
    clock: datetime
    arrival: datetime


def _tallies(judged: DataFrame, contents: DataFrame) -> dict[str, _Tally]:
    """By reason; contents, those that are conflicts among them, under a name of their own."""
    told = ("reason", "value", "faults", "consent", "remembered_at", "kafka_timestamp")
    both = judged.select(*told).unionByName(contents.withColumn("reason", F.lit(dedupe.CONTENT)).select(*told))
    size = F.coalesce(F.sum(F.octet_length("value")), F.lit(0))
    tallied = both.groupBy("reason").agg(
        F.count("*"),
        size,
        F.count_if(F.size("faults") > 0),
        F.count_if(F.col("consent").isNotNull()),
        F.min("remembered_at"),
        F.min("kafka_timestamp"),
    )
    return {reason: _Tally(*figures) for reason, *figures in tallied.collect()}  # one row per reason


def _quarantine(
    lake: Lake, judged: DataFrame, tallies: Mapping[str, _Tally], once: Transaction, known: Ends, *, are_few: bool
) -> DataFrame | None:
    """Append what is no event, and fold the facts. [content_hash] of contents that are conflicts; None where there is none."""
    is_fact = F.col("reason") == FACT
    if tallies.keys() - {FACT, dedupe.CONTENT}:
        lake.append(judged.where(~is_fact & is_news(known)), SILVER_EVENTS_QUARANTINE, once, are_few=are_few)
    if FACT in tallies:
        keep_facts(lake, judged.where(is_fact))
    return _conflicts_since(lake, tallies[ID_CONFLICT].clock - _CLOCK_SLACK) if ID_CONFLICT in tallies else None


def keep_facts(lake: Lake, told: DataFrame) -> None:
    """Set what the facts say, each in its table. Whatever is told again, or late, changes nothing that holds."""
    for table, fold in FACT_TABLES.items():
        lake.upsert(fold.rows(told), table, update_when=fold.update_when)


def _conflicts_since(lake: Lake, since: datetime) -> DataFrame:
    """`content_hash` of the conflicts in quarantine. A batch's own are younger than its clock, less the slack."""
    is_recent = F.col("quarantined_at") >= F.lit(since)
    conflicts = lake.read(SILVER_EVENTS_QUARANTINE).where(is_recent & (F.col("reason") == ID_CONFLICT))
    return conflicts.select(content_hash_of(F.col("value")).alias("content_hash"))


def write_faults(lake: Lake, accepted: Accepted, once: Transaction) -> None:
    """Append what was wrong with events that are accepted all the same."""
    if not accepted.have_faults:
        return
    table, events = SILVER_EVENT_FAULTS, accepted.events
    if isinstance(events, pa.Table):
        told = events.select([*_OF_FAULTS, "faults"])
        found = lake.few_rows.run(
            table.name, _faults, events=told.filter(pc.greater(pc.list_value_length(told["faults"]), 0))
        )
        lake.append(_typed(_at_once(found, "told_at"), table), table, once)
    else:
        lake.append(faults(events), table, once, are_few=accepted.are_few)


def write_statements(lake: Lake, accepted: Accepted, once: Transaction) -> None:
    """Append to the ledger what the events say of consent. Where none says anything, nothing is done."""
    if not accepted.have_statements:
        return
    events = accepted.events
    if isinstance(events, pa.Table):
        lake.append(statements_of(events.select(list(STATED))), SILVER_CONSENT, once)
    else:
        lake.append(statements(events), SILVER_CONSENT, once, are_few=accepted.are_few)


def faults(events: DataFrame) -> DataFrame:
    """Accepted events with `faults` and `source` -> rows of silver.event_faults."""
    return _faults(events).withColumn("told_at", F.current_timestamp())


def _faults(events: DataFrame) -> DataFrame:
    told = events.select(*_OF_FAULTS, F.explode("faults").alias("fault"))
    detail = verdict.detail_of(F.col("fault"))
    return told.select(
        "*",
        verdict.reason_of(F.col("fault")).alias("reason"),
        F.substring_index(detail, ": ", 1).alias("field"),
        F.substring_index(detail, ": ", -1).alias("expected"),
    ).dropDuplicates(list(SILVER_EVENT_FAULTS.key))
