"""Own fields and enrichment of the events that are stored: read again from bronze.events, by the rules and the declarations of now.

For a lake of a release that did not keep them, for a property that was declared later, and for a rule of lakehouse/events/personal_data.py
that changed. Only these columns are set, and only where they differ. So a second run changes nothing, and one that was
ended goes on where it was: each slice of bronze is one commit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import functions as F

from lakehouse.events.event_rows import Declarations
from lakehouse.events.parse import parse
from lakehouse.lake.delta import Lake
from lakehouse.profiles.rebuild import bronze_records
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS

OWN = ("properties", "context", "visitor_id", "traffic", "agent", "location", "consent", "consent_basis")
SLICE = 500_000  # records


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Records of one Kafka partition: offsets from `first` up to but not including `end`."""

    topic: str
    partition: int
    first: int
    end: int

    def of(self, side: str) -> str:
        """SQL: whether a row of `side` is one of them."""
        topic = self.topic.replace("\\", "\\\\").replace("'", "\\'")
        return (
            f"{side}topic = '{topic}' AND {side}partition = {self.partition} "
            f"AND {side}offset >= {self.first} AND {side}offset < {self.end}"
        )


def slices(lake: Lake, size: int = SLICE) -> list[Slice]:
    """All of bronze.events, in slices of at most `size` offsets."""
    ends = lake.read(BRONZE_EVENTS).groupBy("topic", "partition").agg(F.min("offset"), F.max("offset"))
    return [
        Slice(topic=topic, partition=partition, first=first, end=min(first + size, last + 1))
        for topic, partition, low, last in sorted(tuple(row) for row in ends.collect())  # one row a partition
        for first in range(low, last + 1, size)
    ]


def fill(lake: Lake, table: Table, declared: Declarations, *, size: int = SLICE) -> Iterator[Slice]:
    """Set the own fields of every stored event whose record bronze has; yields each slice once it is committed.

    `table`: the contract of silver.events with what is declared, as it is stored.
    """
    columns = [*OWN, *(one.column.name for one in declared.properties)]
    for part in slices(lake, size):
        read = parse(bronze_records(lake).where(part.of("")), lake.config, declared)
        accepted = read.where(F.col("reason").isNull()).select(*BRONZE_EVENTS.key, *columns)
        lake.set_columns(accepted, table, columns, key=BRONZE_EVENTS.key, within=part.of("stored."))
        yield part
