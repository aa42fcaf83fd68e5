"""The `events` query: every record read, judged and kept once, and the accepted events become one living profile per person.

    Kafka -> parse -> deduplication by message, under a watermark on arrival -> events_batch.py, for each micro-batch

Late rule: none. The watermark's clock is the micro-batch's own time, fixed in the offset log, so no record can be behind
it, however old; only message ids are forgotten, `events.dedupe_days` after they were taken in. What is accepted is added to
its actor's day, whenever that was.
"""

import atexit
import functools
import logging
from threading import Thread

from pyspark.errors import StreamingQueryException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from lakehouse.audiences import kept_audiences
from lakehouse.audiences.teller import teller
from lakehouse.catalog import of_part
from lakehouse.config import Config
from lakehouse.errors import QualityError
from lakehouse.events import dedupe
from lakehouse.events.declared_properties import check_stored, with_declared
from lakehouse.events.event_rows import NOTHING_DECLARED, Declarations
from lakehouse.events.parse import ARRIVED_AT, parse
from lakehouse.kafka.source import read_range, read_records
from lakehouse.lake import checkpoint
from lakehouse.lake.delta import Lake
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.models.registry import Champions
from lakehouse.online.change_publisher import KafkaChanges
from lakehouse.online.engines import open_kept_store, open_store, store_url
from lakehouse.online.online_step import OnlineStep
from lakehouse.people.erasure import Erasures
from lakehouse.people.held_back import HeldBack
from lakehouse.profiles.batch_record import Note, nothing_noted
from lakehouse.profiles.micro_batch import MicroBatch, utc_now
from lakehouse.quality.data_quality import DataQuality, Tell, nothing_told
from lakehouse.queries import ledger_history, unfinished
from lakehouse.queries.declarations import declarations, declared_audiences
from lakehouse.queries.events_batch import NO_PARTS, EventsBatch, Parts, TakeIn, finish
from lakehouse.queries.feature_history import FeatureHistory, keep_declared
from lakehouse.queries.known_records import Known, known
from lakehouse.queries.lost_records import refuse_lost
from lakehouse.spark.streams import Start, trigger
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE

NAME = "events"
KNOWN = {"events": SILVER_EVENTS, "quarantine": SILVER_EVENTS_QUARANTINE}  # the latter is written before the former
IDLE_SECONDS = 1
STORE_TIMEOUT_MS = 1000  # a whole micro-batch is written, nobody waits for an answer
log = logging.getLogger("stitchlake.profiles")


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


def writer(
    lake: Lake,
    records: DataFrame,
    take_in: TakeIn,
    *,
    declared: Declarations = NOTHING_DECLARED,
    held: Known | None = None,
    parts: Parts = NO_PARTS,
) -> DataStreamWriter:
    """The query over a stream of records, to be started. silver.events gets the columns that are declared.

    `held`: what `known` says, where the caller has it.
    """
    known_there = held or known(lake, NAME, KNOWN)
    body = EventsBatch(lake, NAME, take_in, known_there, table=events_table(lake, declared), parts=parts)
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
        finish(lake, NAME, micro_batch, functools.partial(read_range, lake), declared, micro_batch.features)
        erasures.between_batches()
    when = trigger(config.trigger_seconds, available_now=available_now)
    parts = Parts(
        features=lambda: micro_batch.features,
        upkeep=upkeep,
        quality=quality,
        window_seconds=0 if available_now else lake.config.quality.window_seconds,  # nobody comes back for an open one
        begin=functools.partial(unfinished.begin, lake, NAME, held["events"]),
        size=lambda once: checkpoint.size(lake.spark, lake.checkpoint(NAME), once.batch_id),
        held_back=held_back,
        between=erasures.between_batches,
    )
    to_start = writer(lake, records, micro_batch, declared=declared, held=held, parts=parts)
    query = to_start.trigger(**when).start()
    if not available_now:
        beside = (query, micro_batch, upkeep, FeatureHistory(lake, micro_batch, NAME, declared.properties), erasures)
        Thread(target=_go_on_while_idle, args=beside, name="events-idle", daemon=True).start()
    return query


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
