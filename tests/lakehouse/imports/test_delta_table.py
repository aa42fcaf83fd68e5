"""A Delta table of somebody else's: each row once, by version, and nothing that changed is taken for new in silence."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import Row, SparkSession

from lakehouse.errors import SourceError
from lakehouse.imports.delta_table import DeltaTableToImport, changing_commits
from tests.lakehouse.imports.shop_lake import Killed, ShopLake

AT = datetime(2025, 1, 31, 10, tzinfo=UTC)


def rows(*numbers: int) -> pa.Table:
    return pa.table(
        {
            "event": ["add_to_cart"] * len(numbers),
            "customer_id": [f"c-{number}" for number in numbers],
            "timestamp": pa.array([AT] * len(numbers), pa.timestamp("us", tz="UTC")),
            "product_id": [f"p-{number}" for number in numbers],
        }
    )


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "theirs")


@pytest.fixture
def shop(spark: SparkSession, tmp_path: Path) -> ShopLake:
    return ShopLake(spark, tmp_path / "lake")


def append(path: str, *numbers: int, has_feed: bool = True) -> None:
    write_deltalake(
        path, rows(*numbers), mode="append", configuration={"delta.enableChangeDataFeed": str(has_feed).lower()}
    )


def table(spark: SparkSession, path: str, **at: Any) -> DeltaTableToImport:
    return DeltaTableToImport(spark, path, **at)


def products(shop: ShopLake) -> list[str]:
    return [product for (product,) in shop.said("product_id")]


def test_the_next_import_reads_what_was_added_and_nothing_else(spark: SparkSession, shop: ShopLake, path: str) -> None:
    append(path, 1, 2, 3)
    append(path, 4)
    assert shop.imports(table(spark, path)) == (4, 4, 0)
    append(path, 5)
    append(path, 6)
    DeltaTable(path).optimize.compact()  # says nothing new
    assert shop.imports(table(spark, path)) == (2, 2, 0)
    assert products(shop) == [f"p-{number}" for number in range(1, 7)]
    assert shop.imports(table(spark, path), again=True) == (6, 0, 6)
    assert shop.told[-1] == "all rows of version 4"


def test_a_row_that_says_what_one_before_said_is_one_more(spark: SparkSession, shop: ShopLake, path: str) -> None:
    append(path, 1, 1, 2)
    assert shop.imports(table(spark, path)) == (3, 3, 0)
    append(path, 1, 3)
    assert shop.imports(table(spark, path)) == (5, 2, 3), "then all of it is read, and two were not there"
    assert products(shop) == ["p-1", "p-1", "p-1", "p-2", "p-3"]


def test_an_import_that_was_killed_is_begun_again(spark: SparkSession, shop: ShopLake, path: str) -> None:
    append(path, 1, 2)
    shop.imports(table(spark, path))
    append(path, 3, 4, 4)
    shop.killed_after = 1
    with pytest.raises(Killed):
        shop.imports(table(spark, path))
    shop.killed_after = None
    shop.imports(table(spark, path))
    assert products(shop) == ["p-1", "p-2", "p-3", "p-4", "p-4"]


def test_without_a_change_feed_all_is_read_and_what_is_new_is_sent(
    spark: SparkSession, shop: ShopLake, path: str
) -> None:
    append(path, 1, 2, has_feed=False)
    shop.imports(table(spark, path))
    append(path, 2, 3, has_feed=False)
    assert shop.imports(table(spark, path)) == (4, 2, 2)
    assert products(shop) == ["p-1", "p-2", "p-2", "p-3"]


def test_a_change_feed_that_was_turned_on_since_is_read_from_the_next_import_on(
    spark: SparkSession, shop: ShopLake, path: str
) -> None:
    append(path, 1, has_feed=False)
    shop.imports(table(spark, path))
    append(path, 2, has_feed=False)
    DeltaTable(path).alter.set_table_properties({"delta.enableChangeDataFeed": "true"})
    append(path, 3)
    assert shop.imports(table(spark, path)) == (3, 2, 1)
    append(path, 4)
    assert shop.imports(table(spark, path)) == (1, 1, 0)


def test_what_commits_changed_needs_somebodys_word(spark: SparkSession, shop: ShopLake, path: str) -> None:
    append(path, 1, 2, 3)
    shop.imports(table(spark, path))
    DeltaTable(path).update({"product_id": "'p-22'"}, predicate="customer_id = 'c-2'")
    DeltaTable(path).delete("customer_id = 'c-3'")
    append(path, 4)
    with pytest.raises(
        SourceError, match=r"version 1 \(UPDATE\), version 2 \(DELETE\) changed or deleted rows .*--take-changes"
    ):
        shop.imports(table(spark, path))
    assert shop.imports(table(spark, path, takes_changes=True)) == (2, 2, 0), "the new state, and what was added"
    assert products(shop) == ["p-1", "p-2", "p-22", "p-3", "p-4"], "a deleted row stays"


def test_a_version_and_a_moment_name_the_table_as_it_was(spark: SparkSession, shop: ShopLake, path: str) -> None:
    for number in (1, 2, 3):
        append(path, number)
    assert shop.imports(table(spark, path, version=1)) == (2, 2, 0)
    began = datetime.now(UTC) - timedelta(hours=1)
    for version in range(3):  # a version's moment is that of its file in the log
        moment = began.timestamp() + 60 * version
        os.utime(Path(path, "_delta_log", f"{version:020}.json"), (moment, moment))
    second = began + timedelta(seconds=90)
    assert shop.imports(table(spark, path, as_of=second)) == (0, 0, 0)
    assert shop.imports(table(spark, path)) == (1, 1, 0)
    for at, got in (({"version": 9}, "version 9"), ({"as_of": second - timedelta(days=1)}, f"{second.year}-")):
        with pytest.raises(SourceError, match=rf"got {got}.*versions 0 to 2"):
            table(spark, path, **at)
    with pytest.raises(SourceError, match="got no Delta table"):
        table(spark, f"{path}-not")


def test_another_table_at_the_path_is_read_from_its_beginning(spark: SparkSession, shop: ShopLake, path: str) -> None:
    append(path, 1, 2)
    shop.imports(table(spark, path))
    Path(path).rename(f"{path}-old")
    append(path, 3)
    assert shop.imports(table(spark, path)) == (1, 1, 0)


def commit(version: int, operation: str, metrics: dict[str, str] | None = None, **parameters: str) -> Row:
    return Row(version=version, operation=operation, operationParameters=parameters, operationMetrics=metrics or {})


@pytest.mark.parametrize(
    ("row", "is_changing"),
    [
        (commit(1, "WRITE", mode="Append"), False),
        (commit(1, "WRITE", mode="Overwrite"), True),
        (commit(1, "STREAMING UPDATE", outputMode="Append"), False),
        (commit(1, "STREAMING UPDATE", outputMode="Complete"), True),
        (commit(1, "OPTIMIZE"), False),
        (commit(1, "VACUUM START"), False),
        (commit(1, "SET TBLPROPERTIES"), False),
        (commit(1, "MERGE", {"numTargetRowsUpdated": "0", "numTargetRowsDeleted": "0"}), False),
        (commit(1, "MERGE", {"numTargetRowsUpdated": "1"}), True),
        (commit(1, "MERGE"), True),
        (commit(1, "RESTORE"), True),
        (commit(1, "TRUNCATE"), True),
        (commit(1, "SOMETHING NEW"), True),
    ],
)
def test_a_commit_changes_rows_unless_it_is_known_that_it_does_not(row: Row, is_changing: bool) -> None:
    assert bool(changing_commits([row], 0, 1)) == is_changing
    assert changing_commits([row], 1, 1) == []
    assert changing_commits([row], 1, 2) == ["version 2 (no longer known)"]
