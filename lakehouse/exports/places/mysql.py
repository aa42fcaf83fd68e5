"""A table of MySQL or MariaDB: a batch is inserted beside it, and taken in by plain statements of one transaction.

`INSERT ... ON DUPLICATE KEY UPDATE` would not do: it takes a row that meets any unique index for the one it met, and so would write one person
over another who has the same address. So rows that are there by the key are updated, and the others inserted; one that meets another index is
refused. Texts are compared byte by byte, whatever collation the table has: `Ann` is not `ann`. Values are never part of a statement's text: the
driver quotes them, names are quoted here, and the session is strict, so that nothing is cut off or rounded in silence.
"""

import contextlib
import math
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pymysql
from pymysql.constants import CR, ER

from lakehouse.actions.destinations import Mysql
from lakehouse.exports.places.place import away
from lakehouse.exports.places.table import NUMBER, TablePlace

_BATCH, _NUMBER = "`stitchlake_batch`", f"`{NUMBER}`"
_CHECK_VIOLATED, _OUT_OF_RANGE = 3819, 1690  # of MySQL; the driver has no name for them
_OF_THE_ROW = frozenset({_CHECK_VIOLATED, ER.CONSTRAINT_FAILED, ER.BAD_NULL_ERROR, ER.DUP_ENTRY, ER.DATA_TOO_LONG})
_OF_THE_ROW |= {ER.WARN_DATA_OUT_OF_RANGE, ER.WARN_DATA_TRUNCATED, ER.TRUNCATED_WRONG_VALUE}
_OF_THE_ROW |= {ER.TRUNCATED_WRONG_VALUE_FOR_FIELD, _OUT_OF_RANGE}
_OF_THE_ROW |= {ER.NO_REFERENCED_ROW, ER.NO_REFERENCED_ROW_2, ER.ROW_IS_REFERENCED, ER.ROW_IS_REFERENCED_2}
_CHANGED = frozenset({ER.NO_SUCH_TABLE, ER.BAD_FIELD_ERROR, ER.NO_DEFAULT_FOR_FIELD, ER.OPTION_PREVENTS_STATEMENT})
_CHANGED |= {ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR}
_NOT_LET_IN = frozenset({ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, ER.BAD_DB_ERROR})
_SESSION = "SET SESSION sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00'"
# In an error's text; what is before it may be a value.
_PLACE = re.compile(r"(?:for key|for column|(?i:constraint)) (?:['`][^'`]+['`]\.)*['`]([^'`]+)['`]")


class _RowError(Exception):
    """One row is to blame. Its text is which kind of fault, and where."""


