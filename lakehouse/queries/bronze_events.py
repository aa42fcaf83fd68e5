"""bronze.events: every Kafka record as it came, exactly once. The archive everything else can be rebuilt from."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.kafka.source import read_records
from lakehouse.lake.delta import Lake, conform
from lakehouse.spark.streams import trigger
from lakehouse.tables.events import BRONZE_EVENTS

NAME = "bronze_events"


def transform(records: DataFrame) -> DataFrame:
    """Kafka records -> rows of bronze.events; `ingested_at` is the micro-batch's own time, the same on a replay."""
    rows = records.withColumnRenamed("timestamp", "kafka_timestamp").withColumn("ingested_at", F.current_timestamp())
    return conform(rows, BRONZE_EVENTS)


def start(lake: Lake, *, available_now: bool) -> StreamingQuery:
    """Start the query; with `available_now` it drains the topic and ends."""
    config = lake.config.bronze_events
    return (
        transform(read_records(lake, config.max_offsets_per_trigger, query=NAME))
        .writeStream.queryName(NAME)
        .format("delta")
        .outputMode("append")
        .option("checkpointLocation", lake.checkpoint(NAME))
        .trigger(**trigger(config.trigger_seconds, available_now=available_now))
        .start(lake.path(BRONZE_EVENTS))
    )
