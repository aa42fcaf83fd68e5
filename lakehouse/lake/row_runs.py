"""Rows of a table beside the driver: what a micro-batch looks up in place of a scan, rows of any width. A cache of the table, never the truth.

A run is an Arrow file on this machine, sorted by the hash of a key column and mapped into memory: who looks up a thousand keys reads the pages of these,
however large the table is. What a micro-batch sets is a run of its own, which holds above older ones. Four of like size become one, so that there
are few, and a row is written again a few times only: a log-structured merge tree.
Source: O'Neil, Cheng, Gawlick, O'Neil (1996), The log-structured merge-tree, Acta Informatica 33.

The runs say which state of the table they stand for. At another they are made again from it: what is erased there is gone here, too. A run is there as a
whole or not at all, and the list that names it is written last, so a process may die at any moment. They live in a folder named after the machine's start.
"""

import json
import logging
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.local_index import MUST_SYNC, folder_of, forget_others, home_in
from lakehouse.tables.contract import Table

log = logging.getLogger("stitchlake.index")
FORMAT = 1
TOGETHER = 4  # runs that become one
MOST_BYTES = 2**27  # of one that is made of others: no micro-batch waits long for it
_LIST, _GONE = "runs.json", "_is_gone"
MOST_OPEN = 32  # tables of one process; each run of one is a file that is kept open
_OPEN: dict[Path, "RowRuns"] = {}
Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


class _Run:
    """One file. It may be deleted while it is mapped."""

    def __init__(self, path: Path, sorted_by: str) -> None:
        self.path = path
        self.rows = pa.Table.from_batches([pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)])
        self._sorted_by = sorted_by
        self._in_order: dict[str, tuple[Hashes, Places]] = {}

    @cached_property
    def bytes(self) -> int:
        return int(self.rows.nbytes)

    def places(self, column: str, hashes: Hashes) -> Places:
        """The rows whose value in the column has one of the hashes, in no order."""
        there = self._hashes(column)
        if column == self._sorted_by:
            return _within(there, hashes)
        if column not in self._in_order:
            order = np.argsort(there)
            self._in_order[column] = there[order], order
        there, order = self._in_order[column]
        return order[_within(there, hashes)]

    def _hashes(self, column: str) -> Hashes:
        hashes: Hashes = self.rows[_hash(column)].chunk(0).to_numpy()
        return hashes


def _within(there: Hashes, hashes: Hashes) -> Places:
    """The places of the hashes among others in order."""
    starts, ends = np.searchsorted(there, hashes), np.searchsorted(there, hashes, side="right")
    is_there = ends > starts
    spans = zip(starts[is_there].tolist(), ends[is_there].tolist(), strict=True)
    return np.concatenate([np.arange(start, end) for start, end in spans] or [np.arange(0)])


