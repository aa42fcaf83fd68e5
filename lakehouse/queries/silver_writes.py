"""silver.events, silver.event_faults, silver.events_quarantine of one micro-batch: every record judged by its contract, and kept once.

A record that is a fact of no person (lakehouse/events/facts.py) goes to the table of its kind instead.

Duplicate rule: the same message_id with the same content is a repeat and is dropped; with another it is a conflict and
goes to quarantine. The first in a Kafka partition is the event; across partitions, one of the first batch they come in.

What is new is the same on a replay, but of the copies of one content in two Kafka partitions either may be the one that is left, and
so another content may come first, or the same one with another time of sending. So the tables decide: Delta skips an append it
has had, and after a crash the replay takes for its events what the attempt before decided.
"""

from datetime import datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.events import dedupe, verdict
from lakehouse.events.content_hash import content_hash
from lakehouse.events.fact_tables import FACT_TABLES
from lakehouse.events.reasons import FACT, ID_CONFLICT
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction
from lakehouse.queries.known_records import Ends, is_news
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENT_FAULTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE

_CLOCK_SLACK = timedelta(days=1)  # the hour the clock is ahead, and more than a machine's clock is ever set back
_BESIDE = ("traits", "faults", "source")  # what an event has that silver.events does not


def write_events(lake: Lake, rows: DataFrame, once: Transaction, *, known: Ends) -> DataFrame:
    """Decide what the events of the batch are, and append them to silver.events; what is not one goes to quarantine first.

    Quarantine is written first, and decides between contents: an event is a content that quarantine does not hold, which is
    never in both tables and never in none. Then silver.events decides between copies: where it has had the batch, its rows are
    the events.

    Args:
        lake: the lake.
        rows: the answered rows of lakehouse/events/dedupe.py, persisted.
        once: the batch.
        known: how far quarantine reached before the checkpoint: that is there, and is not put there again.

    Returns:
        The events: the columns of silver.events, and `traits`, `faults`, `source`.
    """
    conflicts = _quarantine(lake, rows, once, known)
    events = rows.where(F.col("asks") == dedupe.CONTENT)
    if lake.has_had(SILVER_EVENTS, once):
        beside = F.broadcast(events.select("message_id", "content_hash", *_BESIDE))
        held = lake.read(SILVER_EVENTS).join(beside, on=["message_id", "content_hash"], how="inner")
        return held.dropDuplicates(["message_id"])  # it may hold an id that was forgotten twice
    if conflicts is not None:
        events = events.join(conflicts, on="content_hash", how="left_anti")
    lake.append(events, SILVER_EVENTS, once)
    return events


def _quarantine(lake: Lake, rows: DataFrame, once: Transaction, known: Ends) -> DataFrame | None:
    """Append what is no event, and fold the facts. [content_hash] of contents that are conflicts; None where there is none."""
    judged = rows.where(F.col("asks") == dedupe.REJECTED).unionByName(dedupe.conflicts(rows))
    judged = judged.withColumn("quarantined_at", F.current_timestamp()).persist()
    is_fact = F.col("reason") == FACT
    try:
        clocks = judged.groupBy("reason").agg(F.min("remembered_at").alias("clock")).collect()  # one row per reason
        clock = {row["reason"]: row["clock"] for row in clocks}
        if clock.keys() - {FACT}:
            lake.append(judged.where(~is_fact & is_news(known)), SILVER_EVENTS_QUARANTINE, once)
        if FACT in clock:
            keep_facts(lake, judged.where(is_fact))
        return _conflicts_since(lake, clock[ID_CONFLICT] - _CLOCK_SLACK) if ID_CONFLICT in clock else None
    finally:
        judged.unpersist()


def keep_facts(lake: Lake, told: DataFrame) -> None:
    """Set what the facts say, each in its table. Whatever is told again, or late, changes nothing that holds."""
    for table, fold in FACT_TABLES.items():
        lake.upsert(fold.rows(told), table, update_when=fold.update_when)


def _conflicts_since(lake: Lake, since: datetime) -> DataFrame:
    """`content_hash` of the conflicts in quarantine. A batch's own are younger than its clock, less the slack."""
    is_recent = F.col("quarantined_at") >= F.lit(since)
    conflicts = lake.read(SILVER_EVENTS_QUARANTINE).where(is_recent & (F.col("reason") == ID_CONFLICT))
    return conflicts.select(content_hash(F.col("value")).alias("content_hash"))


def write_faults(lake: Lake, events: DataFrame, once: Transaction) -> None:
    """Append what was wrong with events that are accepted all the same."""
    faulty = events.where(F.col("faults").isNotNull())
    if not faulty.isEmpty():
        lake.append(faults(faulty), SILVER_EVENT_FAULTS, once)


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
