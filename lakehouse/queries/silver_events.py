"""silver.events, silver.event_faults, silver.events_quarantine: every record parsed, judged by its contract, and kept once.

A record that is a fact of no person (lakehouse/events/facts.py) goes to the table of its kind instead.

Duplicate rule: the same message_id with the same content is a repeat and is dropped; with another it is a conflict and
goes to quarantine. The first in a Kafka partition is the event; across partitions, one of the first batch they come in.

Late rule: none. The watermark's clock is the micro-batch's own time, fixed in the offset log, so no record can be behind
it, however old; only message ids are forgotten, `events.dedupe_days` after they were taken in.
"""

from datetime import datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.config import Config
from lakehouse.events import dedupe, verdict
from lakehouse.events.content_hash import content_hash
from lakehouse.events.fact_tables import FACT_TABLES
from lakehouse.events.parse import parse
from lakehouse.events.reasons import FACT, ID_CONFLICT
from lakehouse.kafka.source import read_records
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction, transaction
from lakehouse.spark.streams import trigger
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENT_FAULTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE

NAME = "silver_events"

_CLOCK_SLACK = timedelta(days=1)  # the hour the clock is ahead, and more than a machine's clock is ever set back


def transform(records: DataFrame, config: Config) -> DataFrame:
    """Kafka records (stream) -> rows of lakehouse/events/dedupe.py: what is new, each question of a record its own row."""
    asked = dedupe.ask(parse(records, config))
    return dedupe.answer(asked, clock=next_hour(), days=config.events.dedupe_days)


def next_hour() -> Column:
    """The next full hour of the micro-batch: never behind the watermark, the same on a replay.

    By the hour, because Spark runs an extra, empty micro-batch whenever the watermark moves.
    """
    return F.date_trunc("hour", F.current_timestamp()) + F.make_dt_interval(hours=F.lit(1))


def write_batch(lake: Lake, rows: DataFrame, once: Transaction) -> None:
    """Append the answered rows to both tables, each once, whatever is replayed.

    Quarantine is written first, and decides. What is new is the same on a replay, but of the copies of one content in
    two Kafka partitions either may be the one that is left, and so another content may come first. Delta skips an append
    it has had, so after a crash between the two writes quarantine holds what the attempt before decided: where there are
    conflicts, an event is a content that quarantine does not hold, which is never in both tables and never in none.
    """
    rows = rows.persist()
    judged = rows.where(F.col("asks") == dedupe.REJECTED).unionByName(dedupe.conflicts(rows))
    judged = judged.withColumn("quarantined_at", F.current_timestamp()).persist()
    is_fact = F.col("reason") == FACT
    try:
        clocks = judged.groupBy("reason").agg(F.min("remembered_at").alias("clock")).collect()  # one row per reason
        clock = {row["reason"]: row["clock"] for row in clocks}
        if clock.keys() - {FACT}:
            lake.append(judged.where(~is_fact), SILVER_EVENTS_QUARANTINE, once)
        events = rows.where(F.col("asks") == dedupe.CONTENT)
        if ID_CONFLICT in clock:
            held = _conflicts_since(lake, clock[ID_CONFLICT] - _CLOCK_SLACK)
            events = events.join(held, on="content_hash", how="left_anti")
        lake.append(events, SILVER_EVENTS, once)
        faulty = events.where(F.col("faults").isNotNull())
        if not faulty.isEmpty():
            lake.append(faults(faulty), SILVER_EVENT_FAULTS, once)
        if FACT in clock:
            keep_facts(lake, judged.where(is_fact))
    finally:
        judged.unpersist()
        rows.unpersist()


def keep_facts(lake: Lake, told: DataFrame) -> None:
    """Set what the facts say, each in its table. Whatever is told again, or late, changes nothing that holds."""
    for table, fold in FACT_TABLES.items():
        lake.upsert(fold.rows(told), table, update_when=fold.update_when)


def faults(events: DataFrame) -> DataFrame:
    """Accepted events with `faults` and `source` -> rows of silver.event_faults."""
    told = events.select(*SILVER_EVENTS.key, *BRONZE_EVENTS.key, "event", "source", F.explode("faults").alias("fault"))
    detail = verdict.detail_of(F.col("fault"))
    return told.select(
        "*",
        verdict.reason_of(F.col("fault")).alias("reason"),
        F.substring_index(detail, ": ", 1).alias("field"),
        F.substring_index(detail, ": ", -1).alias("expected"),
        F.current_timestamp().alias("told_at"),
    ).dropDuplicates(list(SILVER_EVENT_FAULTS.key))


def _conflicts_since(lake: Lake, since: datetime) -> DataFrame:
    """`content_hash` of the conflicts in quarantine. A batch's own are younger than its clock, less the slack."""
    is_recent = F.col("quarantined_at") >= F.lit(since)
    conflicts = lake.read(SILVER_EVENTS_QUARANTINE).where(is_recent & (F.col("reason") == ID_CONFLICT))
    return conflicts.select(content_hash(F.col("value")).alias("content_hash"))


def start(lake: Lake, *, available_now: bool) -> StreamingQuery:
    """Start the query; with `available_now` it drains the topic and ends."""
    config = lake.config.silver_events

    def on_batch(rows: DataFrame, batch_id: int) -> None:
        write_batch(lake, rows, transaction(NAME, rows, batch_id))

    return (
        transform(read_records(lake, config.max_offsets_per_trigger, query=NAME), lake.config)
        .writeStream.queryName(NAME)
        .outputMode("append")
        .option("checkpointLocation", lake.checkpoint(NAME))
        .foreachBatch(on_batch)
        .trigger(**trigger(config.trigger_seconds, available_now=available_now))
        .start()
    )
