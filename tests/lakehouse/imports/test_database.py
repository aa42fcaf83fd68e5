"""A table of a database, by JDBC: Apache Derby, which comes with Spark. tests/benchmarks/database.py does the same with PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from lakehouse.errors import SourceError
from lakehouse.imports.database import PASSWORD, USER, Database, DatabaseToImport, credentials
from lakehouse.imports.table_import import session_for_imports
from tests.lakehouse.imports.shop_lake import Killed, ShopLake

EVENTS = (
    'SELECT id, \'add_to_cart\' AS "event", customer AS "customer_id", placed AS "timestamp", product AS "product_id", '
    'price AS "price" FROM orders'
)


class Derby:
    """A database in memory, spoken to by the JVM's own JDBC."""

    def __init__(self, spark: SparkSession) -> None:
        self.url = f"jdbc:derby:memory:{uuid4().hex}"
        jvm: Any = spark.sparkContext._jvm
        self._connection = jvm.java.sql.DriverManager.getConnection(f"{self.url};create=true")
        self.run(
            "CREATE TABLE orders (id BIGINT, customer VARCHAR(9), placed TIMESTAMP, product VARCHAR(9), price DECIMAL(9,2))"
        )

    def run(self, sql: str) -> None:
        self._connection.createStatement().execute(sql)

    def add(self, *rows: tuple[int, str]) -> None:
        """(id, product); each an hour after the other."""
        for number, product in rows:
            self.run(
                f"INSERT INTO orders VALUES ({number}, 'c-{number}', TIMESTAMP('2025-01-31 {number % 24:02}:30:00'), '{product}', {number}.50)"
            )


@pytest.fixture
def derby(spark: SparkSession, tmp_path: Path) -> Iterator[Derby]:
    jvm: Any = spark.sparkContext._jvm
    jvm.java.lang.System.setProperty("derby.stream.error.file", str(tmp_path / "derby.log"))
    made = Derby(spark)
    yield made
    made._connection.close()


@pytest.fixture
def shop(spark: SparkSession, tmp_path: Path) -> ShopLake:
    return ShopLake(session_for_imports(spark), tmp_path / "lake")


def table(spark: SparkSession, derby: Derby, **more: Any) -> DatabaseToImport:
    named = {"url": derby.url, "query": EVENTS, "key": "id"} | more
    return DatabaseToImport(session_for_imports(spark), Database(**named))


def test_the_next_import_reads_from_the_highest_key_on(spark: SparkSession, derby: Derby, shop: ShopLake) -> None:
    assert shop.imports(table(spark, derby)) == (0, 0, 0)
    derby.add(*((number, f"p-{number}") for number in range(1, 8)))
    assert shop.imports(table(spark, derby)) == (7, 7, 0)
    derby.add((8, "p-8"), (9, "p-9"))
    assert shop.imports(table(spark, derby)) == (3, 2, 1), "the highest of before, and two"
    assert shop.told[-1] == "ID from 7 to 9"
    assert shop.said("product_id", "price") == [(f"p-{number}", number + 0.5) for number in range(1, 10)]
    assert {document["timestamp"] for document in shop.documents if document["userId"] == "c-3"} == {
        "2025-01-31T03:30:00Z"
    }, "half past three, UTC"


def test_what_is_no_word_of_the_database_is_told_by_its_name(spark: SparkSession, derby: Derby) -> None:
    jvm: Any = spark.sparkContext._jvm
    for fails, told in (
        (lambda: jvm.java.lang.Class.forName("dbx"), "java.lang.ClassNotFoundException: dbx"),
        (lambda: jvm.java.sql.DriverManager.getConnection("jdbc:dbx"), "No suitable driver found for jdbc:dbx"),
    ):
        with pytest.raises(Py4JJavaError) as thrown:
            fails()
        assert f": got {told}, expected" in str(table(spark, derby).cannot_be_read(thrown.value))


