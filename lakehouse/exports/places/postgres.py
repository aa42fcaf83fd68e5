"""A table of PostgreSQL: each batch is copied beside it and taken in by one transaction, whole or not at all.

What a constraint or a type refuses is found by halving the batch: the rest of it is taken. A table that is not there is made at the
first run; later it was dropped, and making it anew would leave out what the ledger believes to be there.
"""

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
import pyarrow as pa
from psycopg import errors, sql

from lakehouse.actions.delivery import GiveUp, Retry, Sent
from lakehouse.actions.destinations import Postgres
from lakehouse.actions.private_addresses import refuse_private
from lakehouse.errors import ActionError, DestinationAwayError, ExportError
from lakehouse.exports.mapping import key_text, key_values
from lakehouse.exports.places.place import Layout, Outcome, keys_of
from lakehouse.exports.rows import Removal, Row, Sending

MOST_ROWS = 10_000
_OF_THE_ROW = (errors.DataError, errors.IntegrityError)
_CHANGED = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.DatatypeMismatch,
    errors.InsufficientPrivilege,
    errors.ReadOnlySqlTransaction,
)
_BATCH = sql.Identifier("stitchlake_batch")
_UNIQUE = """
SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = %s::regclass AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indexrelid
"""


class PostgresPlace:
    """`into`: the table, with its schema or without."""

    takes_all = False

    def __init__(self, destination: Postgres, into: str, *, most_rows: int | None, timeout_seconds: float) -> None:
        """Raises ExportError: no name of a table."""
        names = into.split(".")
        if not 1 <= len(names) <= 2 or not all(names):
            raise ExportError(f"into: got '{into}', expected a table, such as public.customers. Mend it")
        self.most_rows: int | None = most_rows or MOST_ROWS
        self._destination = destination
        self._timeout = max(1, round(timeout_seconds))
        self._name = into
        self._table = sql.Identifier(*names)
        self._layout: Layout | None = None
        self._connection: psycopg.Connection[Any] | None = None

    def open(self, layout: Layout, *, holds_rows: bool) -> None:
        """See `Place`."""
        self._layout = layout
        with self._speaking() as connection:
            there = connection.execute("SELECT to_regclass(%s)", (self._table.as_string(connection),)).fetchone()
            if there is None or there[0] is None:
                if holds_rows:
                    raise ExportError(
                        f"destination {self._destination.name}: table {self._name} is gone, expected the rows of the runs before. "
                        "Bring it back, or run with --full to fill a new one"
                    )
                connection.execute(_create(self._table, layout))
            self._refuse_other(connection)

    def identity(self, row: Row) -> str | None:
        """See `Place`."""
        return None

    def apply(self, batch_id: str, sends: Sequence[Sending], removals: Sequence[Removal]) -> dict[str, Outcome]:
        """See `Place`."""
        try:
            with self._speaking() as connection:
                gone = _halved(removals, lambda some: self._removed(connection, some))
                return gone | _halved(sends, lambda some: self._taken(connection, some))
        except DestinationAwayError as error:
            return dict.fromkeys(keys_of(sends, removals), Retry(str(error)))

    def close(self) -> None:
        """See `Place`."""
        if self._connection is not None:
            self._connection.close()

    def _taken(self, connection: psycopg.Connection[Any], sends: Sequence[Sending]) -> dict[str, Outcome]:
        with connection.transaction():
            touched = self._merge(connection, [sending.row.what for sending in sends])
        return {
            sending.key: Sent() if touched is None or sending.key in touched else GiveUp("not at the destination")
            for sending in sends
        }

    def _merge(self, connection: psycopg.Connection[Any], rows: Sequence[Row]) -> set[str] | None:
        """Take the rows; where they must be there, the keys of those that are."""
        layout = self._told
        names = [sql.Identifier(name) for name in layout.columns.names]
        listed = sql.SQL(", ").join(names)
        self._copy(connection, listed, [[row[name] for name in layout.columns.names] for row in rows])
        key = sql.SQL(", ").join(sql.Identifier(name) for name in layout.key)
        if layout.mode == "update":
            return self._update(connection, names)
        others = [sql.Identifier(name) for name in layout.columns.names if name not in layout.key]
        doing: sql.Composable = sql.SQL("NOTHING")
        if others and layout.mode != "insert":
            sets = sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(name) for name in others)
            theirs = sql.SQL(", ").join(sql.SQL("stored.{}").format(name) for name in others)
            ours = sql.SQL(", ").join(sql.SQL("EXCLUDED.{}").format(name) for name in others)
            doing = sql.SQL("UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})").format(sets, theirs, ours)
        connection.execute(
            sql.SQL("INSERT INTO {} AS stored ({}) SELECT {} FROM {} ON CONFLICT ({}) DO {}").format(
                self._table, listed, listed, _BATCH, key, doing
            )
        )
        return None

    def _update(self, connection: psycopg.Connection[Any], names: Sequence[sql.Identifier]) -> set[str]:
        layout = self._told
        sets = sql.SQL(", ").join(sql.SQL("{0} = new.{0}").format(name) for name in names)
        at = sql.SQL(", ").join(sql.SQL("stored.{}").format(sql.Identifier(name)) for name in layout.key)
        done = connection.execute(
            sql.SQL("UPDATE {} AS stored SET {} FROM {} AS new WHERE {} RETURNING {}").format(
                self._table, sets, _BATCH, _same_key(layout.key), at
            )
        )
        return {text for row in done.fetchall() if (text := key_text(list(row))) is not None}

    def _removed(self, connection: psycopg.Connection[Any], removals: Sequence[Removal]) -> dict[str, Outcome]:
        layout = self._told
        listed = sql.SQL(", ").join(sql.Identifier(name) for name in layout.key)
        with connection.transaction():
            self._copy(
                connection, listed, [key_values(removal.key, layout.columns, layout.key) for removal in removals]
            )
            connection.execute(
                sql.SQL("DELETE FROM {} AS stored USING {} AS new WHERE {}").format(
                    self._table, _BATCH, _same_key(layout.key)
                )
            )
        return {removal.key: Sent() for removal in removals}

    def _copy(self, connection: psycopg.Connection[Any], listed: sql.Composed, rows: Sequence[Sequence[Any]]) -> None:
        """The rows into a table beside, of the types the columns have there."""
        connection.execute(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
                _BATCH, listed, self._table
            )
        )
        with connection.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(_BATCH, listed)) as copy:
            for row in rows:
                copy.write_row(row)

    def _refuse_other(self, connection: psycopg.Connection[Any]) -> None:
        """A table that lacks a column, or on whose key nothing is unique."""
        layout = self._told
        stored = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(self._table)).description or ()
        missing = [name for name in layout.columns.names if name not in {column.name for column in stored}]
        if missing:
            raise ExportError(
                f"destination {self._destination.name}: table {self._name} has no column '{missing[0]}', expected every column of the export. "
                "Add it there, or take it out of exports.yaml"
            )
        unique = [row[0] for row in connection.execute(_UNIQUE, (self._table.as_string(connection),)).fetchall()]
        if layout.mode != "update" and sorted(layout.key) not in unique:
            raise ExportError(
                f"destination {self._destination.name}: table {self._name} has no unique index over ({', '.join(layout.key)}), expected one. "
                "Create it there"
            )

    @property
    def _told(self) -> Layout:
        assert self._layout is not None
        return self._layout

    @contextlib.contextmanager
    def _speaking(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection, the one there is or a new one.

        Raises:
            DestinationAwayError: it does not answer; whether what was under way got through is open.
            ExportError: the database is not as it was.
        """
        where = f"destination {self._destination.name}"
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._connected()
            yield self._connection
        except _CHANGED as error:
            raise ExportError(
                f"{where}: table {self._name}: got {_reason(error)}, expected it as it was. Mend it there"
            ) from error
        except psycopg.OperationalError as error:
            if self._connection is not None:
                self._connection.close()
            if "authentication failed" in str(error) or "does not exist" in str(error):
                raise ExportError(
                    f"{where}: refuses us, expected a database, a user and a password it knows. Mend destinations.yaml"
                ) from error
            raise DestinationAwayError(
                f"{where}: does not answer, got {type(error).__name__}. It is tried again"
            ) from error

    def _connected(self) -> psycopg.Connection[Any]:
        one = self._destination
        try:
            found = socket.getaddrinfo(one.host, one.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise DestinationAwayError(
                f"destination {one.name}: no such host, got {type(error).__name__}. Mend it, or try again"
            ) from error
        address = str(found[0][4][0])
        if not one.allow_private:
            try:
                refuse_private(address, one.host)
            except ActionError as error:
                raise ExportError(str(error)) from error
        settings: Mapping[str, Any] = {
            **{"host": one.host, "hostaddr": address, "port": one.port, "dbname": one.database},
            **{
                "user": one.user.get_secret_value(),
                "password": one.password.get_secret_value(),
                "sslmode": one.security,
            },
            **{"connect_timeout": self._timeout, "application_name": "stitchlake", "client_encoding": "utf8"},
        }
        connection = psycopg.connect(**settings, autocommit=True)
        connection.execute(sql.SQL("SET statement_timeout = {}").format(sql.Literal(f"{10 * self._timeout}s")))
        return connection


One = TypeVar("One", Sending, Removal)


def _halved(batch: Sequence[One], take: Callable[[Sequence[One]], dict[str, Outcome]]) -> dict[str, Outcome]:
    """Take the batch; where a row of it is refused, its halves, down to that row."""
    if not batch:
        return {}
    try:
        return take(batch)
    except _OF_THE_ROW as error:
        if len(batch) == 1:
            return {batch[0].key: GiveUp(_reason(error))}
    half = len(batch) // 2
    return _halved(batch[:half], take) | _halved(batch[half:], take)


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


def _reason(error: psycopg.Error) -> str:
    """Which kind of fault, and of which constraint or column; never a value, as the message would have it."""
    place = error.diag.constraint_name or error.diag.column_name
    return f"{type(error).__name__}{'' if place is None else f' of {place}'}"
