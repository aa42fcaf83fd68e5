"""Rows of silver.feature_days -> the sums that a profile's online document carries: all that its online features can be at any later instant.

Of each partial sum the minutes or days that can still leave a window stand one by one; what is older than the longest window is added into one. So
a document needs no event and no other write for a window to close: whoever reads it asks lakehouse/features/online_values.py, of the instant it reads at.

The form is that of the document, JSON. By name of the partial, an entry of every profile, empty where nothing was let through:

    n             that many minutes or days stand one by one, the one of the write the last of them; left out = all do
    at            their numbers since 1970, ascending
    events, values, total, least, most, last_at     a list each, beside `at`; those that some feature needs
    first, last   [numbers, values], ascending: of those with a value

total: the exact sum in units of 10^-10, text where it is beyond 64 bits; last_at: microseconds since 1970.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.features.definition import Aggregation, Feature, Features
from lakehouse.features.online_values import TOTAL_DIGITS, Sums

FIELDS: Mapping[Aggregation, tuple[str, ...]] = {
    "count": ("events",),
    "sum": ("total",),
    "mean": ("total", "values"),
    "min": ("least",),
    "max": ("most",),
    "first": ("first",),
    "last": ("last",),
    "days_since": ("last_at",),
    "streak": (),
}
"""What an aggregation is made of, besides `at`."""
_ADDED = {"events": "sum", "values": "sum", "total": "sum", "least": "min", "most": "max", "last_at": "max"}
_SEEN = ("first", "last")
_EXACTLY = Context(prec=60)
_EPOCH = datetime.fromtimestamp(0, UTC)
_KEY = ("profile", "partial", "at")
_BITS = 2**63
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What documents carry of one partial. grain: microseconds. buckets: how many stand one by one; None = all."""

    grain: int
    buckets: int | None
    fields: frozenset[str]


def carried(features: Features) -> Mapping[str, Carried]:
    """By name of the partial; one that does not hold all of history yet is left out."""
    found: dict[str, Carried] = {}
    for feature in _with_parts(features, features.online):
        name = feature.partial
        if name is None or name in features.unfilled:
            continue
        before = found.get(name, Carried(grain=features.grains[name], buckets=0, fields=frozenset()))
        own = (
            None
            if feature.aggregation == "streak" and feature.window is None
            else (feature.window or 0) // before.grain
        )
        most = None if own is None or before.buckets is None else max(own, before.buckets)
        fields = before.fields | {*FIELDS[feature.aggregation]}
        found[name] = Carried(grain=before.grain, buckets=most, fields=fields)
    return found


def _with_parts(features: Features, wanted: Iterable[Feature]) -> Iterator[Feature]:
    """These, and whatever they divide."""
    for feature in wanted:
        yield feature
        yield from _with_parts(features, [features.by_name[name] for name in feature.parts or ()])


