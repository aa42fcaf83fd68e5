"""The server as a BI tool meets it: PyHive asks over Thrift, of the real command, on a lake that is known by heart."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyhive import hive
from pyhive.exc import OperationalError
from TCLIService import ttypes

from lakehouse.bi import catalogue
from lakehouse.bi.read_only import OFF
from lakehouse.bi.views import read_views
from lakehouse.catalog import TABLES
from lakehouse.commands import sql_server
from lakehouse.config import PROJECT
from lakehouse.config.paths import VIEWS
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.machine import free_port, wait_until
from tests import small_lake
from tests.small_lake import at
from tests.view_oracle import CHECKS, counted, plain

VIEWED = sorted(CHECKS)
SHOWN = [table.name for table in catalogue.shown(TABLES.values(), personal=False)]
LATER = "gold.products"  # not there when the server starts
# Its plans run once: compiling them costs more than it saves.
OPTIONS = [
    "--driver-memory",
    "1g",
    "--conf",
    "spark.sql.codegen.wholeStage=false",
    "--conf",
    "spark.sql.codegen.factoryMode=NO_CODEGEN",
]
OPTIONS += ["--conf", "spark.driver.extraJavaOptions=-Duser.timezone=UTC -XX:+UseSerialGC -XX:TieredStopAtLevel=1"]
TEA = {"product_id": "tea", "name": "Tea", "quantity": Decimal(2), "price": Decimal("20.00")}


def rows() -> dict[str, list[small_lake.Row]]:
    """Those of the small lake, so that all its tables tell of the same events. Besides, an order has lines, Bob left a cart, and an experiment was read out."""
    of_day = {"event_count": 1, "view_count": 0, "cart_count": 0, "order_count": 0, "revenue": Decimal(0)}
    result = {
        "experiment": "free_shipping", "metric": "converted", "arm": "b", "baseline": "a", "units": 40, "baseline_units": 41, "excluded_units": 0,
        "srm_p": 0.9, "is_blocked": False, "difference": 0.125, "is_guardrail": False, "is_harm": False, "computed_at": small_lake.BATCH,
    }  # fmt: skip
    refund = {
        "actor_id": "ann-phone",
        "activity_date": date(2026, 2, 12),
        "user_id": "ann",
        "first_at": at("02-12 12:00"),
        "last_at": at("02-12 12:00"),
    }
    return small_lake.ROWS | {
        "silver.events": changed("silver.events", "message_id", m0={"lines": [TEA]}, m8={"event": "Product Added"}),
        "silver.orders": changed("silver.orders", "order_id", o1={"lines": [TEA]}),
        "silver.activity_daily": [
            *changed("silver.activity_daily", "actor_id", **{"bob-tv": {"view_count": 0, "cart_count": 1}}), {**of_day, **refund},
        ],
        "gold.activation": changed("gold.activation", "profile_id", **{"ann-phone": {"event_count": 7}, "bob-web": {"event_count": 2}}),
        "gold.experiment_results": [result],
    }  # fmt: skip


def changed(table: str, key: str, **values: small_lake.Row) -> list[small_lake.Row]:
    return [{**row, **values.get(row[key], {})} for row in small_lake.ROWS[table]]


def start(lake: Lake, port: int) -> "subprocess.Popen[str]":
    environ = os.environ | {
        "STITCHLAKE__LAKE__ROOT": lake.root,
        "STITCHLAKE__SQL_SERVER__PORT": str(port),
        "STITCHLAKE__SQL_SERVER__REFRESH_SECONDS": "4",
    }
    command = [str(PROJECT / "spark-submit.sh"), *OPTIONS, "sql-server"]
    return subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT
    )


class Served:
    """A server that runs, and a client of it."""

    def __init__(self, lake: Lake, port: int, said: str) -> None:
        self.lake = lake
        self.port = port
        self.said = said
        self.cursor = self.connect()

    def connect(self, **configuration: str) -> Any:
        return hive.connect("127.0.0.1", self.port, username="ann", configuration=configuration).cursor()

    def ask(self, sql: str, cursor: Any = None) -> list[tuple[Any, ...]]:
        (cursor := cursor or self.cursor).execute(sql)
        return cursor.fetchall() if cursor.description else []

    def refused(self, sql: str, cursor: Any = None) -> str:
        with pytest.raises(OperationalError) as raised:
            self.ask(sql, cursor)
        return str(raised.value.args[0].status.errorMessage)


@pytest.fixture(scope="module")
def served(new_lake: Callable[[str], Lake]) -> Iterator[Served]:
    small_lake.copy_empty_tables(lake := new_lake("sql_server"))
    for name, told in rows().items():
        lake.add(pa.Table.from_pylist(list(told), schema=arrow_schema(TABLES[name])), TABLES[name])
    shutil.rmtree(lake.path(TABLES[LATER]))
    port = free_port()
    with start(lake, port) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert process.stdout.readline() == "ready\n", said + process.communicate()[1]
            yield Served(lake, port, said)
            process.send_signal(signal.SIGTERM)
            assert (process.wait(timeout=60), process.stdout.read()) == (128 + signal.SIGTERM, "")
        finally:
            process.kill()


def test_it_says_where_it_answers_and_what_is_not_there_yet(served: Served) -> None:
    told = f"{len(SHOWN) - 1} tables, {len(VIEWED)} views; not there yet: {LATER}"
    assert served.said == f"jdbc:hive2://127.0.0.1:{served.port}/default: {told}\n"


@pytest.mark.parametrize("name", VIEWED)
def test_a_view_says_what_the_events_say(served: Served, name: str) -> None:
    answer = plain(served.ask(CHECKS[name].of_view))
    assert answer == counted(name, TABLES, served.lake.path)
    assert answer


def test_every_table_and_view_has_the_columns_and_comments_of_its_declaration(served: Served) -> None:
    for name in [*SHOWN[:3], "gold.rfm"]:
        told = {column: comment for column, _, comment in served.ask(f"DESCRIBE {name}")}
        assert told == {column.name: column.comment for column in TABLES[name].columns}, name
    for view in read_views(VIEWS, TABLES):
        told = {column: comment for column, _, comment in served.ask(f"DESCRIBE {view.name}")}
        assert told == view.columns, view.name


def tree(served: Served, what: str, request: Any) -> list[tuple[Any, ...]]:
    """What JDBC's DatabaseMetaData asks for, which is no SQL. PyHive has no call for it, and reads the answer."""
    cursor = served.connect()
    request.sessionHandle = cursor._connection.sessionHandle
    cursor._state = cursor._STATE_RUNNING
    cursor._operationHandle = getattr(cursor._connection.client, what)(request).operationHandle
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def test_the_tree_of_a_tool_shows_tables_and_views_with_their_columns_and_comments(served: Served) -> None:
    named = {
        (schema, name): (kind, remark)
        for _, schema, name, kind, remark, *_ in tree(served, "GetTables", ttypes.TGetTablesReq())
    }
    of_views = {("default", view.name): ("VIEW", view.comment) for view in read_views(VIEWS, TABLES)}
    of_tables = {tuple(name.split(".")): ("TABLE", TABLES[name].grain) for name in SHOWN}
    assert named | of_tables == of_views | of_tables
    assert of_tables.keys() - named.keys() <= {tuple(LATER.split("."))}
    columns = tree(served, "GetColumns", ttypes.TGetColumnsReq(schemaName="gold", tableName="rfm"))
    assert [(row[3], row[11]) for row in columns] == [
        (column.name, column.comment) for column in TABLES["gold.rfm"].columns
    ]


