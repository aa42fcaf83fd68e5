"""The questions people ask, as views: a file each in conf/views, whose SQL Spark, Databricks and a Hive metastore take as it is.

A file holds one statement, CREATE OR REPLACE VIEW with the name of the file. The view and each of its columns has a COMMENT. It reads
tables as `<layer>.<table>`, and other views by their name.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import sqlglot
from sqlglot import exp

from lakehouse.errors import ConfigError
from lakehouse.tables.contract import Table

_DIALECT = "spark"


@dataclass(frozen=True, kw_only=True)
class View:
    """One view. sql: the statement that makes it. columns: name -> comment. reads: tables, as `<layer>.<table>`, and views."""

    name: str
    sql: str
    comment: str
    columns: Mapping[str, str]
    reads: frozenset[str]


def read_views(folder: Path, tables: Mapping[str, Table]) -> list[View]:
    """Every view of the folder, each after those it reads. `tables`: all there are, by name.

    Raises:
        ConfigError: every fault of every file, a line each.
    """
    views, faults = dict[str, View](), list[str]()
    for path in sorted(folder.glob("*.sql")):
        try:
            views[path.stem] = _read(path)
        except ConfigError as error:
            faults.append(str(error))
    for view in views.values():
        faults += _faults(view, tables, views)
    if faults:
        raise ConfigError("\n".join(faults))
    return _in_order(views)


def _read(path: Path) -> View:
    sql = path.read_text(encoding="utf-8").strip()
    try:
        (statement,) = sqlglot.parse(sql, read=_DIALECT)
    except sqlglot.errors.SqlglotError as error:
        raise ConfigError(f"{_where(path.stem)}: got no SQL of Spark's, {_told(error)}. Mend it") from None
    except ValueError:
        raise ConfigError(f"{_where(path.stem)}: got several statements, expected one CREATE OR REPLACE VIEW") from None
    if not (isinstance(statement, exp.Create) and statement.kind == "VIEW" and statement.args.get("replace")):
        raise ConfigError(
            f"{_where(path.stem)}: got {_start(sql)!r}, expected CREATE OR REPLACE VIEW {path.stem} (...)"
        )
    named = statement.find(exp.Table)
    if named is None or named.sql(_DIALECT) != path.stem:
        raise ConfigError(f"{_where(path.stem)}: got a view of another name, expected {path.stem}. Rename one of them")
    return View(
        name=path.stem,
        sql=sql.removesuffix(";"),
        comment=_comment(statement.args.get("properties")),
        columns={column.name: _comment(column) for column in statement.this.expressions},
        reads=_reads(statement.expression),
    )


def _comment(node: exp.Expression | None) -> str:
    kinds = (exp.SchemaCommentProperty, exp.CommentColumnConstraint)
    found = None if node is None else node.find(*kinds)
    return "" if found is None else found.this.name


def _reads(query: exp.Expression) -> frozenset[str]:
    of_itself = {cte.alias for cte in query.find_all(exp.CTE)}
    named = {table.sql(_DIALECT, comments=False).partition(" AS ")[0] for table in query.find_all(exp.Table)}
    return frozenset(named - of_itself)


def _faults(view: View, tables: Mapping[str, Table], views: Collection[str]) -> Iterator[str]:
    bare = [name for name, comment in view.columns.items() if not comment]
    if bare or not view.columns or not view.comment:
        yield f"{_where(view.name)}: got no COMMENT of {', '.join(bare) or 'the view or its columns'}, expected one of the view and of each column"
    for name in sorted(view.reads):
        if name not in tables and name not in views:
            nearest = difflib.get_close_matches(name, [*tables, *views], n=1, cutoff=0.0)
            yield f"{_where(view.name)}: reads '{name}', which is no table and no view; did you mean '{nearest[0]}'?"
        elif name in tables and tables[name].holds_personal_data:
            yield (
                f"{_where(view.name)}: reads {name}, which holds personal data, expected a view that anybody may see. Query the table itself, "
                "under --with-personal-data"
            )


def _in_order(views: Mapping[str, View]) -> list[View]:
    try:
        names = list(
            TopologicalSorter({view.name: view.reads & views.keys() for view in views.values()}).static_order()
        )
    except CycleError as error:
        ring = " -> ".join(reversed(error.args[1]))
        raise ConfigError(
            f"conf/views: views read each other in a ring, got {ring}, expected an order. Mend one of them"
        ) from None
    return [views[name] for name in names]


def _where(name: str) -> str:
    return f"conf/views/{name}.sql"


def _told(error: sqlglot.errors.SqlglotError) -> str:
    """Its message without the colours of a terminal."""
    first = next(iter(error.errors), {}) if isinstance(error, sqlglot.errors.ParseError) else {}
    return f"line {first['line']}: {first['description']}" if first else " ".join(str(error).split())


def _start(sql: str) -> str:
    return " ".join(sql.split()[:4])
