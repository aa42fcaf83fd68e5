"""A lake in memory for the identity step: its tables are Arrow, its writes can fail, its index is a real one.

So hundreds of random graphs can be streamed, crashed and replayed in the time Spark needs for one.
"""

import dataclasses
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import write_deltalake

from lakehouse.catalog import TABLES
from lakehouse.config import IdentifierRule, load
from lakehouse.lake import local_index
from lakehouse.lake.delta import arrow_schema
from lakehouse.profiles.stitching.graph_facts import Facts
from lakehouse.profiles.stitching.identity_tables import all_rows
from lakehouse.profiles.stitching.resolution import IdentityStep
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import SILVER_IDENTITY_OVERRIDES
from tests.lakehouse.identity.identity_graphs import RULES, Graph, actors_of, at, edges_of

CONFIG = load("dev", environ={})
EPOCH = 1_000_000
MOST_ROWS = 40  # of a piece: most tables of a test come in several
WRITTEN = [f"silver.identity_{name}" for name in ("edges", "map", "log", "history", "rules", "overrides")]


class Died(Exception):
    """The driver died."""


class MemoryLake:
    """The part of `lakehouse.lake.delta.Lake` the identity step uses. Times of batches are minutes after START."""

    def __init__(self, rules: Mapping[str, IdentifierRule] = RULES) -> None:
        self.root = tempfile.mkdtemp(prefix="memory-lake-")
        self.uses_delta_rs = True  # so nothing asks for a Spark session
        self.tables = {name: arrow_schema(TABLES[name]).empty_table() for name in WRITTEN}
        self.versions = dict.fromkeys(self.tables, 0)
        self.writes_left: int | None = None
        self.set_rules(rules)

    def set_rules(self, rules: Mapping[str, IdentifierRule], **blocked: object) -> None:
        identity = dataclasses.replace(CONFIG.identity, rules=dict(rules), **blocked)
        self.config = dataclasses.replace(CONFIG, identity=identity)

    def version(self, table: Table) -> str:
        return str(self.versions[table.name])

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        yield from self.tables[table.name].to_batches(max_chunksize=MOST_ROWS)

    def rows_with(self, table: Table, column: str, values: Iterable[str]) -> pa.Table:
        rows = self.tables[table.name]
        return rows.filter(pc.is_in(rows[column], pa.array(list(values), pa.string())))

    def newest_rows(self, table: Table, column: str) -> pa.Table:
        rows = self.tables[table.name]
        return rows.filter(pc.equal(rows[column], pc.max(rows[column]))) if rows.num_rows else rows

    def add(self, rows: pa.Table, table: Table) -> None:
        if rows.num_rows:
            self._commit(table, pa.concat_tables([self.tables[table.name], rows]))

    def create(self, table: Table) -> None:
        self.tables.setdefault(table.name, arrow_schema(table).empty_table())

    def upsert(self, rows: pa.Table, table: Table, *, deletes: bool = False, stored_at: pa.Array | None = None) -> None:
        if rows.num_rows == 0:
            return
        stored, new = self.tables[table.name], _keys(rows, table)
        assert len(set(new)) == len(new), f"{table.name}: a merge refuses two rows of one key"
        if stored_at is not None:
            said = dict(zip(new, stored_at.cast(pa.int64()).to_pylist(), strict=True))
            held = dict(zip(_keys(stored, table), stored[table.time_column].cast(pa.int64()).to_pylist(), strict=True))
            wrong = {key: held.get(key) for key in said if held.get(key) != said[key]}
            assert not wrong, f"{table.name}: rows are not stored where the index says\n{wrong}"
        replaced = set(new)
        kept = stored.filter(pa.array([key not in replaced for key in _keys(stored, table)], pa.bool_()))
        set_rows = rows.filter(pc.invert(rows["is_deleted"])) if deletes else rows
        self._commit(table, pa.concat_tables([kept, set_rows.select(table.column_names).cast(kept.schema)]))

    def _commit(self, table: Table, rows: pa.Table) -> None:
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise Died
            self.writes_left -= 1
        keys = _keys(rows, table)
        assert len(set(keys)) == len(keys), f"{table.name}: a key is there twice"
        self.tables[table.name] = rows
        if table == SILVER_IDENTITY_OVERRIDES:  # is read from its folder
            write_deltalake(f"{self.root}/{table.name.replace('.', '/')}", rows, mode="overwrite")
        self.versions[table.name] += 1

    def rows(self, table: Table) -> pd.DataFrame:
        rows = all_rows(self, table)
        return rows.sort_values(list(table.key), ignore_index=True)

    @property
    def map(self) -> pd.DataFrame:
        return self.rows(TABLES["silver.identity_map"])

    def close(self) -> None:
        for folder in [folder for folder in local_index._OPEN if str(folder).startswith(self.root)]:
            local_index._OPEN.pop(folder).close()
        shutil.rmtree(self.root, ignore_errors=True)


def _keys(rows: pa.Table, table: Table) -> list[tuple[object, ...]]:
    columns = (rows[name] for name in table.key)
    plain = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in columns)
    return list(zip(*(column.to_pylist() for column in plain), strict=True))


@contextmanager
def memory_lake(rules: Mapping[str, IdentifierRule] = RULES) -> Iterator[MemoryLake]:
    lake = MemoryLake(rules)
    try:
        yield lake
    finally:
        lake.close()


def facts(batch: Graph, **more: object) -> Facts:
    return Facts(**{"actors": actors_of(batch), "new_edges": edges_of(batch), **more})


def take(step: IdentityStep, batch: Graph, batch_id: int, **more: object) -> set[str]:
    """One micro-batch."""
    return step.resolve_batch(facts(batch, **more), batch_id=batch_id, now=at(EPOCH + batch_id).astimezone())


def stream(lake: MemoryLake, *batches: Graph) -> IdentityStep:
    step = IdentityStep(lake)
    for batch_id, batch in enumerate(batches):
        take(step, batch, batch_id)
    return step


def die_after(writes: int, lake: MemoryLake, step: IdentityStep, batch: Graph, batch_id: int, **more: object) -> bool:
    """One micro-batch whose driver dies after so many writes to the tables; False: it came to its end."""
    lake.writes_left = writes
    try:
        take(step, batch, batch_id, **more)
    except Died:
        return True
    finally:
        lake.writes_left = None
    return False
