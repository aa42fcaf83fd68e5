"""Tables of a real MariaDB: each mode, what a row is refused for, and what the database does meanwhile."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import DestinationAwayError, ExportError
from lakehouse.exports.places.mysql import _reason, pymysql
from tests.lakehouse.exports.databases import is_told_why_not
from tests.lakehouse.exports.shop import NOW, Shop, leaked, person
from tests.mariadb_server import DATABASE, SECRET, connected

VALUE = Decimal("12.50")


def shop(folder: Path, port: int, table: str, **export: Any) -> Shop:
    """A shop whose export goes to a table that is not there yet."""
    query(port, f"DROP TABLE IF EXISTS {table}")
    database = {"kind": "mysql", "host": "127.0.0.1", "port": port, "database": DATABASE, "security": "disable"}
    login = {"user": "shop", "password": "${DB_PASSWORD}"}
    return Shop(folder, database | login, environ={"DB_PASSWORD": SECRET}, into=table, **export)


def query(port: int, sql: str) -> list[tuple[Any, ...]]:
    with connected(port) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def stored(port: int, table: str) -> Mapping[str, tuple[Any, ...]]:
    return {row[0]: row[1:] for row in query(port, f"SELECT * FROM {table}")}


def test_what_changed_is_sent_and_a_profile_that_is_no_more_goes(tmp_path: Path, mariadb_port: int) -> None:
    columns = {"id": "profile_id", "a `b` %s": "segment", "revenue": "monetary", "seen": "last_order_at"}
    columns |= {"names": "user_ids", "lapsed": "frequency > 1", "share": "frequency / 4"}
    one = shop(tmp_path, mariadb_port, "changed", mode="mirror", columns=columns)
    one.people(person("Ann", "it's 50 % \"\\", user_ids=["u1", "ü"]), person("ann"), person("bob", None, frequency=1))
    assert one.run().counts["delivered"] == 3
    seen = one.rows("export_rows").num_rows and query(mariadb_port, "SELECT seen FROM changed")[0][0]
    assert str(seen) == str(NOW.replace(tzinfo=None).replace(month=2, day=19))
    found = stored(mariadb_port, "changed")
    assert found["Ann"][:2] == ("it's 50 % \"\\", VALUE)
    assert found["Ann"][3] == '["u1","ü"]'
    assert {key: values[4:] for key, values in found.items()} == {"Ann": (1, 0.5), "ann": (1, 0.5), "bob": (0, 0.25)}
    one.people(person("Ann", "lost"), person("bob", None, frequency=1))
    counts = one.run().counts
    assert (counts["delivered"], counts["unchanged"], counts["removed"]) == (1, 1, 1)
    assert {key: values[0] for key, values in stored(mariadb_port, "changed").items()} == {"Ann": "lost", "bob": None}
    assert one.run().counts["delivered"] == 0


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("insert", {"ann": "old", "bob": "there", "new": "here", "left": "old"}),
        ("update", {"bob": "now"}),
        ("upsert", {"ann": "now", "bob": "now", "new": "here", "left": "old"}),
        ("mirror", {"ann": "now", "bob": "now", "new": "here"}),
    ],
)
def test_each_mode(tmp_path: Path, mariadb_port: int, mode: str, expected: dict[str, str]) -> None:
    table = f"mode_{mode}"
    one = shop(tmp_path, mariadb_port, table, mode=mode, where="frequency > 0")
    query(mariadb_port, f"CREATE TABLE {table} (id varchar(40) PRIMARY KEY, segment text, revenue decimal(18,2))")
    query(mariadb_port, f"INSERT INTO {table} VALUES ('bob', 'there', 1)")
    one.people(person("ann", "old"), person("left", "old"))
    one.run()
    one.people(person("ann", "now"), person("bob", "now"), person("new", "here"), person("left", "old", frequency=0))
    one.run()
    assert {key: values[0] for key, values in stored(mariadb_port, table).items()} == expected


def test_a_row_is_known_again_by_a_time_and_a_sum_and_goes(tmp_path: Path, mariadb_port: int) -> None:
    columns = {"seen": "last_order_at", "value": "monetary", "is_often": "frequency > 1", "segment": "segment"}
    one = shop(tmp_path, mariadb_port, "timed", columns=columns, key=["seen", "value", "is_often"], mode="mirror")
    one.people(person("ann"), person("bob", monetary=Decimal("3.00")))
    assert one.run().counts["delivered"] == 2
    one.people(person("bob", "new", monetary=Decimal("3.00")))
    assert one.run().counts["removed"] == 1
    one.export |= {"mode": "update"}
    one.people(person("bob", "newer", monetary=Decimal("3.00")))
    assert one.run().counts["delivered"] == 1
    assert [row[1:] for row in query(mariadb_port, "SELECT * FROM timed")] == [(Decimal("3.00"), 1, "newer")]


def test_a_row_that_meets_another_index_or_a_rule_is_refused_and_no_other_is_touched(
    tmp_path: Path, mariadb_port: int
) -> None:
    one = shop(tmp_path, mariadb_port, "strict")
    query(
        mariadb_port,
        "CREATE TABLE strict (id varchar(40) COLLATE utf8mb4_general_ci PRIMARY KEY, segment varchar(9), revenue decimal(18,2), "
        "UNIQUE KEY by_segment (segment), CONSTRAINT positive CHECK (revenue > 0))",
    )
    people = [person("ann", "secret-1"), person("bob", "secret-1"), person("cat", "much too long a text")]
    people += [person("dan", "d", monetary=Decimal("-1.00")), person("eve", "e"), person("EVE", "f")]
    one.people(*people)
    report = one.run()
    assert (report.counts["delivered"], report.counts["rejected"]) == (2, 4)
    assert report.refused == {
        "MySQL 1062 of by_segment": 1,
        "MySQL 1406 of segment": 1,
        "MySQL 4025 of positive": 1,
        "MySQL 1062 of PRIMARY": 1,
    }
    there = stored(mariadb_port, "strict")
    assert len(there) == 2
    assert {"secret-1"} < {row[0] for row in there.values()}
    assert leaked(one, "secret-1", "much too long") == []


def test_a_database_that_is_gone_changed_or_locked_is_told_without_a_password(
    tmp_path: Path, mariadb_port: int
) -> None:
    one = shop(tmp_path, mariadb_port, "gone")
    one.people(person("ann"))
    one.run()
    one.people(person("ann", "new"))
    query(mariadb_port, "ALTER TABLE gone DROP COLUMN segment")
    with pytest.raises(ExportError, match="no column 'segment'"):
        one.run()
    query(mariadb_port, "DROP TABLE gone")
    with pytest.raises(ExportError, match="table gone is gone"):
        one.run()
    assert one.ledger() == {"ann": ("delivered", True)}
    assert one.run(is_full=True).counts["delivered"] == 1
    query(mariadb_port, "ALTER TABLE gone DROP PRIMARY KEY, ADD UNIQUE KEY half (id(3))")
    one.people(person("ann", "newer"))
    with pytest.raises(ExportError, match=r"no unique index over \(id\)"):
        one.run()
    is_told_why_not(one)


def test_nothing_is_said_without_tls_where_it_is_asked_for(tmp_path: Path, mariadb_port: int) -> None:
    one = shop(tmp_path, mariadb_port, "plain")
    one.destination |= {"security": "require"}
    one.people(person("ann"))
    with pytest.raises(DestinationAwayError, match="does not answer"):
        one.run()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Duplicate entry 'x' for key 'ann@example.com'' for key 'by_email'", "MySQL 1062 of by_email"),
        ("Incorrect string value: '\\xF0' for column `shop`.`people`.`name` at row 1", "MySQL 1062 of name"),
        ("Check constraint 'positive' is violated.", "MySQL 1062 of positive"),
        ("something ann@example.com", "MySQL 1062"),
    ],
)
def test_a_reason_holds_no_value(text: str, reason: str) -> None:
    assert _reason(pymysql.err.IntegrityError(1062, text)) == reason
