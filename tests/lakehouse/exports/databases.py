"""Tables of the test run's PostgreSQL, one for each test."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lakehouse.errors import DestinationAwayError, ExportError
from lakehouse.machine import free_port
from tests.lakehouse.exports.shop import Shop
from tests.postgres_server import SECRET


def database(port: int) -> dict[str, Any]:
    """The destination."""
    return {
        **{"kind": "postgres", "host": "127.0.0.1", "port": port, "database": "postgres", "security": "disable"},
        **{"user": "shop", "password": "${DB_PASSWORD}"},
    }


def shop(folder: Path, port: int, table: str, **export: Any) -> Shop:
    """A shop whose export goes to a table that is not there yet."""
    query(port, f"DROP TABLE IF EXISTS {table}")
    return Shop(folder, database(port), environ={"DB_PASSWORD": SECRET}, into=table, **export)


def query(port: int, sql: str) -> list[tuple[Any, ...]]:
    """What a statement gives; nothing where it gives no rows."""
    with psycopg.connect(f"host=127.0.0.1 port={port} dbname=postgres user=shop password={SECRET}") as connection:
        done = connection.execute(sql)
        return done.fetchall() if done.description else []


def stored(port: int, table: str) -> Mapping[str, tuple[Any, ...]]:
    """id -> the other columns."""
    return {row[0]: row[1:] for row in query(port, f"SELECT * FROM {table}")}


def is_told_why_not(one: Shop) -> None:
    """A run into a database is told that it does not let us in, is away, or lies where we may not go; never a password."""
    one.environ = {"DB_PASSWORD": "wrong-one"}
    with pytest.raises(ExportError, match="refuses us") as refused:
        one.run()
    assert "wrong-one" not in str(refused.value)
    one.destination |= {"port": free_port()}
    with pytest.raises(DestinationAwayError, match="does not answer"):
        one.run()
    one.destination |= {"allow_private": False, "security": "require"}
    with pytest.raises(ExportError, match="its address is private"):
        one.run()
