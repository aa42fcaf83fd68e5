"""silver.events and silver.events_quarantine: every record parsed, judged by its contract, and kept once.

Duplicate rule: the same message_id with the same bytes is a repeat and is dropped; with other bytes it is a conflict and
goes to quarantine. The first in a Kafka partition wins; across partitions, the first read.

Late rule: none. The watermark's clock is the time of the micro-batch, fixed in the offset log, so no record can be behind
it, however old; only message ids are forgotten, `events.dedupe_days` after they were taken in.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.command_line import run
from lakehouse.config import Config
from lakehouse.contracts.events import SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from lakehouse.events.parse import parse
from lakehouse.io import Lake
from lakehouse.kafka_source import read_records
from lakehouse.streams import run_queries
from lakehouse.triggers import trigger

NAME = "silver_events"

LINEAGE = ("topic", "partition", "offset")
# What a copy of an accepted row asks of the deduplication: is its id new, is its content new?
ID, CONTENT, REJECTED = "id", "content", "rejected"


def transform(records: DataFrame, config: Config) -> DataFrame:
    """Kafka records (stream) -> judged rows, each at most once per question.

    An accepted record becomes two rows: `id` (the whole event, kept if its message_id is new) and `content` (lineage and
    bytes only, kept if this content of the message_id is new). A new content whose id is not new is a conflict.
    """
    judged = parse(records, config).withColumn("taken_in_at", F.current_timestamp())
    asked = judged.withColumn("asks", F.explode(_questions()))
    keyed = asked.withColumn("dedupe_key", _dedupe_key())
    event_columns = [c for c in SILVER_EVENTS.column_names if c not in (*LINEAGE, "message_id", "content_hash")]
    slim = keyed.select(
        *LINEAGE,
        "message_id",
        "content_hash",
        "asks",
        "dedupe_key",
        "taken_in_at",
        "reason",
        "detail",
        F.when(F.col("asks") != ID, F.col("value")).alias("value"),
        *(F.when(F.col("asks") == ID, F.col(c)).alias(c) for c in event_columns),
    )
    return slim.withWatermark("taken_in_at", f"{config.events.dedupe_days} days").dropDuplicatesWithinWatermark(
        ["asks", "dedupe_key"]
    )


def write_batch(lake: Lake, rows: DataFrame, batch_id: int, *, application: str) -> None:
    """Append the batch to both tables, each once, whatever is replayed."""
    rows = rows.persist()
    try:
        accepted = rows.where(F.col("asks") == ID)
        lake.append(accepted, SILVER_EVENTS, application=application, batch_id=batch_id)
        contents = rows.where(F.col("asks") == CONTENT)
        # By content, not by place: of two repeats the two questions may keep different copies.
        conflicts = contents.join(accepted, on=["message_id", "content_hash"], how="left_anti").withColumns(
            {"reason": F.lit("id_conflict"), "detail": F.lit("messageId: seen before with other content")}
        )
        rejected = rows.where(F.col("asks") == REJECTED).unionByName(conflicts)
        quarantined = rejected.withColumn("quarantined_at", F.col("taken_in_at"))
        lake.append(quarantined, SILVER_EVENTS_QUARANTINE, application=application, batch_id=batch_id)
    finally:
        rows.unpersist()


def start(lake: Lake, *, available_now: bool) -> StreamingQuery:
    """Start the query; with `available_now` it drains the topic and ends."""
    config = lake.config.silver_events

    def on_batch(rows: DataFrame, batch_id: int) -> None:
        # A new checkpoint is a new query: its batches must not be taken for the old one's.
        query = rows.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId")
        write_batch(lake, rows, batch_id, application=f"{NAME}:{query}")

    return (
        transform(read_records(lake, config.max_offsets_per_trigger), lake.config)
        .writeStream.queryName(NAME)
        .outputMode("append")
        .option("checkpointLocation", lake.checkpoint(NAME))
        .foreachBatch(on_batch)
        .trigger(**trigger(config.trigger_seconds, available_now=available_now))
        .start()
    )


def _questions() -> Column:
    return F.when(F.col("reason").isNull(), F.array(F.lit(ID), F.lit(CONTENT))).otherwise(F.array(F.lit(REJECTED)))


def _dedupe_key() -> Column:
    """A rejected record has no id to trust: its place in Kafka is its key, so it always passes."""
    place = F.concat_ws("-", "topic", "partition", "offset")
    content = F.concat_ws("-", "message_id", "content_hash")
    return F.when(F.col("asks") == ID, F.col("message_id")).when(F.col("asks") == CONTENT, content).otherwise(place)


def main(argv: list[str]) -> None:
    run_queries(NAME, [start], argv)


if __name__ == "__main__":
    run(main)
