"""The one reader of the topics of events."""

import json

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.errors import LakeError
from lakehouse.kafka import admin, clients
from lakehouse.kafka.topics import event_topics
from lakehouse.lake.checkpoint import Ends
from lakehouse.lake.delta import Lake
from lakehouse.lake.stamp import stamped

_TOPIC_ID = (
    "topic_id"  # in the query's checkpoint, whose offsets are of that topic; of further topics with the name behind
)
_RECORD = "value binary, topic string, partition int, offset bigint, timestamp timestamp, arrived_at timestamp"
_TOPICS = "_topics"  # in the lake: the id of each topic it has read, by name


def read_records(lake: Lake, max_offsets: int, *, query: str, accepts_loss: bool = False) -> DataFrame:
    """The topics as a stream for `query`, from their first record on; at most `max_offsets` records a micro-batch.

    Besides Kafka's columns: `arrived_at`, the wall clock of the micro-batch, the same on a replay.

    A record that is gone before it was read stops the query: silently skipping it would be losing it. `accepts_loss`: it does not,
    because somebody said so, see batch/accept_loss.py.

    Raises:
        LakeError: another topic has the name by now: its records at offsets that were read already would be skipped.
    """
    kafka = lake.config.kafka
    _hold_to_their_topics(lake, query)
    return (
        lake.spark.readStream.format("kafka")
        .options(**clients.spark(kafka))
        .options(**event_topics(kafka).of_spark())
        .option("startingOffsets", "earliest")
        .option("failOnDataLoss", not accepts_loss)
        .option("maxOffsetsPerTrigger", max_offsets)
        .load()
        .withColumn("arrived_at", F.current_timestamp())
    )


def read_range(lake: Lake, begins: Ends, ends: Ends) -> DataFrame:
    """The records of the topics from where each partition is to begin to where `ends` says, at once. A partition that `ends` lacks is not
    read; what a topic does not hold any more is not there. Columns: those of lakehouse/events/parse.py.

    Raises:
        BrokerError: no broker answers there, or it has no topic of a name.
    """
    kafka = lake.config.kafka
    held = admin.first_offsets(kafka, event_topics(kafka))
    starts: Ends = {}
    for topic, partitions in ends.items():
        for partition, end in partitions.items():
            if (first := held.get(topic, {}).get(partition)) is not None:
                asked = max(begins.get(topic, {}).get(partition, 0), first)
                starts.setdefault(topic, {})[partition] = min(asked, end)
    if not starts:
        return lake.spark.createDataFrame([], _RECORD)
    stops = {topic: {partition: ends[topic][partition] for partition in of_topic} for topic, of_topic in starts.items()}
    return (
        lake.spark.read.format("kafka")
        .options(**clients.spark(kafka))
        .option("assign", json.dumps({topic: list(map(int, of_topic)) for topic, of_topic in starts.items()}))
        .option("startingOffsets", json.dumps(starts))
        .option("endingOffsets", json.dumps(stops))
        .load()
        .withColumn("arrived_at", F.current_timestamp())
    )


def _hold_to_their_topics(lake: Lake, query: str) -> None:
    """A lake knows a record by topic, partition and offset, so a name means one topic in it for good, whatever becomes of checkpoints."""
    kafka = lake.config.kafka
    for topic, now in admin.topic_ids(kafka, event_topics(kafka)).items():
        if now is not None:
            _hold_to_its_topic(lake, query, topic, f"{topic} {now}")


def _hold_to_its_topic(lake: Lake, query: str, topic: str, ours: str) -> None:
    own = _TOPIC_ID if topic == lake.config.kafka.events_topic else f"{_TOPIC_ID}.{topic}"
    readers = {
        f"query {query}": (lake.checkpoint(query), own),
        "this lake": (f"{lake.root}/{_TOPICS}", topic),
    }
    for reader, (folder, name) in readers.items():
        read = stamped(folder, name, ours, lake.spark)
        if read is not None and read != ours:
            raise LakeError(
                f"kafka.events_topic: {reader} has read topic {read}, got {ours}, expected the same: it was deleted and created "
                "again, or another is configured. Give the new one a name of its own, delete <lake.root>/_checkpoints and start again: "
                "what is stored stays"
            )
