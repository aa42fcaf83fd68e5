"""A table of PostgreSQL: a batch is copied beside it, and taken in by one statement."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import errors, sql

from lakehouse.actions.destinations import Postgres
from lakehouse.exports.places.place import Layout, away
from lakehouse.exports.places.table import NUMBER, TablePlace

_CHANGED = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.DatatypeMismatch,
    errors.InsufficientPrivilege,
    errors.ReadOnlySqlTransaction,
)
_BATCH, _NUMBER = sql.Identifier("stitchlake_batch"), sql.Identifier(NUMBER)
_UNIQUE = """
SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = %s::regclass AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indexrelid
"""


class PostgresPlace(TablePlace):
    """See `TablePlace`."""

    of_the_row = (errors.DataError, errors.IntegrityError)

    def __init__(self, destination: Postgres, into: str, *, most_rows: int | None, timeout_seconds: float) -> None:
        super().__init__(destination, into, most_rows=most_rows, timeout_seconds=timeout_seconds)
        self._of = destination
        self._table = sql.Identifier(*self.names)
        self._connection: psycopg.Connection[Any] | None = None

    def close(self) -> None:
        """See `Place`."""
        if self._connection is not None:
            self._connection.close()

    @contextlib.contextmanager
    def speaking(self) -> Iterator[None]:
        """See `TablePlace`."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._connected()
            yield
        except _CHANGED as error:
            raise self.changed(error) from error
        except psycopg.OperationalError as error:
            self.close()
            if "authentication failed" in str(error) or "does not exist" in str(error):
                raise self.refuses_us() from error
            raise away(self.where, type(error).__name__) from error

    def is_there(self) -> bool:
        """See `TablePlace`."""
        found = self._here.execute("SELECT to_regclass(%s)", (self._table.as_string(self._here),)).fetchone()
        return found is not None and found[0] is not None

    def create(self) -> None:
        """See `TablePlace`."""
        self._here.execute(_create(self._table, self.layout))

    def columns(self) -> set[str]:
        """See `TablePlace`."""
        stored = self._here.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(self._table)).description or ()
        return {column.name for column in stored}

    def unique_keys(self) -> list[list[str]]:
        """See `TablePlace`."""
        return [row[0] for row in self._here.execute(_UNIQUE, (self._table.as_string(self._here),)).fetchall()]

    def take(self, rows: Sequence[Sequence[Any]]) -> set[int] | None:
        """See `TablePlace`."""
        layout = self.layout
        names = [sql.Identifier(name) for name in layout.columns.names]
        listed = sql.SQL(", ").join(names)
        with self._here.transaction():
            self._copy(listed, rows)
            if layout.mode == "update":
                return self._update(names)
            key = sql.SQL(", ").join(sql.Identifier(name) for name in layout.key)
            others = [sql.Identifier(name) for name in layout.columns.names if name not in layout.key]
            doing: sql.Composable = sql.SQL("NOTHING")
            if others and layout.mode != "insert":
                sets = sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(name) for name in others)
                theirs = sql.SQL(", ").join(sql.SQL("stored.{}").format(name) for name in others)
                ours = sql.SQL(", ").join(sql.SQL("EXCLUDED.{}").format(name) for name in others)
                doing = sql.SQL("UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})").format(sets, theirs, ours)
            self._here.execute(
                sql.SQL("INSERT INTO {} AS stored ({}) SELECT {} FROM {} ON CONFLICT ({}) DO {}").format(
                    self._table, listed, listed, _BATCH, key, doing
                )
            )
        return None

    def remove(self, keys: Sequence[Sequence[Any]]) -> None:
        """See `TablePlace`."""
        key = self.layout.key
        with self._here.transaction():
            self._copy(sql.SQL(", ").join(sql.Identifier(name) for name in key), keys)
            self._here.execute(
                sql.SQL("DELETE FROM {} AS stored USING {} AS new WHERE {}").format(self._table, _BATCH, _same_key(key))
            )

    def reason(self, error: Exception) -> str:
        """See `TablePlace`."""
        assert isinstance(error, psycopg.Error)
        place = error.diag.constraint_name or error.diag.column_name
        return f"{type(error).__name__}{'' if place is None else f' of {place}'}"

    @property
    def _here(self) -> psycopg.Connection[Any]:
        assert self._connection is not None
        return self._connection

    def _update(self, names: Sequence[sql.Identifier]) -> set[int]:
        sets = sql.SQL(", ").join(sql.SQL("{0} = new.{0}").format(name) for name in names)
        done = self._here.execute(
            sql.SQL("UPDATE {} AS stored SET {} FROM {} AS new WHERE {} RETURNING new.{}").format(
                self._table, sets, _BATCH, _same_key(self.layout.key), _NUMBER
            )
        )
        return {row[0] for row in done.fetchall()}

    def _copy(self, listed: sql.Composed, rows: Sequence[Sequence[Any]]) -> None:
        """The rows into a table beside, of the types the columns have there, with their numbers."""
        self._here.execute(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {}, 0 AS {} FROM {} WITH NO DATA").format(
                _BATCH, listed, _NUMBER, self._table
            )
        )
        copied = sql.SQL("COPY {} ({}, {}) FROM STDIN").format(_BATCH, listed, _NUMBER)
        with self._here.cursor().copy(copied) as copy:
            for number, row in enumerate(rows):
                copy.write_row([*row, number])

    def _connected(self) -> psycopg.Connection[Any]:
        one = self._of
        settings: Mapping[str, Any] = {
            **{"host": one.host, "hostaddr": self.address(), "port": one.port, "dbname": one.database},
            **{
                "user": one.user.get_secret_value(),
                "password": one.password.get_secret_value(),
                "sslmode": one.security,
            },
            **{"connect_timeout": self.timeout, "application_name": "stitchlake", "client_encoding": "utf8"},
        }
        connection = psycopg.connect(**settings, autocommit=True)
        connection.execute(sql.SQL("SET statement_timeout = {}").format(sql.Literal(f"{10 * self.timeout}s")))
        return connection


def _same_key(key: Sequence[str]) -> sql.Composed:
    return sql.SQL(" AND ").join(sql.SQL("stored.{0} = new.{0}").format(sql.Identifier(name)) for name in key)


def _create(table: sql.Identifier, layout: Layout) -> sql.Composed:
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(field.name), sql.SQL(_sql_type(field.type))) for field in layout.columns
    )
    key = sql.SQL(", ").join(sql.Identifier(name) for name in layout.key)
    return sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({}))").format(table, columns, key)


def _sql_type(type_: pa.DataType) -> Any:
    if pa.types.is_decimal(type_):
        return f"numeric({type_.precision},{type_.scale})"
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return "text[]"
    if pa.types.is_timestamp(type_):
        return "timestamptz"
    if pa.types.is_integer(type_):
        return "bigint"
    if pa.types.is_floating(type_):
        return "double precision"
    return "boolean" if pa.types.is_boolean(type_) else "text"
