"""The `events` query: every record read, judged and kept once, and the accepted events become one living profile per person.

    Kafka -> parse -> deduplication by message, under a watermark on arrival -> EventsBatch, for each micro-batch:
    quarantine, silver.events -> leaf rows of the new events -> MicroBatch: every table of profiles
                              -> silver.event_faults, silver.consent, silver.sessions, beside it

Late rule: none. The watermark's clock is the micro-batch's own time, fixed in the offset log, so no record can be behind
it, however old; only message ids are forgotten, `events.dedupe_days` after they were taken in. What is accepted is added to
its actor's day, whenever that was.
"""

import atexit
import functools
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Thread

import pyarrow as pa
from pyspark.errors import StreamingQueryException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from lakehouse.audiences import kept_audiences
from lakehouse.audiences.teller import teller
from lakehouse.catalog import of_part
from lakehouse.config import Config
from lakehouse.consent.ledger import statements
from lakehouse.errors import QualityError
from lakehouse.events import dedupe
from lakehouse.events.declared_properties import check_stored, with_declared
from lakehouse.events.event_rows import NOTHING_DECLARED, Declarations
from lakehouse.events.parse import ARRIVED_AT, parse
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.kafka.source import read_range, read_records
from lakehouse.lake import checkpoint
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction, transaction
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.models.registry import Champions
from lakehouse.online.change_publisher import KafkaChanges
from lakehouse.online.engines import open_kept_store, open_store, store_url
from lakehouse.online.online_step import OnlineStep
from lakehouse.people.erasure import Erasures
from lakehouse.people.held_back import HeldBack
from lakehouse.profiles.batch_record import BatchRecord, Note, nothing_noted
from lakehouse.profiles.leaf import EVENT_COLUMNS, leaf, with_day
from lakehouse.profiles.micro_batch import MicroBatch, utc_now
from lakehouse.quality.data_quality import DataQuality, Tell, nothing_told
from lakehouse.queries import ledger_history, unfinished
from lakehouse.queries.declarations import declarations, declared_audiences
from lakehouse.queries.feature_history import FeatureHistory, keep_declared
from lakehouse.queries.known_records import Known, is_news, known
from lakehouse.queries.lost_records import refuse_lost
from lakehouse.queries.silver_writes import Accepted, faults, write_events, write_faults, write_statements
from lakehouse.sessions import visits
from lakehouse.sessions.session_step import SessionStep
from lakehouse.spark.streams import Start, trigger
from lakehouse.tables.consent import SILVER_CONSENT
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENT_FAULTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE

NAME = "events"
KNOWN = {"events": SILVER_EVENTS, "quarantine": SILVER_EVENTS_QUARANTINE}  # the latter is written before the former
OF_LEAVES = [*EVENT_COLUMNS, "traits", "source", "is_bot"]  # what of events leaf rows are made of
FEW_RECORDS = 5_000  # go through the driver, each of events.max_bytes at most
IDLE_SECONDS = 1
STORE_TIMEOUT_MS = 1000  # a whole micro-batch is written, nobody waits for an answer
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


def transform(records: DataFrame, config: Config, declared: Declarations = NOTHING_DECLARED) -> DataFrame:
    """Kafka records (stream) -> rows of lakehouse/events/dedupe.py: what is new, each question of a record its own row."""
    asked = dedupe.ask(parse(records, config, declared))
    return dedupe.answer(asked, clock=next_hour(F.col(ARRIVED_AT)), days=config.events.dedupe_days)


def next_hour(arrived_at: Column) -> Column:
    """The next full hour of the micro-batch: never behind the watermark, the same on a replay.

    From a column: the time of the micro-batch itself would stand as a number in the code that Spark writes for the widest rows, which it would
    then compile again for each one.
    """
    return F.date_trunc("hour", arrived_at) + F.make_dt_interval(hours=F.lit(1))


def leaves(events: DataFrame, config: Config, features: Features = NO_FEATURES) -> DataFrame:
    """Accepted events with `traits` and `source` -> leaf rows, without those of programs."""
    of_people = events.where(~F.col("is_bot")).select(*EVENT_COLUMNS, *features.reads, "traits", "source")
    return leaf(with_day(of_people), rates=config.money.rates, features=features)


