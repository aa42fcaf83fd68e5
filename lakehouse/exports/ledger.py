"""What was told to whom: the journal of every step, what it comes to for each row, and the runs. In Delta, below the lake.

Claimed before, settled after. A row that may have reached its destination is written down before it is sent; so a process may die at any
moment, and the next run knows which rows may be there, to send or to remove them. The journal is only appended to, once a batch. At the
end of a run, or at the start of the next where it had none, it is folded into one row per key: absolute values, so folding twice
changes nothing. Exports of several names run beside each other; their commits take turns.
"""

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Schema

from lakehouse.config import Config
from lakehouse.errors import ExportError
from lakehouse.exports.difference import HELD
from lakehouse.lake import delta_rs
from lakehouse.lake.delta import arrow_schema
from lakehouse.lake.lock import EXPORTS
from lakehouse.lake.retention import retention
from lakehouse.machine import file_lock, local_folder
from lakehouse.maintenance import local_table
from lakehouse.tables.contract import Table
from lakehouse.tables.exports import OPS_EXPORT_CHANGES, OPS_EXPORT_ROWS, OPS_EXPORT_RUNS

KEPT = timedelta(days=30)
_MOST_MEMORY = "512MB"
State = Literal["sending", "removing", "delivered", "rejected", "dead", "removed"]
_TABLES = (OPS_EXPORT_RUNS, OPS_EXPORT_CHANGES, OPS_EXPORT_ROWS)
_SET = arrow_schema(OPS_EXPORT_ROWS).append(pa.field("is_deleted", pa.bool_()))
_LAST = f"""
SELECT {", ".join(name for name in OPS_EXPORT_ROWS.column_names if name != "updated_at")}, changed_at AS updated_at, state = 'removed' AS is_deleted
FROM told WHERE export = $export AND run_id = $run QUALIFY row_number() OVER (PARTITION BY key ORDER BY number DESC) = 1
"""
COUNTS = tuple(column.name for column in OPS_EXPORT_RUNS.columns if column.type == "bigint")


class Change(NamedTuple):
    """One step of one row; fields as the contract of ops.export_changes says."""

    key: str
    profile_id: str
    state: State
    hash: str | None
    is_there: bool
    identity: str | None = None
    attempts: int = 0
    reason: str | None = None
    batch_id: str | None = None


