"""What silver knew of the topic when a checkpoint was begun.

A new checkpoint knows nothing and reads the topic from its first record, for the deduplication must learn its message ids again. What
silver has taken in already must not be taken in twice. Each of its two tables holds a prefix of what goes there of every Kafka partition,
because a micro-batch is a range of offsets: so how far each reaches says all. That is looked up once, and stands in the checkpoint, so that
who deletes the one deletes the other.
"""

import json
from dataclasses import asdict, dataclass
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake
from lakehouse.lake.stamp import stamped
from lakehouse.tables.contract import Table
from lakehouse.tables.events import SILVER_EVENTS, SILVER_EVENTS_QUARANTINE

_NAME = "known_records"  # the file in the query's checkpoint
Ends = dict[str, dict[str, int]]
"""topic -> partition -> the first offset that was not known."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """How far silver.events reached, and silver.events_quarantine, which is written before it."""

    events: Ends
    quarantine: Ends


def known(lake: Lake, query: str) -> Known:
    """What silver held when the checkpoint of `query` was begun; nothing for the first one of a lake."""
    path = lake.checkpoint(query)
    stored = stamped(path, _NAME, lambda: json.dumps(asdict(_held(lake))), lake.spark)
    if stored is None:  # it was the first to ask
        stored = stamped(path, _NAME, "", lake.spark)
    assert stored is not None
    return Known(**json.loads(stored))


def _held(lake: Lake) -> Known:
    return Known(events=_ends(lake, SILVER_EVENTS), quarantine=_ends(lake, SILVER_EVENTS_QUARANTINE))


def _ends(lake: Lake, table: Table) -> Ends:
    rows = lake.read(table).groupBy("topic", "partition").agg((F.max("offset") + 1).alias("end")).collect()  # few
    ends: Ends = {}
    for row in rows:
        ends.setdefault(row["topic"], {})[str(row["partition"])] = row["end"]
    return ends


def is_news(ends: Ends) -> Column:
    """Whether the record of a row (topic, partition, offset) was not known."""
    below = [
        (F.col("topic") == topic) & (F.col("partition") == int(partition)) & (F.col("offset") < end)
        for topic, of_topic in ends.items()
        for partition, end in of_topic.items()
    ]
    return ~reduce(Column.__or__, below) if below else F.lit(True)
