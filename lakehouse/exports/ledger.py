"""What was told to whom: the journal of every step, what it comes to for each row, and the runs. In Delta, below the lake.

Claimed before, settled after. A row that may have reached its destination is written down before it is sent; so a process may die at any
moment, and the next run knows which rows may be there, to send or to remove them. The journal is only appended to, once a batch. At the
end of a run, or at the start of the next where it had none, it is folded into one row per key: absolute values, so folding twice
changes nothing. Exports of several names run beside each other; their commits take turns.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from lakehouse.config import Config
from lakehouse.exports.difference import HELD
from lakehouse.exports.ledger_tables import LedgerTables
from lakehouse.lake import delta_rs
from lakehouse.lake.delta import arrow_schema
from lakehouse.lake.open_tables import opened
from lakehouse.tables.contract import Table
from lakehouse.tables.exports import OPS_EXPORT_CHANGES, OPS_EXPORT_ROWS, OPS_EXPORT_RUNS

_MOST_MEMORY = "512MB"
State = Literal["sending", "removing", "delivered", "rejected", "dead", "removed"]
_SET = arrow_schema(OPS_EXPORT_ROWS).append(pa.field("is_deleted", pa.bool_()))
_LAST = f"""
SELECT {", ".join(name for name in OPS_EXPORT_ROWS.column_names if name != "updated_at")}, changed_at AS updated_at,
  state = 'removed' OR key IN (SELECT key FROM forgotten) AS is_deleted
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

    def __init__(self, config: Config, export: str, was: Sequence[str] = ()) -> None:
        """`was`: names the export had. Raises ExportError: the lake is on no disk of this machine."""
        self._tables = LedgerTables(config)
        self._was = [Ledger(config, name) for name in was]
        self._export = export
        self._number = 0
        self._run_id: str | None = None
        self._may_have_rows = False  # in ops.export_rows; false: nobody has looked, or there were none
        self._forgotten: set[str] = set()  # keys, in the run that is under way

    def held(self) -> pa.Table:
        """What the destination holds, or has refused, of each row: HELD. What a run that died left open is folded in before."""
        for run in self._runs("running"):
            states = self._fold(run["run_id"])
            self._put_run(run | _came_to(run, states) | {"state": "interrupted", "reason": "its process ended"})
        for other in self._was:
            self._take_over(other)
        rows = self._rows(OPS_EXPORT_ROWS, HELD.names)
        return rows.cast(HELD)

    def _take_over(self, other: "Ledger") -> None:
        """What was told under another name is ours. Of a key that both have, ours is the later word. First here, then gone there."""
        if not other.held().num_rows:
            return
        theirs = other._rows(OPS_EXPORT_ROWS, OPS_EXPORT_ROWS.column_names)
        own = self._rows(OPS_EXPORT_ROWS, ["key"])["key"].combine_chunks()
        news = theirs.filter(pc.invert(pc.is_in(theirs["key"], value_set=own)))
        named = pa.array([self._export] * news.num_rows, pa.string())
        self._set_rows(_marked(news.set_column(news.column_names.index("export"), "export", named), is_deleted=False))
        other._set_rows(_marked(theirs, is_deleted=True))

    def begin(self, run_id: str, counts: Mapping[str, int], *, is_full: bool, now: datetime) -> None:
        """Write down that a run has begun, or that more is to be done in it."""
        if run_id != self._run_id:
            self._run_id, self._number, self._forgotten = run_id, 0, set()
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
        self._forgotten.difference_update(change.key for change in changes)
        with self._tables.turn():
            delta_rs.add(rows, OPS_EXPORT_CHANGES, self._tables.path(OPS_EXPORT_CHANGES))

    def forget(self, keys: Sequence[str]) -> None:
        """Rows that are gone here and were never there. What the journal says of them in this run does not count any more."""
        if keys:
            self._forgotten.update(keys)
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
        self._tables.tidy(now)

    def _fold(self, run_id: str) -> Counter[str]:
        """One row per key, of what the run noted; how many rows ended in which state."""
        schema = arrow_schema(OPS_EXPORT_CHANGES)
        # Read piece by piece, and sorted on disk where it is much: a journal has several steps of each row.
        told = pa.RecordBatchReader.from_batches(schema, self._journal(schema, run_id))
        forgotten = sorted(self._forgotten) if run_id == self._run_id else []
        with TemporaryDirectory(prefix="stitchlake-export-") as scratch, duckdb.connect() as database:
            database.execute("SET enable_progress_bar = false")
            database.execute(f"SET memory_limit = '{_MOST_MEMORY}'")
            database.execute("SET temp_directory = ?", [scratch])
            database.register("told", told)
            database.register("forgotten", pa.table({"key": pa.array(forgotten, pa.string())}))
            last = database.sql(_LAST, params={"export": self._export, "run": run_id}).to_arrow_table()
        self._set_rows(last.cast(_SET))
        return Counter(last["state"].to_pylist())

    def _journal(self, schema: pa.Schema, run_id: str) -> Iterator[pa.RecordBatch]:
        """What files say that may have the run: the journal has every run of a month, and this one is mostly in the newest."""
        path = self._tables.path(OPS_EXPORT_CHANGES)
        adds = pa.table(opened(path).get_add_actions(flatten=True))
        said = zip(*(adds[name].to_pylist() for name in ("path", "min.run_id", "max.run_id")), strict=True)
        held = [f"{path}/{unquote(file)}" for file, first, last in said if _may_hold(run_id, first, last)]
        if held:
            yield from ds.dataset(held, schema=schema, format="parquet").to_batches()

    def _set_rows(self, rows: pa.Table) -> None:
        if not rows.num_rows:
            return
        if not self._may_have_rows:
            self._may_have_rows = self._rows(OPS_EXPORT_ROWS, ["key"]).num_rows > 0
        with self._tables.turn():
            if not self._may_have_rows:  # there is nothing to merge with, and a merge of so many takes time and memory
                kept = rows.filter(pc.invert(rows["is_deleted"])).drop_columns("is_deleted")
                delta_rs.add(kept, OPS_EXPORT_ROWS, self._tables.path(OPS_EXPORT_ROWS))
            else:
                delta_rs.upsert(
                    rows, OPS_EXPORT_ROWS, self._tables.path(OPS_EXPORT_ROWS), update_when=None, deletes=True
                )

    def _run(self, run_id: str, counts: Mapping[str, int], began: datetime, now: datetime) -> dict[str, Any]:
        return {
            **{"export": self._export, "run_id": run_id, "reason": None, "started_at": began, "ended_at": now},
            **{name: counts.get(name, 0) for name in COUNTS},
        }

    def _put_run(self, run: Mapping[str, Any]) -> None:
        with self._tables.turn():
            delta_rs.upsert(
                _table([run], OPS_EXPORT_RUNS),
                OPS_EXPORT_RUNS,
                self._tables.path(OPS_EXPORT_RUNS),
                update_when=None,
                deletes=False,
            )

    def _runs(self, state: str) -> list[dict[str, Any]]:
        runs = self._rows(OPS_EXPORT_RUNS, OPS_EXPORT_RUNS.column_names)
        found: list[dict[str, Any]] = runs.filter(pc.equal(runs["state"], state)).to_pylist()
        return found

    def _rows(self, table: Table, columns: Sequence[str]) -> pa.Table:
        schema = pa.schema([arrow_schema(table).field(name) for name in dict.fromkeys(("export", *columns))])
        found = delta_rs.rows_with(self._tables.path(table), schema, "export", pa.array([self._export], pa.string()))
        return found.select(list(columns))


def _may_hold(run_id: str, first: str | None, last: str | None) -> bool:
    """Whether a file may have rows of the run, by the least and greatest run it has; null = it does not say."""
    return first is None or last is None or first <= run_id <= last


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


def _marked(rows: pa.Table, *, is_deleted: bool) -> pa.Table:
    marks = pa.array([is_deleted] * rows.num_rows, pa.bool_())
    return rows.append_column("is_deleted", marks).select(_SET.names).cast(_SET)


def _gone(export: str, key: str) -> dict[str, Any]:
    row = {"export": export, "key": key, "profile_id": "", "state": "removed", "is_there": False, "attempts": 0}
    return row | {"updated_at": datetime.now(UTC), "is_deleted": True}


def _table(rows: Sequence[Mapping[str, Any]], table: Table) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=arrow_schema(table))