class Ledger:
    """Of one export. One process at a time has it: see `lakehouse.lake.lock.writer`."""

    def __init__(self, config: Config, export: str) -> None:
        """Raises ExportError: the lake is on no disk of this machine."""
        folder = local_folder(config.lake.root)
        if folder is None:
            raise ExportError(
                f"lake.root: got '{config.lake.root}', expected a folder of this machine. Export from a copy of gold"
            )
        self._folder = folder
        self._retention = retention(config.lake, is_here=True)
        self._export = export
        self._number = 0
        self._run_id: str | None = None
        with self._turn():
            for table in _TABLES:
                self._create(table)

    def held(self) -> pa.Table:
        """What the destination holds, or has refused, of each row: HELD. What a run that died left open is folded in before."""
        for run in self._runs("running"):
            states = self._fold(run["run_id"])
            self._put_run(run | _came_to(run, states) | {"state": "interrupted", "reason": "its process ended"})
        rows = self._rows(OPS_EXPORT_ROWS, HELD.names)
        return rows.cast(HELD)

    def begin(self, run_id: str, counts: Mapping[str, int], *, is_full: bool, now: datetime) -> None:
        """Write down that a run has begun, or that more is to be done in it."""
        if run_id != self._run_id:
            self._run_id, self._number = run_id, 0
        self._put_run({**self._run(run_id, counts, now, now), "state": "running", "is_full": is_full})

    def note(self, run_id: str, changes: Sequence[Change], now: datetime) -> None:
        """Append to the journal, in one commit."""
        if not changes:
            return
        count, schema = len(changes), arrow_schema(OPS_EXPORT_CHANGES)
        columns: dict[str, Sequence[Any]] = dict(zip(Change._fields, zip(*changes, strict=True), strict=True))
        columns |= {"export": [self._export] * count, "run_id": [run_id] * count, "changed_at": [now] * count}
        columns |= {"number": range(self._number, self._number + count)}
        rows = pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
        self._number += count
        with self._turn():
            delta_rs.add(rows, OPS_EXPORT_CHANGES, self._path(OPS_EXPORT_CHANGES))

    def forget(self, keys: Sequence[str]) -> None:
        """Rows that are gone here and were never there."""
        if keys:
            self._set_rows(pa.Table.from_pylist([_gone(self._export, key) for key in keys], schema=_SET))

    def end(
        self,
        run_id: str,
        counts: Mapping[str, int],
        *,
        began: datetime,
        now: datetime,
        is_full: bool,
        reason: str | None,
    ) -> None:
        """Fold the run's journal, and write down that it is over. `reason`: why it stopped; None = it is finished."""
        self._fold(run_id)
        state = "finished" if reason is None else "stopped"
        self._put_run({**self._run(run_id, counts, began, now), "state": state, "is_full": is_full, "reason": reason})
        self._tidy(now)

    def _fold(self, run_id: str) -> Counter[str]:
        """One row per key, of what the run noted; how many rows ended in which state."""
        schema = arrow_schema(OPS_EXPORT_CHANGES)
        # Read piece by piece, and sorted on disk where it is much: a journal has several steps of each row.
        told = pa.RecordBatchReader.from_batches(schema, delta_rs.batches(self._path(OPS_EXPORT_CHANGES), schema))
        with TemporaryDirectory(prefix="stitchlake-export-") as scratch, duckdb.connect() as database:
            database.execute("SET enable_progress_bar = false")
            database.execute(f"SET memory_limit = '{_MOST_MEMORY}'")
            database.execute("SET temp_directory = ?", [scratch])
            database.register("told", told)
            last = database.sql(_LAST, params={"export": self._export, "run": run_id}).to_arrow_table()
        self._set_rows(last.cast(_SET))
        return Counter(last["state"].to_pylist())

    def _set_rows(self, rows: pa.Table) -> None:
        if not rows.num_rows:
            return
        is_first = self._rows(OPS_EXPORT_ROWS, ["key"]).num_rows == 0
        with self._turn():
            if is_first:  # there is nothing to merge with, and a merge of so many takes time and memory
                kept = rows.filter(pc.invert(rows["is_deleted"])).drop_columns("is_deleted")
                delta_rs.add(kept, OPS_EXPORT_ROWS, self._path(OPS_EXPORT_ROWS))
            else:
                delta_rs.upsert(rows, OPS_EXPORT_ROWS, self._path(OPS_EXPORT_ROWS), update_when=None, deletes=True)

    def _run(self, run_id: str, counts: Mapping[str, int], began: datetime, now: datetime) -> dict[str, Any]:
        return {
            **{"export": self._export, "run_id": run_id, "reason": None, "started_at": began, "ended_at": now},
            **{name: counts.get(name, 0) for name in COUNTS},
        }

    def _put_run(self, run: Mapping[str, Any]) -> None:
        with self._turn():
            delta_rs.upsert(
                _table([run], OPS_EXPORT_RUNS),
                OPS_EXPORT_RUNS,
                self._path(OPS_EXPORT_RUNS),
                update_when=None,
                deletes=False,
            )

    def _runs(self, state: str) -> list[dict[str, Any]]:
        runs = self._rows(OPS_EXPORT_RUNS, OPS_EXPORT_RUNS.column_names)
        found: list[dict[str, Any]] = runs.filter(pc.equal(runs["state"], state)).to_pylist()
        return found

    def _rows(self, table: Table, columns: Sequence[str]) -> pa.Table:
        schema = pa.schema([arrow_schema(table).field(name) for name in dict.fromkeys(("export", *columns))])
        found = delta_rs.rows_with(self._path(table), schema, "export", pa.array([self._export], pa.string()))
        return found.select(list(columns))

    def _tidy(self, now: datetime) -> None:
        """The journal of what is long over goes; small files are put together."""
        with self._turn():
            path = self._path(OPS_EXPORT_CHANGES)
            if now - self._oldest(path) > KEPT + timedelta(days=1):
                delta_rs.delete_before(path, "changed_at", now - KEPT)
            for table in _TABLES:
                local_table.compact(table, self._path(table), most_bytes=None)
                local_table.vacuum(self._path(table))
                local_table.trim_log(self._path(table), self._retention, now)

    def _oldest(self, path: str) -> datetime:
        """When the oldest commit that is kept was made, of the journal's rows: by their statistics, without reading them."""
        adds = pa.table(DeltaTable(path).get_add_actions(flatten=True))
        times = [time for time in adds["min.changed_at"].to_pylist() if time is not None] if adds.num_rows else []
        return min((time if time.tzinfo else time.replace(tzinfo=UTC) for time in times), default=datetime.now(UTC))

    def _create(self, table: Table) -> None:
        path = self._path(table)
        if not Path(path, "_delta_log").is_dir():
            delta_rs.create(path, _schema_json(table), description=table.grain, properties=self._retention.properties)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with file_lock(self._folder / f"_lock.{EXPORTS}"):
            yield

    def _path(self, table: Table) -> str:
        return f"{self._folder}/{table.name.replace('.', '/')}"


def holds_rows(held: pa.Table) -> bool:
    """Whether the destination may have some, by what `held` gives."""
    return bool(pc.any(held["is_there"]).as_py())


def noted_in(held: pa.Table, noted: Mapping[str, Change]) -> pa.Table:
    """HELD as a run has left it until now. noted: key -> the last step of each row."""
    if not noted:
        return held
    others = held.filter(pc.invert(pc.is_in(held["key"], value_set=pa.array(list(noted), pa.string()))))
    rows = [
        {name: getattr(change, name) for name in HELD.names} for change in noted.values() if change.state != "removed"
    ]
    return pa.concat_tables([others, pa.Table.from_pylist(rows, schema=HELD)])


def _came_to(run: Mapping[str, Any], states: Mapping[str, int]) -> dict[str, int]:
    """The counts of a run that could not say them itself."""
    counts = {name: states.get(name, 0) for name in ("delivered", "removed")}
    counts |= {"rejected": states.get("rejected", 0) + states.get("dead", 0), "unanswered": states.get("sending", 0)}
    known = sum(run[name] for name in ("unchanged", "dead", "withheld"))
    done = sum(counts[name] for name in ("delivered", "rejected", "unanswered"))
    return counts | {"unsent": run["read"] - known - done, "not_removed": states.get("removing", 0)}


def _gone(export: str, key: str) -> dict[str, Any]:
    row = {"export": export, "key": key, "profile_id": "", "state": "removed", "is_there": False, "attempts": 0}
    return row | {"updated_at": datetime.now(UTC), "is_deleted": True}


def _table(rows: Sequence[Mapping[str, Any]], table: Table) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=arrow_schema(table))


@functools.cache
def _schema_json(table: Table) -> str:
    """As Delta notes it, comments included."""
    fields = [
        field.with_metadata({"comment": column.comment})
        for field, column in zip(arrow_schema(table), table.columns, strict=True)
    ]
    return str(Schema.from_arrow(pa.schema(fields)).to_json())
