"""Rows of people, deleted from a table as it declares how they are found, and what is written down of it: the receipt."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import compress
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.folders import Folder
from lakehouse.people.holdings import of_people
from lakehouse.people.person import Person
from lakehouse.people.requests import Request, keep
from lakehouse.people.traces import Traces
from lakehouse.tables.contract import Table
from lakehouse.tables.erasures import OPS_ERASURES
from lakehouse.tables.people import ByColumns


class Spared(NamedTuple):
    """Rows that stay, by what a column of them says: they are of others by now, or of somebody who came since."""

    column: str
    stays: Callable[[pa.ChunkedArray], pa.BooleanArray]


def but_those(column: str, values: Collection[str]) -> Spared:
    """Rows stay that hold one of the values."""
    return Spared(column, lambda told: pc.is_in(told, value_set=pa.array(sorted(values), pa.string())))


def delete(
    lake: Lake,
    table: Table,
    found: Traces,
    requests: list[Request],
    place: Folder,
    *,
    spared: Spared | None = None,
) -> bool:
    """The rows of these people; whether there were any. What is to stay for a time is left, and what is `spared`.

    How many they are is written down before: after a crash they are not found again.
    """
    if not table.ways or stays_for_a_time(table):
        return False
    columns = table.key if spared is None else (*table.key, spared.column)
    rows, owners = of_people(lake, table, found, columns=list(dict.fromkeys(columns)))
    if spared is not None:
        goes = pc.invert(spared.stays(rows[spared.column]))
        rows, owners = rows.filter(goes), list(compress(owners, goes.to_pylist()))
    keys = rows.select(list(table.key))
    for number, count in Counter(owners).items():
        request = requests[number]
        counts = {**request.counts, table.name: max(count, request.counts.get(table.name, 0))}
        requests[number] = replace(request, counts=counts)
        keep(place, requests[number])
    lake.delete_keys(table, keys)
    return bool(owners)


def with_commits(lake: Lake, request: Request, tables: Iterable[Table]) -> Request:
    """With the commits by which the person was gone from these tables. What was noted before stays: nothing of them came since."""
    gone = {table.name: lake.commit(table) for table in lake.stored(tables) if table.ways}
    return replace(request, commits=gone | dict(request.commits or {}))


def stays_for_a_time(table: Table) -> bool:
    """Whether its rows stay for a time."""
    return any(isinstance(way, ByColumns) and way.stays is not None for way in table.ways)


def write_receipt(
    lake: Lake,
    request: Request,
    outcome: str,
    detail: str | None,
    *,
    now: datetime,
    ends: Mapping[str, object] | None = None,
) -> None:
    """What is known of the erasure by now. `ends`: of the tables of records; None = as it was said before."""
    one = request.person or Person(own=frozenset())
    stored = lake.rows_with(OPS_ERASURES, "erasure_id", [request.erasure_id], columns=("erasure_id", "ends"))
    row = {
        "erasure_id": request.erasure_id,
        "asked_by": request.by,
        "reason": request.reason,
        "asked_at": request.at,
        "outcome": outcome,
        "detail": detail,
        "profiles": len(one.profiles),
        "actors": len(one.actors),
        "identifiers": len(one.own) if one.profiles else 0,
        "counts": json.dumps(dict(request.counts), sort_keys=True),
        "ends": next(iter(stored["ends"].to_pylist()), json.dumps(ends or {})),  # told before anything went
        "commits": None if request.commits is None else json.dumps(dict(request.commits), sort_keys=True),
        "written_at": now,
    }
    lake.upsert(pa.Table.from_pylist([row], schema=arrow_schema(OPS_ERASURES)), OPS_ERASURES)
