"""Produced-to-committed: how long a record took from the broker's stamp to a commit of gold.activation, or to the online store.

Every record counts, none is sampled by when it was asked for: the offset log says which records a micro-batch read, the
topic says when each was produced, the micro-batch's record says when its gold was committed.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.kafka import clients
from lakehouse.lake.delta import Lake
from lakehouse.profiles.batch_record import BatchRecord


@dataclass(frozen=True, kw_only=True)
class BatchFreshness:
    """One micro-batch: records read, and quantiles of their seconds from produced to committed in gold."""

    batch_id: int
    rows: int
    p50_seconds: float | None
    p99_seconds: float | None
    stages: dict[str, float]


def produced(lake: Lake, where: Column | None = None) -> DataFrame:
    """partition, offset and produce time of every record of the topic, by a batch read. `where`: of which records; None = of all."""
    return (
        lake.spark.read.format("kafka")
        .options(**clients.spark(lake.config.kafka))
        .option("subscribe", lake.config.kafka.events_topic)
        .load()
        .where(F.lit(True) if where is None else where)
        .select("partition", "offset", F.col("timestamp").alias("produced_at"))
    )


def end_offsets(checkpoint: str, topic: str) -> dict[int, dict[int, int]]:
    """batch_id -> partition -> first offset the batch did not read. Reads the query's own offset log (local lakes)."""
    found = {}
    for path in Path(checkpoint, "offsets").glob("[0-9]*"):
        offsets = json.loads(path.read_text(encoding="utf-8").splitlines()[2])
        found[int(path.name)] = {int(partition): end for partition, end in offsets[topic].items()}
    return found


def in_gold(record: BatchRecord) -> datetime | None:
    return record.committed_at


def in_online_store(record: BatchRecord) -> datetime | None:
    """When its profiles could be read there."""
    return record.online_at


def latencies(
    records: Sequence[BatchRecord],
    ends: dict[int, dict[int, int]],
    times: pd.DataFrame,
    *,
    until: Callable[[BatchRecord], datetime | None] = in_gold,
) -> dict[int, np.ndarray]:
    """batch_id -> seconds of each record it read, for batches that came so far. `times`: see `produced`."""
    by_partition = {p: rows.sort_values("offset") for p, rows in times.groupby("partition")}
    result = {}
    for record in records:
        reached = until(record)
        if reached is None or record.batch_id not in ends:
            continue
        starts = ends.get(record.batch_id - 1, {})
        seconds = [
            _seconds(by_partition[p], starts.get(p, 0), end, reached)
            for p, end in ends[record.batch_id].items()
            if p in by_partition
        ]
        result[record.batch_id] = np.concatenate(seconds) if seconds else np.array([])
    return result


def _seconds(rows: pd.DataFrame, start: int, end: int, committed_at: datetime) -> np.ndarray:
    of_batch = rows[(rows["offset"] >= start) & (rows["offset"] < end)]
    committed = pd.Timestamp(committed_at.astimezone(UTC).replace(tzinfo=None))
    return np.asarray((committed - of_batch["produced_at"]).dt.total_seconds(), dtype=float)


def per_batch(records: Sequence[BatchRecord], waits: dict[int, np.ndarray]) -> list[BatchFreshness]:
    """One row per micro-batch that committed gold, in order."""
    return [
        BatchFreshness(
            batch_id=record.batch_id,
            rows=len(seconds),
            p50_seconds=float(np.quantile(seconds, 0.5)) if len(seconds) else None,
            p99_seconds=float(np.quantile(seconds, 0.99)) if len(seconds) else None,
            stages=record.seconds,
        )
        for record in records
        if (seconds := waits.get(record.batch_id)) is not None
    ]
