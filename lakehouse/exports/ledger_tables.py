"""The tables of the ledger: made, taken in turns by exports of several names, and rid of what is long over.

A run goes with its steps once it is older than exports.keep_days. One that is not folded stays: its steps say what nothing else does.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import Schema

from lakehouse.config import Config
from lakehouse.errors import ExportError
from lakehouse.lake import delta_rs
from lakehouse.lake.delta import arrow_schema
from lakehouse.lake.lock import EXPORTS
from lakehouse.lake.retention import retention
from lakehouse.machine import file_lock, local_folder
from lakehouse.maintenance import local_table
from lakehouse.tables.contract import Table
from lakehouse.tables.exports import OPS_EXPORT_CHANGES, OPS_EXPORT_ROWS, OPS_EXPORT_RUNS

_TABLES = (OPS_EXPORT_RUNS, OPS_EXPORT_CHANGES, OPS_EXPORT_ROWS)
_ONCE_A_DAY = timedelta(days=1)


class LedgerTables:
    """Of one lake."""

    def __init__(self, config: Config) -> None:
        """Raises ExportError: the lake is on no disk of this machine."""
        folder = local_folder(config.lake.root)
        if folder is None:
            raise ExportError(
                f"lake.root: got '{config.lake.root}', expected a folder of this machine. Export from a copy of gold"
            )
        self._folder = folder
        self._keep = timedelta(days=config.exports.keep_days)
        self._retention = retention(config.lake, is_here=True)
        with self.turn():
            for table in _TABLES:
                self._create(table)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else commits to one of them meanwhile."""
        with file_lock(self._folder / f"_lock.{EXPORTS}"):
            yield

    def path(self, table: Table) -> str:
        return f"{self._folder}/{table.name.replace('.', '/')}"

    def tidy(self, now: datetime) -> None:
        """What is long over goes; small files are put together."""
        with self.turn():
            self._forget_runs(now)
            for table in _TABLES:
                local_table.compact(table, self.path(table), most_bytes=None)
                local_table.vacuum(self.path(table))
                local_table.trim_log(self.path(table), self._retention, now)

    def _forget_runs(self, now: datetime) -> None:
        """Of every export. The steps before the run, so that after a crash it is known whose are to go; once a day, for it writes tables anew."""
        path, schema = self.path(OPS_EXPORT_RUNS), arrow_schema(OPS_EXPORT_RUNS)
        names = ("export", "run_id", "state", "ended_at")
        runs = pa.Table.from_batches(
            delta_rs.batches(path, pa.schema([schema.field(name) for name in names])),
            schema=pa.schema([schema.field(name) for name in names]),
        )
        ended = runs.filter(pc.not_equal(runs["state"], "running"))
        oldest = pc.min(ended["ended_at"]).as_py()
        if oldest is None or now - oldest <= self._keep + _ONCE_A_DAY:
            return
        old = ended.filter(pc.less(ended["ended_at"], pa.scalar(now - self._keep, ended["ended_at"].type)))
        gone = old.select(["export", "run_id"])
        delta_rs.delete_keys(self.path(OPS_EXPORT_CHANGES), gone)
        delta_rs.delete_keys(path, gone)

    def _create(self, table: Table) -> None:
        path = self.path(table)
        if not Path(path, "_delta_log").is_dir():
            delta_rs.create(path, _schema_json(table), description=table.grain, properties=self._retention.properties)


@functools.cache
def _schema_json(table: Table) -> str:
    """As Delta notes it, comments included."""
    fields = [
        field.with_metadata({"comment": column.comment})
        for field, column in zip(arrow_schema(table), table.columns, strict=True)
    ]
    return str(Schema.from_arrow(pa.schema(fields)).to_json())
