"""The `profiles` query: accepted events become one living profile per person.

Kafka -> the same parse as silver -> deduplication and one aggregation per (actor, UTC day) under one watermark on event
time -> `MicroBatch`, which keeps the identity graph, orders, RFM, segments, scores and the activation table.

Late rule: an event whose day lies more than profiles.watermark_days before the newest day seen comes by way of silver, see
lakehouse/queries/late_events.py; where another driver keeps silver, by batch/reconcile.py. Duplicate rule: the first of a message_id counts.
"""

import atexit
import logging
from threading import Thread

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.config import Config
from lakehouse.events.parse import parse
from lakehouse.kafka.source import read_records
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import Champions
from lakehouse.online.change_publisher import KafkaChanges
from lakehouse.online.engines import open_kept_store, open_store, store_url
from lakehouse.online.online_step import OnlineStep
from lakehouse.profiles.leaf import EVENT_COLUMNS, leaf, with_day
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.queries import silver_events
from lakehouse.queries.late_events import LateEvents
from lakehouse.spark.streams import Start, trigger

NAME = "profiles"
IDLE_SECONDS = 1
STORE_TIMEOUT_MS = 1000  # a whole micro-batch is written, nobody waits for an answer
log = logging.getLogger("stitchlake.profiles")


def transform(records: DataFrame, config: Config) -> DataFrame:
    """Kafka records (stream) -> leaf rows, in update mode: every row that changed, with its absolute values."""
    accepted = parse(records, config).where(F.col("reason").isNull() & ~F.col("is_bot"))
    events = with_day(accepted.select(*EVENT_COLUMNS, "traits"))
    watermarked = events.withWatermark("activity_day", f"{config.profiles.watermark_days} days")
    return leaf(watermarked.dropDuplicatesWithinWatermark(["message_id"]), rates=config.money.rates)


def start(lake: Lake, *, available_now: bool, micro_batch: MicroBatch | None = None) -> StreamingQuery:
    """Start the query; with `available_now` it drains the topic and ends."""
    config = lake.config.profiles
    micro_batch = micro_batch or new_micro_batch(lake)
    micro_batch.catch_up()
    records = read_records(lake, config.max_offsets_per_trigger, query=NAME)
    query = (
        transform(records, lake.config)
        .writeStream.queryName(NAME)
        .outputMode("update")
        .option("checkpointLocation", lake.checkpoint(NAME))
        .foreachBatch(micro_batch)
        .trigger(**trigger(config.trigger_seconds, available_now=available_now))
        .start()
    )
    if not available_now:
        Thread(target=_catch_up_while_idle, args=(lake, query, micro_batch), name="profiles-idle", daemon=True).start()
    return query


def new_micro_batch(lake: Lake) -> MicroBatch:
    """The body of the query, with the online store and the topic of changes the configuration names."""
    config = lake.config
    publish = None
    if config.online_store.publish_changes:
        kafka = config.kafka
        publish = KafkaChanges(kafka.bootstrap_servers, config.online_store.changes_topic, kafka.partitions)
        atexit.register(publish.close)
    online = OnlineStep(
        lake,
        lambda: open_store(store_url(config), timeout_ms=STORE_TIMEOUT_MS),
        open_kept=lambda: open_kept_store(config),
        publish=publish,
    )
    return MicroBatch(lake, Champions(config), online=online)


def _catch_up_while_idle(lake: Lake, query: StreamingQuery, micro_batch: MicroBatch) -> None:
    """No event, no micro-batch: overrides, new models and late events must not wait for one."""
    late: LateEvents | None = None
    while query.isActive:
        try:
            if not query.awaitTermination(IDLE_SECONDS):
                micro_batch.catch_up()
                late = late or _late_events(lake, query, micro_batch)
                if late is not None:
                    late.take_in()
        except StreamingQueryException:  # whoever started the query hears of it
            return
        except Exception:
            log.exception("catching up without events failed; tried again, and by the next micro-batch")


def _late_events(lake: Lake, query: StreamingQuery, micro_batch: MicroBatch) -> LateEvents | None:
    """None while silver is not kept by this driver."""
    silver = next((other for other in lake.spark.streams.active if other.name == silver_events.NAME), None)
    return None if silver is None else LateEvents(lake, query, silver, lambda: micro_batch)


def start_with(micro_batch: MicroBatch) -> Start:
    """`start` with a micro-batch of the caller's, who wants to know afterwards what it did."""

    def start_profiles(lake: Lake, *, available_now: bool) -> StreamingQuery:
        return start(lake, available_now=available_now, micro_batch=micro_batch)

    return start_profiles