def test_rows_of_one_key_that_say_the_same_are_all_there_whenever_they_came(
    spark: SparkSession, derby: Derby, shop: ShopLake
) -> None:
    derby.add((1, "p-1"), (2, "p-2"), (2, "p-2"))
    shop.imports(table(spark, derby))
    derby.add((2, "p-2"), (3, "p-3"))
    shop.killed_after = 1
    with pytest.raises(Killed):
        shop.imports(table(spark, derby))
    shop.killed_after = None
    shop.imports(table(spark, derby))
    assert [product for (product,) in shop.said("product_id")] == ["p-1", "p-2", "p-2", "p-2", "p-3"]


@pytest.mark.parametrize(("key", "parts"), [("id", 1), ('"price"', 3), ('"timestamp"', 3)])
def test_any_column_that_grows_is_a_key_and_any_number_of_connections_reads_each_row_once(
    spark: SparkSession, derby: Derby, shop: ShopLake, key: str, parts: int
) -> None:
    derby.add(*((number, f"p-{number}") for number in range(1, 8)))
    assert shop.imports(table(spark, derby, key=key, parts=parts)) == (7, 7, 0)
    derby.add((8, "p-8"))
    assert shop.imports(table(spark, derby, key=key, parts=parts)) == (2, 1, 1)


def test_rows_without_a_key_are_read_each_time_and_sent_once(spark: SparkSession, derby: Derby, shop: ShopLake) -> None:
    derby.add((1, "p-1"))
    derby.run("INSERT INTO orders (customer, placed, product) VALUES ('c-0', TIMESTAMP('2025-01-31 10:00:00'), 'p-0')")
    assert shop.imports(table(spark, derby)) == (2, 2, 0)
    derby.add((2, "p-2"))
    assert shop.imports(table(spark, derby)) == (3, 1, 2)
    derby.run("DELETE FROM orders WHERE id IS NOT NULL")
    assert shop.imports(table(spark, derby)) == (1, 0, 1)


def test_without_a_key_all_is_read_and_what_is_new_is_sent(spark: SparkSession, derby: Derby, shop: ShopLake) -> None:
    derby.add((1, "p-1"))
    assert shop.imports(table(spark, derby, key="")) == (1, 1, 0)
    derby.add((1, "p-1"))
    assert shop.imports(table(spark, derby, key="")) == (2, 1, 1)


def test_what_cannot_be_read_is_told_in_a_line_and_without_a_password(spark: SparkSession, derby: Derby) -> None:
    for more, told in (
        ({"query": "SELECT * FROM nowhere"}, "does not exist"),
        ({"key": "product"}, "--key: got product, .*expected a number"),
        ({"key": '"product_id"'}, "a column of .*expected a number"),
        ({"url": "jdbc:nothing:x"}, "No suitable driver"),
        ({"url": "jdbc:derby:memory:nowhere"}, "not found"),
    ):
        with pytest.raises(SourceError, match=told) as refused:
            table(spark, derby, credentials={"password": "hush"}, **more).whole()
        assert "\n" not in str(refused.value)
        assert "hush" not in str(refused.value)
    for url in (
        "derby:memory:x;password=hush",
        "mysql://ann:hush@db/shop",
        "oracle:thin:ann/hush@db:1521:shop",
        "x:y;PWD=hush",
    ):
        with pytest.raises(SourceError, match=f"password in the address.*{PASSWORD}"):
            table(spark, derby, url=f"jdbc:{url}")
    for url in (
        "postgresql://db.example.com:5432/shop?user=ann",
        "oracle:thin:@//db:1521/shop",
        "sqlserver://db;databaseName=a",
    ):
        table(spark, derby, url=f"jdbc:{url}")
    assert "hush" not in repr(Database(url="u", query="q", credentials={"password": "hush"}))
    assert credentials({USER: "ann", PASSWORD: "", "OTHER": "x"}) == {"user": "ann"}
