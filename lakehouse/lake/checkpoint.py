"""The checkpoint of a query, here or on an object store: how far it has read, and its end."""

import json
from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import Literal

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.errors import LakeError
from lakehouse.lake import hadoop

Ends = dict[str, dict[str, int]]
"""topic -> partition -> the first offset that was not read."""
OF_EVENTS = "events"  # the query that keeps silver and profiles


def read_to(spark: SparkSession, path: str) -> Ends | None:
    """Where the next micro-batch begins; None while none was committed.

    Raises:
        LakeError: the checkpoint says that a micro-batch was committed, and not which.
    """
    committed = last_committed(spark, path)
    return None if committed is None else end_of(spark, path, committed)


def last_committed(spark: SparkSession, path: str) -> int | None:
    """The micro-batch that was committed last; None while none was."""
    return max((int(name) for name in hadoop.names(spark, f"{path}/commits") if name.isdigit()), default=None)


def reached_here(checkpoint: Path, which: Literal["offsets", "commits"]) -> Ends | None:
    """Where the newest micro-batch ends that was begun (offsets) or committed, of a checkpoint on this machine and without Spark; None while there is none."""
    batches = [int(path.name) for path in (checkpoint / which).glob("*") if path.name.isdigit()]
    return end_here(checkpoint, max(batches)) if batches else None


def end_here(checkpoint: Path, batch: int) -> Ends:
    """Where the micro-batch ends that was begun, of a checkpoint on this machine."""
    ends: Ends = json.loads((checkpoint / "offsets" / str(batch)).read_text(encoding="utf-8").splitlines()[-1])
    return ends


def end_of(spark: SparkSession, path: str, batch: int) -> Ends:
    """Where the micro-batch ends that was committed, or only begun.

    Raises:
        LakeError: its offsets are not there.
    """
    text = hadoop.read(spark, f"{path}/offsets/{batch}")
    try:
        ends: Ends = json.loads((text or "").splitlines()[-1])  # the last line: one source, the topic
        return {topic: dict(of_topic) for topic, of_topic in ends.items()}
    except (IndexError, ValueError, TypeError, AttributeError):
        raise LakeError(
            f"{path}: offsets of micro-batch {batch} are not there, got {(text or 'no file')[:40]!r}, expected those that were committed. "
            "Delete this checkpoint and start again: what is stored stays, and nothing is taken in twice"
        ) from None


def size(spark: SparkSession, path: str, batch: int) -> int | None:
    """Over how many records the micro-batch goes, which was begun; None of the first one: nobody noted where it begins.

    Raises:
        LakeError: its offsets are not there.
    """
    if batch == 0:
        return None
    begins, ends = end_of(spark, path, batch - 1), end_of(spark, path, batch)
    return sum(
        end - begins.get(topic, {}).get(partition, 0)
        for topic, partitions in ends.items()
        for partition, end in partitions.items()
    )


def run(spark: SparkSession, path: str) -> str | None:
    """The id that Spark gave the checkpoint when a query began it; None while none did."""
    text = hadoop.read(spark, f"{path}/metadata")
    return None if text is None else str(json.loads(text)["id"])


def delete(spark: SparkSession, path: str) -> None:
    """Nothing when there is none."""
    hadoop.delete(spark, path)


def ends_of(records: DataFrame) -> Ends:
    """How far rows with the lineage of a record reach."""
    rows = records.groupBy("topic", "partition").agg((F.max("offset") + 1).alias("end")).collect()  # few
    ends: Ends = {}
    for row in rows:
        ends.setdefault(row["topic"], {})[str(row["partition"])] = row["end"]
    return ends


def furthest(of_tables: Iterable[Ends]) -> Ends:
    """How far any of them reaches.

    >>> furthest([{"events": {"0": 5, "1": 2}}, {"events": {"0": 7}}])
    {'events': {'0': 7, '1': 2}}
    """
    ends: Ends = {}
    for of_table in of_tables:
        for topic, partitions in of_table.items():
            reached = ends.setdefault(topic, {})
            for partition, end in partitions.items():
                reached[partition] = max(end, reached.get(partition, 0))
    return ends


def is_news(ends: Ends) -> Column:
    """Whether the record of a row (topic, partition, offset) was not known."""
    below = [
        (F.col("topic") == topic) & (F.col("partition") == int(partition)) & (F.col("offset") < end)
        for topic, of_topic in ends.items()
        for partition, end in of_topic.items()
    ]
    return ~reduce(Column.__or__, below) if below else F.lit(True)
