"""Rows of a table as they were and as they are: what is new, what says something else, what is no more. On the driver."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bools = npt.NDArray[np.bool_]


class Differences(NamedTuple):
    """Rows that are new, those of a known key that say something else, and those that are no more."""

    added: pa.Table
    changed: pa.Table
    gone: pa.Table


def differences(before: pa.Table, after: pa.Table, key: Sequence[str], columns: Sequence[str]) -> Differences:
    """Of rows of one table, each key once. columns: what they may differ in; nulls are equal to each other, and so are what is no number."""
    place_of = {one: place for place, one in enumerate(_keys(before, key))}
    was = np.array([place_of.get(one, -1) for one in _keys(after, key)], dtype=int)
    known, stays = np.flatnonzero(was >= 0), np.zeros(before.num_rows, dtype=bool)
    stays[was[known]] = True
    now = after.take(known)
    return Differences(
        added=after.filter(pa.array(was < 0)),
        changed=now.filter(pa.array(_differ(before.take(was[known]), now, columns))),
        gone=before.filter(pa.array(~stays)),
    )


def _keys(rows: pa.Table, key: Sequence[str]) -> list[tuple[object, ...]]:
    columns = (rows[name] for name in key)
    plain = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in columns)
    return list(zip(*(column.to_pylist() for column in plain), strict=True))


def _differ(one: pa.Table, other: pa.Table, columns: Sequence[str]) -> Bools:
    """Row by row."""
    differs = np.zeros(one.num_rows, dtype=bool)
    for name in columns:
        left, right = one[name], other[name]
        if pa.types.is_nested(left.type):
            pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
            differs |= np.array([a != b for a, b in pairs], dtype=bool)
            continue
        is_other = pc.fill_null(pc.not_equal(left, right), False)
        if pa.types.is_floating(left.type):
            are_none = pc.and_(pc.is_nan(left), pc.is_nan(right))
            is_other = pc.and_(is_other, pc.invert(pc.fill_null(are_none, False)))
        differs |= is_other.to_numpy()
        differs |= pc.not_equal(pc.is_null(left), pc.is_null(right)).to_numpy()
    return differs