REFUSED = [
    "DROP TABLE silver.orders",
    "DROP VIEW orders",
    "DROP SCHEMA gold CASCADE",
    "CREATE TABLE mine (a INT)",
    "CREATE TABLE mine AS SELECT 1 AS a",
    "CREATE TEMPORARY VIEW mine AS SELECT 1 AS a",
    "INSERT INTO gold.rfm SELECT * FROM gold.rfm",
    "FROM gold.rfm INSERT INTO gold.rfm SELECT * INSERT INTO gold.rfm SELECT *",
    "WITH all_of_it AS (SELECT * FROM gold.rfm) INSERT OVERWRITE gold.rfm SELECT * FROM all_of_it",
    "DELETE FROM gold.rfm",
    "UPDATE gold.rfm SET frequency = 0",
    "MERGE INTO gold.rfm AS a USING gold.rfm AS b ON a.profile_id = b.profile_id WHEN MATCHED THEN DELETE",
    "ALTER TABLE gold.rfm ADD COLUMNS (mine INT)",
    "TRUNCATE TABLE gold.rfm",
    "RESTORE TABLE gold.rfm TO VERSION AS OF 0",
    "OPTIMIZE gold.rfm",
    "VACUUM gold.rfm",
    "COMMENT ON TABLE gold.rfm IS 'mine'",
    "CACHE TABLE orders",
    "EXECUTE IMMEDIATE 'DROP TABLE silver.orders'",
    "BEGIN DROP TABLE silver.orders; END",
    "ADD JAR '/tmp/mine.jar'",
    "CREATE TEMPORARY FUNCTION mine AS 'mine.Function'",
    "INSERT OVERWRITE DIRECTORY '{folder}/out' USING csv SELECT 1",
    "SELECT TRANSFORM(1) USING 'id' AS (a)",
    "SELECT (SELECT TRANSFORM(1) USING 'id' AS (a))",
    "SELECT reflect('java.lang.System', 'getProperty', 'user.home')",
    "SELECT java_method('java.lang.System', 'getProperty', 'user.home')",
    "SELECT try_reflect('java.lang.System', 'getProperty', 'user.home')",
    "SELECT email FROM gold.contacts",
    "SELECT email FROM delta.`{folder}/gold/contacts`",
    "SELECT * FROM orders WHERE EXISTS (SELECT email FROM delta.`{folder}/gold/contacts`)",
    "SELECT * FROM identifier('delta.`{folder}/gold/contacts`')",
    "SELECT * FROM table_changes_by_path('{folder}/gold/activation', 0)",
    "SELECT * FROM text.`/etc/hostname`",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_a_client_reads_and_nothing_else(served: Served, statement: str) -> None:
    before = commits(served.lake)
    assert served.refused(statement.format(folder=served.lake.root))
    assert commits(served.lake) == before


def commits(lake: Lake) -> list[int]:
    """The last commit of each table that is tried."""
    return [lake.commit(TABLES[name]) for name in ("gold.rfm", "silver.orders")]


def test_a_refusal_says_what_was_got_and_what_is_expected(served: Served) -> None:
    told = served.refused("DROP TABLE silver.orders")
    assert re.search(r"SecurityException: got DropTable\w*, expected SELECT over tables of the catalogue", told), told
    assert "got files by their path" in served.refused("SELECT * FROM text.`/etc/hostname`")


def test_a_client_that_sets_something_sets_it_for_itself(served: Served) -> None:
    other = served.connect()
    served.ask("USE gold", other)
    served.ask("SET spark.sql.session.timeZone = Asia/Tokyo", other)
    zone = "SELECT current_timezone(), current_database()"
    assert (served.ask(zone, other), served.ask(zone)) == ([("Asia/Tokyo", "gold")], [("UTC", "default")])
    days = "SELECT order_id, order_date FROM orders"
    assert sorted(served.ask(days.replace("orders", "default.orders"), other)) == sorted(served.ask(days))


def test_no_setting_of_a_client_opens_another_way(served: Served) -> None:
    for name in OFF:
        other = served.connect(**{name: "true"})
        served.ask(f"SET {name} = true", other)
        assert served.refused("DROP TABLE silver.orders", other)
        assert "got files by their path" in served.refused("SELECT * FROM text.`/etc/hostname`", other)
        assert "got files by their path" in served.refused(
            f"SELECT * FROM delta.`{served.lake.root}/gold/contacts`", other
        )


def test_what_is_no_sql_is_told_in_the_words_of_spark(served: Served) -> None:
    told = served.refused("SELEC 1")
    assert "[PARSE_SYNTAX_ERROR]" in told
    assert "Traceback" not in told


def test_a_table_and_a_column_that_come_later_are_seen(served: Served) -> None:
    path = served.lake.path(TABLES["gold.features"])
    served.lake.spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMNS (teas BIGINT COMMENT 'teas of 30 days')")
    small_lake.copy_empty_tables(served.lake)
    assert served.ask("SELECT teas FROM gold.features") == []  # at once

    def seen() -> bool:
        columns = tree(served, "GetColumns", ttypes.TGetColumnsReq(schemaName="gold"))
        return {(row[2], row[3]) for row in columns} >= {("features", "teas"), ("products", "category")}

    assert wait_until(seen, 60)
    assert served.ask(f"SELECT * FROM {LATER}") == []


def test_a_port_that_is_in_use_is_one_line(served: Served) -> None:
    with start(served.lake, served.port) as second:
        said, error = second.communicate(timeout=60)
    assert (second.returncode, said) == (2, "")
    assert error == (
        f"error: sql_server.port: got {served.port}, which is in use, expected a free port. Stop what listens there, or set "
        "STITCHLAKE__SQL_SERVER__PORT\n"
    )


def test_printed_sql_is_what_the_server_registers(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STITCHLAKE__LAKE__ROOT", served.lake.root)
    sql_server.main(["--print"])
    printed = capsys.readouterr().out
    assert (
        f"CREATE TABLE IF NOT EXISTS silver.orders USING DELTA COMMENT 'one row per order' LOCATION '{served.lake.root}/silver/orders';"
        in printed
    )
    assert printed.count("CREATE OR REPLACE VIEW ") == len(VIEWED)
    assert "gold.contacts" not in printed
    sql_server.main(["--print", "--with-personal-data"])
    assert "CREATE TABLE IF NOT EXISTS gold.contacts " in capsys.readouterr().out