def online_sums(
    days: pa.Table, profile_of: Mapping[str, str], as_of: Mapping[str, datetime], carried: Mapping[str, Carried]
) -> dict[str, Sums]:
    """The sums of every profile of `as_of`, an instant that none of its events is behind.

    days: rows of silver.feature_days of those actors of `profile_of` (actor -> profile) that have any, perhaps others among them.
    """
    profiles = list(as_of)
    found: dict[str, dict[str, dict[str, Any]]] = {profile: {name: {} for name in carried} for profile in profiles}
    days = days.filter(pc.is_in(days["actor_id"], value_set=pa.array(list(profile_of), pa.string())))
    if not carried or not days.num_rows:
        return dict(found)
    number = {profile: n for n, profile in enumerate(profiles)}
    owners = np.array([number[profile_of[actor]] for actor in days["actor_id"].to_pylist()], np.int64)
    instants = np.array([(at - _EPOCH) // timedelta(microseconds=1) for at in as_of.values()], np.int64)
    rows = _rows(days["partials"], owners, instants, carried)
    names, kinds = list(carried), list(carried.values())
    for profile, partial, entry in _entries(rows, kinds):
        found[profiles[profile]][names[partial]] |= entry
    for field in _SEEN:
        if any(field in kind.fields for kind in kinds):
            for profile, partial, seen in _seen(rows, field, kinds):
                found[profiles[profile]][names[partial]][field] = seen
    return dict(found)


def _rows(partials: pa.ChunkedArray, owners: Numbers, instants: Numbers, carried: Mapping[str, Carried]) -> pa.Table:
    """A row for each partial sum that is carried: the fields that are needed, `profile` and `partial` by number, `at` as a document has it."""
    listed = partials.combine_chunks()
    needed = {field for kind in carried.values() for field in kind.fields}
    parts = pa.Table.from_struct_array(pc.list_flatten(listed)).select(["name", "at", *sorted(needed)])
    partial = pc.index_in(parts["name"], value_set=pa.array(list(carried), pa.string()))
    owner = pa.array(owners[pc.list_parent_indices(listed).to_numpy(zero_copy_only=False)])
    rows = parts.append_column("partial", partial).append_column("profile", owner).filter(pc.is_valid(partial))
    which, whose = (rows[name].to_numpy().astype(np.int64) for name in ("partial", "profile"))
    grains = np.array([kind.grain for kind in carried.values()], np.int64)[which]
    buckets = np.array([-1 if kind.buckets is None else kind.buckets for kind in carried.values()], np.int64)[which]
    at = pc.cast(rows["at"], pa.int64()).to_numpy() // grains
    oldest = instants[whose] // grains - buckets
    at = np.where(buckets < 0, at, np.maximum(at, oldest))
    return rows.set_column(rows.column_names.index("at"), "at", pa.array(at))


def _entries(rows: pa.Table, kinds: Sequence[Carried]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(profile, partial, entry without first and last), by number."""
    fields = [field for field in _ADDED if any(field in kind.fields for kind in kinds)]
    if "last_at" in fields:
        place = rows.column_names.index("last_at")
        rows = rows.set_column(place, "last_at", pc.cast(rows["last_at"], pa.int64()))
    added = rows.group_by(_KEY).aggregate([(field, _ADDED[field]) for field in fields])
    added = added.sort_by([(name, "ascending") for name in _KEY])
    columns = {"at": added["at"].to_pylist()}
    for field in fields:
        column = added[f"{field}_{_ADDED[field]}"].to_pylist()
        columns[field] = list(map(_exact, column)) if field == "total" else column
    for profile, partial, begin, end in _runs(added, ("profile", "partial")):
        kind = kinds[partial]
        entry: dict[str, Any] = {} if kind.buckets is None else {"n": kind.buckets}
        entry |= {field: columns[field][begin:end] for field in ("at", *fields) if field in ("at", *kind.fields)}
        yield profile, partial, entry | {field: [[], []] for field in _SEEN if field in kind.fields}


def _seen(rows: pa.Table, field: str, kinds: Sequence[Carried]) -> Iterator[tuple[int, int, list[list[Any]]]]:
    """(profile, partial, [numbers, values]) of the first or last of each minute or day: by time, message and line."""
    needed = pa.array([n for n, kind in enumerate(kinds) if field in kind.fields], rows["partial"].type)
    rows = rows.filter(pc.and_(pc.is_valid(rows[field]), pc.is_in(rows["partial"], value_set=needed)))
    seen = pa.Table.from_struct_array(rows[field].combine_chunks()).rename_columns({"at": "moment"})
    for name in _KEY:
        seen = seen.append_column(name, rows[name])
    seen = seen.sort_by([(name, "ascending") for name in (*_KEY, "moment", "message_id", "line")])
    ends = [(begin if field == "first" else end - 1) for *_, begin, end in _runs(seen, _KEY)]
    seen = seen.take(pa.array(ends, pa.int64()))
    at, numbers, texts = (seen[name].to_pylist() for name in ("at", "number", "text"))
    values = [text if number is None else number for number, text in zip(numbers, texts, strict=True)]
    for profile, partial, begin, end in _runs(seen, ("profile", "partial")):
        yield profile, partial, [at[begin:end], values[begin:end]]


def _runs(rows: pa.Table, key: Sequence[str]) -> list[tuple[int, ...]]:
    """(the key's numbers, begin, end) of each run of rows of one key."""
    if not rows.num_rows:
        return []
    numbers = np.stack([rows[name].to_numpy().astype(np.int64) for name in key])
    begins = np.flatnonzero(np.concatenate([[True], (numbers[:, 1:] != numbers[:, :-1]).any(axis=0)]))
    ends = np.append(begins[1:], rows.num_rows)
    return list(zip(*numbers[:, begins].tolist(), begins.tolist(), ends.tolist(), strict=True))


def _exact(total: Any) -> int | str | None:
    """A Decimal in units of its last digit; JSON has no integers beyond 64 bits."""
    if total is None:
        return None
    units = int(_EXACTLY.scaleb(total, TOTAL_DIGITS))
    return units if abs(units) < _BITS else str(units)