class EventsBatch:
    """The body of foreachBatch. A replay, whole or after a crash between any two writes, changes nothing: see docs/decisions/0070.

    `table`: silver.events, with the columns that are declared. `features`: see Summed. `upkeep`: of the tables it writes. It has its turn when everything is
    written. `quality`: judges the events by windows of so many seconds; None = nothing is judged. `begin`, `size`: see Begin and Size. `held_back`: knows who was
    erased; None = nobody. `between`: is called when a batch is written, and nobody writes.
    """

    def __init__(
        self,
        lake: Lake,
        take_in: TakeIn,
        known: Known,
        *,
        table: Table = SILVER_EVENTS,
        features: Summed = no_features,
        upkeep: Upkeep | None = None,
        quality: DataQuality | None = None,
        window_seconds: int = 0,
        begin: Begin = nobody_told,
        size: Size = nobody_knows,
        held_back: HeldBack | None = None,
        between: Callable[[], None] = nothing_between,
    ) -> None:
        self._lake = lake
        self._take_in = take_in
        self._known = known
        self._table = table
        self._features = features
        self._sessions = SessionStep(lake) if lake.config.enrichment.sessions else None
        self._upkeep = upkeep or Upkeep(lake, ())
        self._quality = quality
        self._window_seconds = window_seconds
        self._begin = begin
        self._size = size
        self._held_back = held_back
        self._between = between
        self._renewals = 0

    def __call__(self, rows: DataFrame, batch_id: int) -> None:
        with self._upkeep.turn:
            self._write(rows, batch_id)
            self._between()
            self._upkeep.pause()

    def _write(self, rows: DataFrame, batch_id: int) -> None:
        judge = None if self._quality is None else functools.partial(self._quality.took, SILVER_EVENTS)
        if self._quality is not None:
            self._quality.check()
        lake, once = self._lake, transaction(NAME, rows, batch_id)
        self._begin(once)
        record = BatchRecord(batch_id)
        rows = rows.where((F.col("asks") == dedupe.REJECTED) | is_news(self._known["events"]))
        with self._settled(rows, once, record) as told:
            answered = told if self._held_back is None else self._held_back.left(told)
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
        if self._quality is not None:
            self._quality.settle(self._window_seconds)

    def _prepare(self, sessions: SessionStep) -> None:
        if self._held_back is not None and self._held_back.renewals != self._renewals:
            self._renewals = self._held_back.renewals
            sessions.start_again()
        sessions.prepare()

    @contextmanager
    def _settled(self, rows: DataFrame, once: Transaction, record: BatchRecord) -> Iterator[DataFrame | pa.Table]:
        """The rows, made once: few are on the driver."""
        size = self._size(once) if self._lake.uses_delta_rs else None
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
        lake, config, features = self._lake, self._lake.config, self._features()
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


def writer(
    lake: Lake,
    records: DataFrame,
    take_in: TakeIn,
    *,
    declared: Declarations = NOTHING_DECLARED,
    features: Summed = no_features,
    held: Known | None = None,
    upkeep: Upkeep | None = None,
    quality: DataQuality | None = None,
    window_seconds: int = 0,
    begin: Begin = nobody_told,
    size: Size = nobody_knows,
    held_back: HeldBack | None = None,
    between: Callable[[], None] = nothing_between,
) -> DataStreamWriter:
    """The query over a stream of records, to be started. silver.events gets the columns that are declared. `features`: see EventsBatch.

    `held`: what `known` says, where the caller has it. `upkeep`: None = the tables are left as they are written. `quality`: judges the
    events by windows of so many seconds. `begin`, `size`: see Begin and Size. `held_back`, `between`: see EventsBatch.
    """
    body = EventsBatch(
        lake, take_in, held or known(lake, NAME, KNOWN), table=events_table(lake, declared), features=features, upkeep=upkeep,
        quality=quality, window_seconds=window_seconds, begin=begin, size=size, held_back=held_back, between=between,
    )  # fmt: skip
    rows = transform(records, lake.config, declared).writeStream.queryName(NAME).outputMode("append")
    return rows.option("checkpointLocation", lake.checkpoint(NAME)).foreachBatch(body)


def events_table(lake: Lake, declared: Declarations) -> Table:
    """The contract of silver.events with what is declared; the stored table gets the columns it lacks."""
    table = with_declared(SILVER_EVENTS, declared.properties)
    lake.create(table)
    if declared.properties:
        check_stored(table, dict(lake.spark.read.format("delta").load(lake.path(table)).dtypes))
    return table


def start(
    lake: Lake,
    *,
    available_now: bool,
    micro_batch: MicroBatch | None = None,
    upkeep: Upkeep | None = None,
    accepts_loss: bool = False,
) -> StreamingQuery:
    """Start the query; with `available_now` it drains the topic and ends. `accepts_loss`: see lakehouse/kafka/source.py.

    Raises:
        LakeError: records that it has not read are gone from the topic, and nobody accepts that.
        QualityError: an expectation has stopped it.
    """
    config = lake.config.profiles
    held = known(lake, NAME, KNOWN)
    if not accepts_loss:
        refuse_lost(lake, NAME, held)
    micro_batch = micro_batch or new_micro_batch(lake)
    quality = micro_batch.quality
    if quality is not None:
        quality.check()
    upkeep = upkeep or new_upkeep(lake)
    declared = declarations(lake.config)
    records = read_records(lake, config.max_offsets_per_trigger, query=NAME, accepts_loss=accepts_loss)
    held_back = HeldBack(lake, declared)
    erasures = Erasures(lake, micro_batch, held_back, declared, clock=utc_now)
    with upkeep.turn:
        micro_batch.catch_up()
        ledger_history.fill(lake, NAME)
        finish(lake, micro_batch, functools.partial(read_range, lake), declared, micro_batch.features)
        erasures.between_batches()
    when = trigger(config.trigger_seconds, available_now=available_now)
    to_start = writer(
        lake, records, micro_batch, declared=declared, features=lambda: micro_batch.features, held=held, upkeep=upkeep, quality=quality,
        window_seconds=0 if available_now else lake.config.quality.window_seconds,  # nobody comes back for an open one
        begin=functools.partial(unfinished.begin, lake, NAME, held["events"]),
        size=lambda once: checkpoint.size(lake.spark, lake.checkpoint(NAME), once.batch_id),
        held_back=held_back, between=erasures.between_batches,
    )  # fmt: skip
    query = to_start.trigger(**when).start()
    if not available_now:
        beside = (query, micro_batch, upkeep, FeatureHistory(lake, micro_batch, NAME, declared.properties), erasures)
        Thread(target=_go_on_while_idle, args=beside, name="events-idle", daemon=True).start()
    return query


