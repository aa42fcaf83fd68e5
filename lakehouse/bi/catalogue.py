"""Tables by their contracts, and views over them, as SQL for a catalogue: of our own server, of a Hive metastore, of Unity Catalog."""

from collections.abc import Callable, Iterable, Iterator

from lakehouse.bi.views import View
from lakehouse.tables.contract import Table

Path = Callable[[Table], str]


def shown(tables: Iterable[Table], *, personal: bool) -> list[Table]:
    """Those that a catalogue holds. `personal`: those with personal data, too."""
    return [table for table in tables if personal or not table.holds_personal_data]


def statements(tables: Iterable[Table], views: Iterable[View], path: Path) -> Iterator[str]:
    """SQL that registers the tables where they are stored, and the views in the schema that is in use. Run again it changes nothing."""
    listed = list(tables)
    yield from schemas(listed)
    for table in listed:
        yield registration(table, path(table))
    for view in views:
        yield view.sql


def schemas(tables: Iterable[Table]) -> Iterator[str]:
    for layer in dict.fromkeys(table.layer for table in tables):
        yield f"CREATE SCHEMA IF NOT EXISTS {layer}"


def registration(table: Table, path: str) -> str:
    """Columns and their comments are in the table's own log."""
    return f"CREATE TABLE IF NOT EXISTS {table.name} USING DELTA COMMENT {quoted(table.grain)} LOCATION {quoted(path)}"


def quoted(text: str) -> str:
    """A literal of Spark's SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
