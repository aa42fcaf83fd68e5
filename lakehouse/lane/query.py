"""The query of the lane: from the events topic to the decisions topic, in Real-Time Mode or in micro-batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.config import Config
from lakehouse.errors import StitchlakeError
from lakehouse.kafka import clients
from lakehouse.kafka.topics import document_topics
from lakehouse.lane.projection import LaneRule, candidates

NAME = "decisions"
REAL_TIME = "real_time"


@dataclass(frozen=True, kw_only=True)
class LaneRules:
    """What of the rule book concerns the lane. `version` changes whenever the rule book does."""

    rules: Sequence[LaneRule]
    version: str


def start(
    spark: SparkSession, config: Config, checkpoint: str, rules: LaneRules, *, now: datetime, partitions: int
) -> StreamingQuery:
    """Start the query where its checkpoint left off; without one, from the events that come now.

    Raises:
        StitchlakeError: Real-Time Mode and fewer task slots than partitions: it would wait for ever.
    """
    mode = config.decisions.mode
    slots = spark.sparkContext.defaultParallelism
    if mode == REAL_TIME and slots < partitions:
        raise StitchlakeError(
            f"decisions.cores: too few for {document_topics(config.kafka)}, got {slots} task slots, expected one for each of its "
            f"{partitions} partitions, held for as long as the query runs. Raise it, or set decisions.mode = micro_batch"
        )
    not_before = now - timedelta(seconds=config.decisions.max_age_seconds)
    rows = candidates(_records(spark, config), config, rules.rules, rules_version=rules.version, not_before=not_before)
    return (
        rows.writeStream.queryName(NAME)
        .format("kafka")
        .outputMode("update")
        .options(**clients.spark(config.kafka))
        .option("kafka.linger.ms", "0")
        .option("topic", config.decisions.topic)
        .option("checkpointLocation", checkpoint)
        .trigger(**trigger(config))
        .start()
    )


def trigger(config: Config) -> dict[str, Any]:
    """Real-Time Mode's duration is how often it checkpoints, not how long a record waits."""
    if config.decisions.mode == REAL_TIME:
        return {"realTime": f"{config.decisions.checkpoint_minutes} minutes"}
    return {"processingTime": "0 seconds"}


def _records(spark: SparkSession, config: Config) -> DataFrame:
    """From the newest record on at the first start; what is gone before it was read set off nothing and would be too old."""
    return (
        spark.readStream.format("kafka")
        .options(**clients.spark(config.kafka))
        .options(**document_topics(config.kafka).of_spark())
        .option("startingOffsets", "latest")
        .option("failOnDataLoss", "false")
        .load()
        .withColumn("arrived_at", F.current_timestamp())
    )
