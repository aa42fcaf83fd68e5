"""A micro-batch of the `events` query, from the rows it is handed to every table that follows from them.

    quarantine, silver.events -> leaf rows of the new events -> MicroBatch: every table of profiles
                              -> silver.event_faults, silver.consent, silver.sessions, beside it

And the micro-batch that did not end, and whose checkpoint is gone: see finish().
"""

import functools
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.consent.ledger import statements
from lakehouse.events import dedupe
from lakehouse.events.event_rows import NOTHING_DECLARED, Declarations
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction, transaction
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.people.held_back import HeldBack
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.leaf import EVENT_COLUMNS, leaf, with_day
from lakehouse.quality.data_quality import DataQuality
from lakehouse.queries import unfinished
from lakehouse.queries.known_records import Known, is_news
from lakehouse.queries.silver_writes import Accepted, faults, write_events, write_faults, write_statements
from lakehouse.sessions import visits
from lakehouse.sessions.session_step import SessionStep
from lakehouse.tables.consent import SILVER_CONSENT
from lakehouse.tables.contract import Table
from lakehouse.tables.events import SILVER_EVENT_FAULTS, SILVER_EVENTS

OF_LEAVES = [*EVENT_COLUMNS, "traits", "source", "is_bot"]  # what of events leaf rows are made of
FEW_RECORDS = 5_000  # go through the driver, each of events.max_bytes at most
log = logging.getLogger("stitchlake.profiles")

TakeIn = Callable[[DataFrame | pa.Table, Transaction, BatchRecord], None]
"""What a MicroBatch does with the leaf rows of a batch; few are on the driver."""
Begin = Callable[[Transaction], None]
"""Is told of a batch before anything of it is written."""

Summed = Callable[[], Features]
"""The features of whose facts leaf rows tell now."""
Size = Callable[[Transaction], int | None]
"""How many records a batch was made of; None = that is not known."""


def nobody_knows(_: Transaction) -> None:
    """Of a stream that is not of Kafka's."""


def no_features() -> Features:
    """Of a query that declares none."""
    return NO_FEATURES


def nothing_between() -> None:
    """Of a query after whose batches nothing is to be done."""


def nobody_told(_: Transaction) -> None:
    """Of a query whose checkpoint nobody loses."""