def finish(
    lake: Lake,
    take_in: TakeIn,
    read: unfinished.Read,
    declared: Declarations = NOTHING_DECLARED,
    features: Features = NO_FEATURES,
) -> None:
    """Take in what silver has of a micro-batch that did not end, and whose checkpoint is gone; see lakehouse/queries/unfinished.py.

    As its replay would. What was taken in of it already changes nothing.
    """
    begun = unfinished.left_behind(lake, NAME)
    events = None if begun is None else unfinished.events_of(lake, begun, read, declared)
    if begun is None or events is None:
        return
    events = events.persist()
    try:
        told = events.agg(F.count("*").alias("all"), F.count_if(F.col("is_read").isNull()).alias("gone")).first()
        assert told is not None
        log.warning(
            "%s: its checkpoint is gone; its last micro-batch is gone through again, %d events", NAME, told["all"]
        )
        if told["gone"]:
            log.warning(
                "%s: %d of their records are gone: batch/rebuild.py has their traits from bronze", NAME, told["gone"]
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


def starter(note: Note = nothing_noted, tell: Tell = nothing_told) -> Start:
    """`start`, which goes on with its micro-batch when it is called again: two of them must never write side by side.

    `note`: is handed what each micro-batch did. `tell`: what was found of each expectation.
    """
    kept: list[tuple[MicroBatch, Upkeep]] = []

    def start_again(lake: Lake, *, available_now: bool) -> StreamingQuery:
        if not kept:
            kept.append((new_micro_batch(lake, note, tell), new_upkeep(lake)))
        micro_batch, upkeep = kept[0]
        return start(lake, available_now=available_now, micro_batch=micro_batch, upkeep=upkeep)

    return start_again


def new_upkeep(lake: Lake) -> Upkeep:
    """The maintenance of every table that the query writes."""
    return Upkeep(lake, [table for table in of_part(None) if table != BRONZE_EVENTS])


def new_micro_batch(lake: Lake, note: Note = nothing_noted, tell: Tell = nothing_told) -> MicroBatch:
    """What the query does for profiles, with the features, the audiences, the online store and the topics of changes that are declared."""
    config = lake.config
    features = keep_declared(lake, NAME, declarations(config).properties)
    book = declared_audiences(config, features)
    audiences = kept_audiences.keep(lake, book.audiences, features, utc_now())
    publish = None
    if config.online_store.publish_changes:
        kafka = config.kafka
        publish = KafkaChanges(kafka, config.online_store.changes_topic, kafka.partitions)
        atexit.register(publish.close)
    online = OnlineStep(
        lake,
        lambda: open_store(store_url(config), timeout_ms=STORE_TIMEOUT_MS),
        open_kept=lambda: open_kept_store(config),
        publish=publish,
    )
    quality = DataQuality(lake, config.quality, tables=[SILVER_EVENTS], clock=utc_now, tell=tell)
    return MicroBatch(
        lake, Champions(config), online=online, note=note, quality=quality, features=features, audiences=audiences,
        teller=teller(lake, book.declared, lambda: open_kept_store(config), clock=utc_now),
    )  # fmt: skip


def _go_on_while_idle(
    query: StreamingQuery, micro_batch: MicroBatch, upkeep: Upkeep, history: FeatureHistory, erasures: Erasures
) -> None:
    """No event, no micro-batch: overrides and new models must not wait for one, and maintenance and history delay nobody then."""
    while query.isActive:
        try:
            if not query.awaitTermination(IDLE_SECONDS):
                with upkeep.turn:
                    history.go_on()
                    micro_batch.catch_up()
                    erasures.between_batches()
                    if micro_batch.quality is not None:
                        micro_batch.quality.settle(micro_batch.lake.config.quality.window_seconds)
                upkeep.while_idle()
        except StreamingQueryException:  # whoever started the query hears of it
            return
        except QualityError as error:  # the next micro-batch, and the next start, stop at it
            log.error("%s", error)
            return
        except Exception:
            log.exception("catching up without events failed; tried again, and by the next micro-batch")


def start_with(micro_batch: MicroBatch) -> Start:
    """`start` with a micro-batch of the caller's, who wants to know afterwards what it did."""

    def start_events(lake: Lake, *, available_now: bool) -> StreamingQuery:
        return start(lake, available_now=available_now, micro_batch=micro_batch)

    return start_events