class MysqlPlace(TablePlace):
    """See `TablePlace`."""

    of_the_row = (_RowError,)

    def __init__(self, destination: Mysql, into: str, *, most_rows: int | None, timeout_seconds: float) -> None:
        super().__init__(destination, into, most_rows=most_rows, timeout_seconds=timeout_seconds)
        self._of = destination
        self._table = ".".join(map(_quoted, self.names))
        self._connection: pymysql.Connection[Any] | None = None

    def close(self) -> None:
        """See `Place`."""
        if self._connection is not None and self._connection.open:
            self._connection.close()

    @contextlib.contextmanager
    def speaking(self) -> Iterator[None]:
        """See `TablePlace`."""
        try:
            if self._connection is None or not self._connection.open:
                self._connection = self._connected()
            yield
        except pymysql.Error as error:
            self.close()
            code = _code(error)
            if code in _CHANGED:
                raise self.changed(error) from error
            if code in _NOT_LET_IN:
                raise self.refuses_us() from error
            raise away(self.where, type(error).__name__) from error
        except OSError as error:
            self.close()
            raise away(self.where, type(error).__name__) from error

    def is_there(self) -> bool:
        """See `TablePlace`."""
        schema = self.names[0] if len(self.names) == 2 else None
        asked = (
            "SELECT 1 FROM information_schema.tables WHERE table_schema = coalesce(%s, database()) AND table_name = %s"
        )
        return bool(self._rows(asked, [schema, self.names[-1]]))

    def create(self) -> None:
        """See `TablePlace`."""
        key = self.layout.key
        columns = (f"{_quoted(field.name)} {_sql_type(field.type, field.name in key)}" for field in self.layout.columns)
        self._do(f"CREATE TABLE {self._table} ({', '.join(columns)}, PRIMARY KEY ({_listed(key)})) ENGINE = InnoDB")

    def columns(self) -> set[str]:
        """See `TablePlace`."""
        return {row[0] for row in self._rows(f"SHOW COLUMNS FROM {self._table}")}

    def unique_keys(self) -> list[list[str]]:
        """See `TablePlace`."""
        found: dict[str, list[str]] = {}
        for row in self._rows(f"SHOW INDEX FROM {self._table} WHERE Non_unique = 0"):
            # An index over the beginning of a text holds two that begin alike for one.
            found.setdefault(row[2], []).append((row[4] or "") if row[7] is None else "")
        return [sorted(names) for names in found.values()]

    def take(self, rows: Sequence[Sequence[Any]]) -> set[int] | None:
        """See `TablePlace`."""
        layout, names = self.layout, self.layout.columns.names
        same = self._same_key()
        others = [name for name in names if name not in layout.key]
        with self._together(names, rows):
            numbers = None
            if layout.mode == "update":
                found = self._rows(f"SELECT sent.{_NUMBER} FROM {_BATCH} AS sent JOIN {self._table} AS there ON {same}")
                numbers = {row[0] for row in found}
            if others and layout.mode != "insert":
                sets = ", ".join(f"there.{_quoted(name)} = sent.{_quoted(name)}" for name in others)
                self._do(f"UPDATE {self._table} AS there JOIN {_BATCH} AS sent ON {same} SET {sets}")
            if layout.mode != "update":
                news = ", ".join(f"sent.{_quoted(name)}" for name in names)
                lacks = f"there.{_quoted(layout.key[0])} IS NULL"
                self._do(
                    f"INSERT INTO {self._table} ({_listed(names)}) SELECT {news} FROM {_BATCH} AS sent "
                    f"LEFT JOIN {self._table} AS there ON {same} WHERE {lacks}"
                )
        return numbers

    def remove(self, keys: Sequence[Sequence[Any]]) -> None:
        """See `TablePlace`."""
        with self._together(self.layout.key, keys):
            self._do(f"DELETE there FROM {self._table} AS there JOIN {_BATCH} AS sent ON {self._same_key()}")

    def reason(self, error: Exception) -> str:
        """See `TablePlace`."""
        return _reason(error) if isinstance(error, pymysql.Error) else str(error)

    @contextlib.contextmanager
    def _together(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[None]:
        """A transaction; the rows are beside the table, in columns of its types, with their numbers."""
        assert self._connection is not None
        self._do(f"DROP TEMPORARY TABLE IF EXISTS {_BATCH}")
        self._do(
            f"CREATE TEMPORARY TABLE {_BATCH} ENGINE = InnoDB SELECT {_listed(names)}, 0 AS {_NUMBER} FROM {self._table} LIMIT 0"
        )
        with self._connection.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            try:
                values = ", ".join(["%s"] * (len(names) + 1))
                cursor.executemany(
                    f"INSERT INTO {_BATCH} ({_listed(names)}, {_NUMBER}) VALUES".replace("%", "%%") + f" ({values})",
                    [[*map(_value, row), number] for number, row in enumerate(rows)],
                )
                yield
                cursor.execute("COMMIT")
            except pymysql.Error as error:
                if _code(error) not in _OF_THE_ROW:
                    raise
                cursor.execute("ROLLBACK")
                raise _RowError(_reason(error)) from None
            except _RowError:
                cursor.execute("ROLLBACK")
                raise

    def _same_key(self) -> str:
        """Of a text first as the index has it, and then to the byte."""
        compared = []
        for name in self.layout.key:
            column = _quoted(name)
            compared.append(f"there.{column} = sent.{column}")
            if pa.types.is_string(self.layout.columns.field(name).type):
                compared.append(f"CAST(there.{column} AS BINARY) = CAST(sent.{column} AS BINARY)")
        return " AND ".join(compared)

    def _rows(self, statement: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        assert self._connection is not None
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def _do(self, statement: str) -> None:
        self._rows(statement)

    def _connected(self) -> "pymysql.Connection[Any]":
        one = self._of
        plain = socket.create_connection((self.address(), one.port), self.timeout)
        security: dict[str, Any] = {"ssl_disabled": True} if one.security == "disable" else {"ssl": _tls(one.security)}
        connection = pymysql.connect(
            host=one.host,  # the name that a certificate is of; the socket is there
            user=one.user.get_secret_value(),
            password=one.password.get_secret_value(),
            database=one.database,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=self.timeout,
            read_timeout=10 * self.timeout,
            write_timeout=10 * self.timeout,
            program_name="stitchlake",
            defer_connect=True,
            **security,
        )
        try:
            connection.connect(plain)
        except BaseException:
            plain.close()
            raise
        with connection.cursor() as cursor:
            cursor.execute(_SESSION)
        return connection


def _tls(security: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if security == "require":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(_quoted, names))


def _value(value: Any) -> Any:
    """As the driver takes it. Raises _RowError: no number there."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, list):
        return orjson.dumps(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        raise _RowError("not a number")
    return value


def _sql_type(type_: pa.DataType, is_key: bool) -> str:
    if pa.types.is_decimal(type_):
        return f"decimal({type_.precision},{type_.scale})"
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return "json"
    if pa.types.is_timestamp(type_):
        return "datetime(6)"
    if pa.types.is_integer(type_):
        return "bigint"
    if pa.types.is_floating(type_):
        return "double"
    if pa.types.is_boolean(type_):
        return "boolean"
    return f"{'varchar(255)' if is_key else 'longtext'} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


def _code(error: pymysql.Error) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else CR.CR_UNKNOWN_ERROR


def _reason(error: pymysql.Error) -> str:
    """Its number and, where the text names one, the key or column."""
    found = _PLACE.findall(str(error.args[1]) if len(error.args) > 1 else "")
    return f"MySQL {_code(error)}{f' of {found[-1]}' if found else ''}"