def leaves(events: DataFrame, config: Config, features: Features = NO_FEATURES) -> DataFrame:
    """Accepted events with `traits` and `source` -> leaf rows, without those of programs."""
    of_people = events.where(~F.col("is_bot")).select(*EVENT_COLUMNS, *features.reads, "traits", "source")
    return leaf(with_day(of_people), rates=config.money.rates, features=features)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a query has its batches done with; each of them may be left out.

    features: see Summed. upkeep: of the tables it writes, None = they are left as they are written; it has its turn when everything is. quality: judges the events by
    windows of `window_seconds`; None = nothing is judged. begin, size: see Begin and Size. held_back: knows who was erased; None = nobody. between: is called
    when a batch is written, and nobody writes.
    """

    features: Summed = no_features
    upkeep: Upkeep | None = None
    quality: DataQuality | None = None
    window_seconds: int = 0
    begin: Begin = nobody_told
    size: Size = nobody_knows
    held_back: HeldBack | None = None
    between: Callable[[], None] = nothing_between


NO_PARTS = Parts()


class EventsBatch:
    """The body of foreachBatch. A replay, whole or after a crash between any two writes, changes nothing: see docs/decisions/0070.

    `table`: silver.events, with the columns that are declared.
    """

    def __init__(
        self,
        lake: Lake,
        query: str,
        take_in: TakeIn,
        known: Known,
        *,
        table: Table = SILVER_EVENTS,
        parts: Parts = NO_PARTS,
    ) -> None:
        self._lake = lake
        self._query = query
        self._take_in = take_in
        self._known = known
        self._table = table
        self._parts = parts
        self._upkeep = parts.upkeep or Upkeep(lake, ())
        self._sessions = SessionStep(lake) if lake.config.enrichment.sessions else None
        self._renewals = (0, 0)

    def __call__(self, rows: DataFrame, batch_id: int) -> None:
        with self._upkeep.turn:
            self._write(rows, batch_id)
            self._parts.between()
            self._upkeep.pause()

    def _write(self, rows: DataFrame, batch_id: int) -> None:
        quality, held_back = self._parts.quality, self._parts.held_back
        judge = None if quality is None else functools.partial(quality.took, SILVER_EVENTS)
        if quality is not None:
            quality.check()
        lake, once = self._lake, transaction(self._query, rows, batch_id)
        self._parts.begin(once)
        record = BatchRecord(batch_id)
        rows = rows.where((F.col("asks") == dedupe.REJECTED) | is_news(self._known["events"]))
        with self._settled(rows, once, record) as told:
            answered = told if held_back is None else held_back.left(told)
            if self._sessions is not None:
                self._prepare(self._sessions)
            with record.stage("events"):
                known_there = self._known["quarantine"]
                accepted = write_events(lake, answered, once, known=known_there, table=self._table, judge=judge)
            record.accepted, record.quarantined = accepted.count, dict(accepted.quarantined)
            record.first_arrival = accepted.first_arrival
            with ThreadPoolExecutor(3) as beside:
                others = [
                    beside.submit(self._write_faults, accepted, once, record),
                    beside.submit(self._keep_statements, accepted, once, record),
                ]
                if self._sessions is not None:
                    others.append(beside.submit(self._keep_sessions, self._sessions, accepted, record))
                with record.stage("leaf"):
                    told = self._leaves(accepted.events)
                self._take_in(told, once, record)
                for other in others:
                    other.result()
        if quality is not None:
            quality.settle(self._parts.window_seconds)

    def _prepare(self, sessions: SessionStep) -> None:
        """Rows of silver.events may have gone since: of people who were erased, or by age."""
        held_back = self._parts.held_back
        renewals = (0 if held_back is None else held_back.renewals, self._upkeep.agings)
        if renewals != self._renewals:
            self._renewals = renewals
            sessions.start_again()
        sessions.prepare()

    @contextmanager
    def _settled(self, rows: DataFrame, once: Transaction, record: BatchRecord) -> Iterator[DataFrame | pa.Table]:
        """The rows, made once: few are on the driver."""
        size = self._parts.size(once) if self._lake.uses_delta_rs else None
        if size is not None and size <= FEW_RECORDS:
            with record.stage("events"):
                few = rows.toArrow()
            yield few
            return
        rows = rows.persist()
        try:
            yield rows
        finally:
            rows.unpersist()

    def _leaves(self, events: DataFrame | pa.Table) -> DataFrame | pa.Table:
        """Few events are on the driver, and so are their leaf rows."""
        lake, config, features = self._lake, self._lake.config, self._parts.features()
        if isinstance(events, pa.Table):
            events = events.select([*OF_LEAVES, *features.reads])
            if events.num_rows <= FEW_RECORDS:
                made = functools.partial(leaves, config=config, features=features)
                return lake.few_rows.run("leaves", made, version=features.version, events=events)
            events = lake.frame(events)
        return leaves(events, config, features)

    def _write_faults(self, accepted: Accepted, once: Transaction, record: BatchRecord) -> None:
        with record.stage("faults"):
            write_faults(self._lake, accepted, once)

    def _keep_statements(self, accepted: Accepted, once: Transaction, record: BatchRecord) -> None:
        with record.stage("consent"):
            write_statements(self._lake, accepted, once)

    def _keep_sessions(self, step: SessionStep, accepted: Accepted, record: BatchRecord) -> None:
        with record.stage("sessions"):
            events = accepted.events
            step.take_in(events if isinstance(events, pa.Table) else events.select(*visits.COLUMNS).toArrow())


def finish(
    lake: Lake,
    query: str,
    take_in: TakeIn,
    read: unfinished.Read,
    declared: Declarations = NOTHING_DECLARED,
    features: Features = NO_FEATURES,
) -> None:
    """Take in what silver has of a micro-batch that did not end, and whose checkpoint is gone; see lakehouse/queries/unfinished.py.

    As its replay would. What was taken in of it already changes nothing.
    """
    begun = unfinished.left_behind(lake, query)
    events = None if begun is None else unfinished.events_of(lake, begun, read, declared)
    if begun is None or events is None:
        return
    events = events.persist()
    try:
        told = events.agg(F.count("*").alias("all"), F.count_if(F.col("is_read").isNull()).alias("gone")).first()
        assert told is not None
        log.warning(
            "%s: its checkpoint is gone; its last micro-batch is gone through again, %d events", query, told["all"]
        )
        if told["gone"]:
            log.warning(
                "%s: %d of their records are gone: batch/rebuild.py has their traits from bronze", query, told["gone"]
            )
        lake.append(faults(events), SILVER_EVENT_FAULTS, begun.once)
        lake.append(statements(events), SILVER_CONSENT, begun.once)
        if lake.config.enrichment.sessions:
            sessions = SessionStep(lake)
            sessions.prepare()
            sessions.take_in(events.select(*visits.COLUMNS).toArrow())
        take_in(leaves(events, lake.config, features), begun.once, BatchRecord(begun.once.batch_id))
    finally:
        events.unpersist()
