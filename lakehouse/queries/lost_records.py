"""Records that a query has not read and the topic no longer holds: found when it starts, refused, or accepted by somebody who says why.

They were kept for less time than the query was away. Spark would say so in the middle of a micro-batch, and of a checkpoint that is gone,
too, it would say nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from lakehouse.errors import LakeError
from lakehouse.kafka import admin
from lakehouse.kafka.topics import event_topics
from lakehouse.lake import checkpoint
from lakehouse.lake.checkpoint import Ends
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.queries.known_records import Known, furthest, held_by
from lakehouse.tables.events import BRONZE_EVENTS
from lakehouse.tables.operations import OPS_LOST_RECORDS


@dataclass(frozen=True, kw_only=True, order=True)
class Lost:
    """Offsets from `first` up to, not including, `end`."""

    topic: str
    partition: int
    first: int
    end: int

    def __str__(self) -> str:
        return f"{self.end - self.first:,} of partition {self.partition} from offset {self.first}"


def lost(read_to: Ends, first_offsets: Mapping[str, Mapping[str, int]]) -> Iterator[Lost]:
    """What lies between how far a query has read and what its topic holds. A partition it has never read begins where it begins.

    >>> [str(one) for one in lost({"events": {"0": 5, "1": 9}}, {"events": {"0": 1007, "1": 9, "2": 4}})]
    ['1,002 of partition 0 from offset 5']
    """
    for topic, partitions in sorted(read_to.items()):
        for partition, end in sorted(partitions.items(), key=lambda item: int(item[0])):
            first = first_offsets.get(topic, {}).get(partition, 0)
            if first > end:
                yield Lost(topic=topic, partition=int(partition), first=end, end=first)


def lost_by(lake: Lake, query: str, held: Known) -> list[Lost]:
    """What `query` has not read and cannot read any more. held: what it knew when its checkpoint was begun."""
    read_to = checkpoint.read_to(lake.spark, lake.checkpoint(query)) or furthest(held.values())
    kafka = lake.config.kafka
    return list(lost(read_to, admin.first_offsets(kafka, event_topics(kafka)))) if read_to else []


def refuse_lost(lake: Lake, query: str, held: Known) -> None:
    """Refuse to start a query over records that are gone.

    Raises:
        LakeError: naming them, and what to do.
    """
    gone = lost_by(lake, query, held)
    if not gone:
        return
    told = "; ".join(map(str, gone))
    archived = furthest(held_by(lake, {"records": BRONZE_EVENTS}).values())
    are_archived = all(archived.get(one.topic, {}).get(str(one.partition), 0) >= one.end for one in gone)
    remedy = (
        "bronze.events has them: run ./spark-submit.sh batch/rebuild.py --from-bronze"
        if are_archived
        else "Go on without them by ./spark-submit.sh batch/accept_loss.py --by WHO --why TEXT"
    )
    raise LakeError(
        f"kafka.events_topic: query {query} has not read records that topic '{gone[0].topic}' no longer holds, got {told} gone, expected "
        f"records to be kept until they are read. {remedy}"
    )


def accept(lake: Lake, query: str, gone: Sequence[Lost], *, by: str, why: str, now: datetime) -> None:
    """Write down who accepted that the records are lost; once, however often it is said."""
    rows = [
        {
            "query": query,
            "topic": one.topic,
            "partition": one.partition,
            "first_offset": one.first,
            "end_offset": one.end,
            "accepted_by": by,
            "reason": why,
            "accepted_at": now,
        }
        for one in gone
    ]
    lake.upsert(
        pa.Table.from_pylist(rows, schema=arrow_schema(OPS_LOST_RECORDS)), OPS_LOST_RECORDS, update_when="false"
    )
