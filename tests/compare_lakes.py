"""Two lakes of the same events, table by table and row by row: what a refactoring must leave as it was.

    PYTHONPATH=. .venv/bin/python -m tests.compare_lakes LAKE OTHER

A lake is a folder, or s3a://bucket/folder with what AWS_* in the environment says of the store.

Left aside is when a record was sent and a row written, and what follows from how events fell into micro-batches: of the identity log and history
who an actor is in the end is compared, and of gold.changes what became of a profile. Run batch/rebuild.py on both lakes first, so that scores are of the same event time.
Ends with one line of JSON, and 1 where rows differ.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
from deltalake import DeltaTable

from lakehouse.catalog import TABLES
from lakehouse.tables.contract import Table

FLOAT_TOLERANCE = 1e-9
OF_THE_RUN = {"kafka_timestamp", "event_id"}  # when this run sent the record, and what it called it
# Nothing of their rows follows from events: when rules came into force, and windows of the clock by which a run was judged.
OF_BATCHES = {"silver.identity_rules", "ops.data_quality"}
LAST_WORD = {
    "silver.identity_log": ("actor_id", "to_profile_id", "(changed_at, batch_id)"),
    "silver.identity_history": ("actor_id", "profile_id", "valid_from"),
    "gold.changes": ("profile_id", "kind", "version"),
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One table: rows of each lake, and keys that only one has or whose rows differ. new_columns: only the second has them."""

    table: str
    rows: int
    other_rows: int
    differences: int
    new_columns: tuple[str, ...] = ()


def compare_lakes(first: Path | str, second: Path | str) -> Iterator[Comparison]:
    """Every table of the catalogue that the first lake has."""
    for table in TABLES.values():
        paths = [f"{root}/{table.name.replace('.', '/')}" for root in (first, second)]
        if table.name not in OF_BATCHES and DeltaTable.is_deltatable(paths[0]):
            yield _compare(table, *paths)


def _compare(table: Table, first: str, second: str) -> Comparison:
    with duckdb.connect() as connection:
        columns = []
        for name, path in (("a", first), ("b", second)):
            stored = DeltaTable(path).to_pyarrow_dataset()
            columns.append([field.name for field in stored.schema])
            connection.register(f"{name}_stored", stored)
        key, content = _compared(table, [name for name in columns[0] if name in columns[1]])
        for name in ("a", "b"):
            connection.execute(f"CREATE TABLE {name} AS {_rows(table, f'{name}_stored', key, content)}")
        rows, other_rows = (connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in ("a", "b"))
        types = {name: type_ for name, type_, *_ in connection.execute("DESCRIBE a").fetchall()}
        same = " AND ".join(_same(column, types[column]) for column in content) or "true"
        on = " AND ".join(f'a."{column}" IS NOT DISTINCT FROM b."{column}"' for column in key)
        differ = f'SELECT count(*) FROM a FULL JOIN b ON {on} WHERE a."{key[0]}" IS NULL OR b."{key[0]}" IS NULL OR NOT ({same})'
        return Comparison(
            table=table.name,
            rows=rows,
            other_rows=other_rows,
            differences=connection.execute(differ).fetchall()[0][0],
            new_columns=tuple(name for name in columns[1] if name not in columns[0]),
        )


def _compared(table: Table, common: list[str]) -> tuple[list[str], list[str]]:
    if table.name in LAST_WORD:
        actor, profile, _ = LAST_WORD[table.name]
        return [actor], [profile]
    return [name for name in table.key if name != "valid_from"], [
        name for name in table.content if name in common and name not in OF_THE_RUN
    ]


def _rows(table: Table, stored: str, key: list[str], content: list[str]) -> str:
    if table.name in LAST_WORD:
        actor, profile, order = LAST_WORD[table.name]
        return f"SELECT {actor}, max_by({profile}, {order}) AS {profile} FROM {stored} GROUP BY {actor}"
    current = "WHERE valid_to IS NULL" if table.has_history else ""
    columns = ", ".join(f'"{name}"' for name in (*key, *content))
    return f"SELECT {columns} FROM {stored} {current}"


def _same(column: str, type_: str) -> str:
    if type_ != "DOUBLE":
        return f'a."{column}" IS NOT DISTINCT FROM b."{column}"'
    near = f"abs(a.{column} - b.{column}) <= {FLOAT_TOLERANCE} * greatest(1, abs(a.{column}))"
    return f"coalesce({near}, a.{column} IS NULL AND b.{column} IS NULL)"


def main(argv: list[str]) -> int:
    first, second = argv
    comparisons = list(compare_lakes(first, second))
    show(comparisons)
    differences = sum(one.differences for one in comparisons)
    tables = {one.table: {k: v for k, v in asdict(one).items() if k != "table"} for one in comparisons}
    print(json.dumps({"command": "compare_lakes", "differences": differences, "tables": tables}))
    return 1 if differences else 0


def show(comparisons: Iterable[Comparison]) -> None:
    """Print a line for each table."""
    print(f"{'table':34}{'rows':>10}{'other':>10}{'differ':>10}  new columns")
    for one in comparisons:
        print(f"{one.table:34}{one.rows:>10}{one.other_rows:>10}{one.differences:>10}  {', '.join(one.new_columns)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
