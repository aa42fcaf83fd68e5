"""Where a table begins: the first UTC day whose rows are all there, because rows of before have gone by age.

It is noted before the first of them goes, and only ever grows. What was made of such rows stays, so whoever makes it again has to know from where on a
table tells all; and a checkpoint that is begun anew has to know how far a table had read of Kafka, though the rows that say so may be gone.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from pyspark.sql import functions as F

from lakehouse.lake import stamp
from lakehouse.lake.checkpoint import Ends, ends_of, furthest
from lakehouse.lake.delta import Lake
from lakehouse.tables.contract import Table
from lakehouse.tables.people import PLACE

FOLDER = "_beginnings"  # in the lake, a file for each table


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """day: rows of it and later are all there. ends: how far in Kafka the rows reached that went; {} = the table tells of no records."""

    day: date
    ends: Ends


def beginning(lake: Lake, table: Table) -> Beginning | None:
    """None: no row has gone by age."""
    text = stamp.read(f"{lake.root}/{FOLDER}", table.name, lake.spark)
    if not text:
        return None
    told = json.loads(text)
    return Beginning(day=date.fromisoformat(told["day"]), ends=told["ends"])


def begin(lake: Lake, table: Table, column: str, day: date) -> None:
    """Note that rows whose time in `column` is before the day are about to go."""
    known = beginning(lake, table)
    ends = Ends() if known is None else known.ends
    if set(PLACE) <= set(table.column_names):
        going = lake.read(table).where(F.col(column) < F.lit(midnight(day)))
        ends = furthest([ends, ends_of(going)])
    told = {"day": (day if known is None else max(day, known.day)).isoformat(), "ends": ends}
    stamp.restamp(f"{lake.root}/{FOLDER}", table.name, json.dumps(told), lake.spark)


def first_day(lake: Lake, tables: Iterable[Table]) -> date | None:
    """From when on all of them tell all; None = no row of them has gone by age."""
    return max((one.day for table in tables if (one := beginning(lake, table)) is not None), default=None)


def midnight(day: date) -> datetime:
    """When it begins."""
    return datetime.combine(day, time(), UTC)
