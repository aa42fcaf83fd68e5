"""The one reader of the events topic."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake


def read_records(lake: Lake, max_offsets: int) -> DataFrame:
    """The topic as a stream, from its first record on; at most `max_offsets` records a micro-batch.

    Besides Kafka's columns: `arrived_at`, the wall clock of the micro-batch, the same on a replay.

    A record that is gone before it was read stops the query: silently skipping it would be losing it.
    """
    kafka = lake.config.kafka
    return (
        lake.spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", kafka.bootstrap_servers)
        .option("subscribe", kafka.events_topic)
        .option("startingOffsets", "earliest")
        .option("failOnDataLoss", "true")
        .option("maxOffsetsPerTrigger", max_offsets)
        .load()
        .withColumn("arrived_at", F.current_timestamp())
    )