class RowRuns:
    """Of one table of one lake. `by`: text columns by which rows are looked up; the first is the first of the key, and never null.

    Nothing here knows two writers: whoever writes the table holds it.
    """

    def __init__(self, folder: Path, table: Table, by: Sequence[str]) -> None:
        assert by[0] == table.key[0]
        self._home = home_in(folder)
        self.table = table
        self._by = by
        self._schema = arrow_schema(table)
        forget_others(self._home)
        told = self._told()
        self.stamp: str | None = told["stamp"]
        self._next: int = told["next"]
        self._runs = [_Run(self._home / name, by[0]) for name in told["runs"]]  # older ones first
        for path in set(self._home.glob("*.arrow")) - {run.path for run in self._runs}:
            path.unlink()  # of a process that died

    def rows(self, column: str, values: Collection[str], *, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows whose column, one of `by`, holds one of the values. `columns`: these of them; None = all."""
        wanted, told = pa.array(sorted(set(values)), pa.string()), list(columns or self.table.column_names)
        first, key = self._by[0], list(self.table.key)
        if column == first:
            return self._there(wanted, {*key, *told}).select(told)
        held = self._with(column, wanted, [*{*key, column}])
        newest = self._there(held[first].unique(), {*key, column, *told})
        is_so = pc.is_in(newest[column], value_set=wanted)  # some may say another value by now
        return newest.filter(is_so).select(told)

    def set_rows(self, rows: pa.Table, stamp: str, *, gone: pa.Table | None = None) -> None:
        """Set rows, each key once, and remove those that are `gone`. `stamp`: the state of the table in which that has just been done."""
        changed = [self._marked(rows, is_gone=False), *([] if gone is None else [self._marked(gone, is_gone=True)])]
        both = pa.concat_tables(changed)
        if both.num_rows == 0:
            return
        self._runs.append(self._written(both))
        replaced: list[_Run] = []
        while (tail := self._runs[-TOGETHER:]) and self._is_time(tail):
            held = _newest([run.rows for run in reversed(tail)], self.table.key)
            self._runs[-TOGETHER:] = [self._written(held)]
            replaced += tail
        self._tell(stamp)
        for run in replaced:
            run.path.unlink(missing_ok=True)

    def fill(self, batches: Iterable[pa.RecordBatch], stamp: str) -> None:
        """Make the runs again from the rows of the table, in one pass."""
        shutil.rmtree(self._home, ignore_errors=True)
        forget_others(self._home)  # the lake may have been deleted and made again
        self.stamp, self._runs, self._next = None, [], 0
        for piece in _pieces(batches):
            self._runs.append(self._written(self._marked(piece, is_gone=False)))
        self._tell(stamp)
        count = sum(run.rows.num_rows for run in self._runs)
        log.info("%s: the index is made again from %d rows", self.table.name, count)

    def _there(self, wanted: pa.Array, columns: Collection[str]) -> pa.Table:
        """The rows of these values of the first key column, but for those that are gone."""
        newest = self._with(self._by[0], wanted, [*columns, _GONE])
        return newest.filter(pc.invert(newest[_GONE]))

    def _with(self, column: str, wanted: pa.Array, columns: list[str]) -> pa.Table:
        """Of each key the newest of the rows that have one of the values."""
        hashes, found = _hashes(wanted), []
        for run in reversed(self._runs):
            places = run.places(column, hashes)
            if len(places):
                rows = run.rows.select(columns).take(places)
                found.append(rows.filter(pc.is_in(rows[column], value_set=wanted)))
        if not found:
            return self._schema.append(pa.field(_GONE, pa.bool_())).empty_table().select(columns)
        return _newest(found, self.table.key)

    def _is_time(self, tail: Sequence[_Run]) -> bool:
        """Whether the newest runs are of like size: as they are, the oldest of them is no larger than the rest."""
        sizes = [run.bytes for run in tail]
        return len(sizes) == TOGETHER and sizes[0] <= sum(sizes[1:]) and sum(sizes) <= MOST_BYTES

    def _marked(self, rows: pa.Table, *, is_gone: bool) -> pa.Table:
        rows = rows.select(self.table.column_names).cast(self._schema)
        return rows.append_column(_GONE, pa.repeat(is_gone, rows.num_rows))

    def _written(self, rows: pa.Table) -> _Run:
        rows = rows.select([*self.table.column_names, _GONE])
        for column in reversed(self._by):
            rows = rows.append_column(_hash(column), pa.array(_hashes(rows[column])))
        rows = rows.take(pc.sort_indices(rows[_hash(self._by[0])])).combine_chunks()
        self._home.mkdir(mode=0o700, exist_ok=True)
        path = self._home / f"{self._next}.arrow"
        self._next += 1
        with open(path, "wb", opener=_for_us_alone) as file:
            with pa.ipc.new_file(file, rows.schema) as writer:
                writer.write_table(rows, max_chunksize=rows.num_rows)
            _synced(file)
        return _Run(path, self._by[0])

    def _told(self) -> dict[str, Any]:
        path = self._home / _LIST
        told: dict[str, Any] = {"stamp": None, "runs": [], "next": 0}
        return told | json.loads(path.read_text()) if path.exists() else told

    def _tell(self, stamp: str) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)
        path = self._home / f"{_LIST}.tmp"
        told = {"stamp": stamp, "next": self._next, "runs": [run.path.name for run in self._runs]}
        with open(path, "w", opener=_for_us_alone) as file:
            json.dump(told, file)
            _synced(file)
        path.replace(self._home / _LIST)
        self.stamp = stamp


def current(lake: Lake, table: Table, by: Sequence[str]) -> RowRuns:
    """The rows of the lake's table as it is now. Of a lake on this machine."""
    folder = folder_of(lake.root, "rows") / table.name
    runs = _OPEN.get(folder)
    if runs is None or runs.table.ddl != table.ddl:
        runs = _OPEN[folder] = RowRuns(folder, table, by)
        for other in list(_OPEN)[:-MOST_OPEN]:
            _OPEN.pop(other, None)
    now = stamp(lake, table)
    if runs.stamp != now:
        runs.fill(lake.batches(table), now)
    return runs


def forget(lake: Lake) -> None:
    """Delete the rows of every table beside the driver: they are read again when they are looked up."""
    folder = folder_of(lake.root, "rows")
    for path in [path for path in _OPEN if path.parent == folder]:
        del _OPEN[path]
    shutil.rmtree(folder, ignore_errors=True)


def rows_of(lake: Lake, table: Table, values: Collection[str], *, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows whose first key column, a text, holds one of the values: looked up of a lake on this machine, of any other read."""
    first = table.key[0]
    if lake.uses_delta_rs:
        return current(lake, table, (first,)).rows(first, values, columns=columns)
    return lake.rows_with(table, first, values, columns=columns)


def stamp(lake: Lake, table: Table) -> str:
    """The state of the table, and of what makes runs of it."""
    return json.dumps({"format": FORMAT, "columns": table.ddl, table.name: lake.version(table)})


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows in tables of a size that fits into memory; none is empty."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if batch.num_rows:
            held.append(batch)
            size += batch.nbytes
        if size > MOST_BYTES:
            yield pa.Table.from_batches(held)
            held, size = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _newest(rows: Sequence[pa.Table], key: Sequence[str]) -> pa.Table:
    """Of each key the first row there is."""
    if len(rows) == 1:
        return rows[0]
    all_rows = pa.concat_tables(rows)
    came_before = all_rows.select(list(key)).to_pandas(date_as_object=False).duplicated()
    return all_rows.filter(pa.array(~came_before.to_numpy()))


def _hash(column: str) -> str:
    """The name of the column's hashes in a run."""
    return f"_hash_{column}"


def _hashes(values: pa.Array | pa.ChunkedArray) -> Hashes:
    """Null has one, too, and is never asked for."""
    texts = values.cast(pa.binary()).to_pylist()
    return np.fromiter((xxh3_64_intdigest(text or b"") for text in texts), np.uint64, len(texts))


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _synced(file: IO[Any]) -> None:
    if MUST_SYNC:
        file.flush()
        os.fsync(file.fileno())
