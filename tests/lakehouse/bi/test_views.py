"""What a file of conf/views may hold, and in which order views are made."""

from pathlib import Path

import pytest

from lakehouse.bi.views import read_views
from lakehouse.catalog import TABLES
from lakehouse.config.paths import VIEWS
from lakehouse.errors import ConfigError
from tests.view_oracle import CHECKS


def write(
    folder: Path, name: str, reads: str, columns: str = "n COMMENT 'orders'", comment: str = "COMMENT 'c'"
) -> None:
    sql = f"CREATE OR REPLACE VIEW {name} ({columns}) {comment} AS SELECT COUNT(*) FROM {reads}"
    (folder / f"{name}.sql").write_text(sql)


def test_every_view_of_the_project_is_read_and_has_a_check_of_its_figures() -> None:
    assert {view.name for view in read_views(VIEWS, TABLES)} == {path.stem for path in VIEWS.glob("*.sql")} == {*CHECKS}


def test_a_view_is_read_with_its_comments_and_comes_after_those_it_reads(tmp_path: Path) -> None:
    write(tmp_path, "a", "b AS x JOIN silver.orders AS o ON TRUE")
    write(tmp_path, "b", "gold.rfm", "n COMMENT 'so, one', m COMMENT 'two'")
    b, a = read_views(tmp_path, TABLES)
    assert (a.name, a.reads, b.reads) == ("a", {"b", "silver.orders"}, {"gold.rfm"})
    assert (b.comment, b.columns) == ("c", {"n": "so, one", "m": "two"})


def test_a_name_that_a_query_gives_itself_is_nothing_it_reads(tmp_path: Path) -> None:
    sql = "CREATE OR REPLACE VIEW v (n COMMENT 'n') COMMENT 'v' AS WITH mine AS (SELECT 1 AS n FROM gold.rfm) SELECT n FROM mine"
    (tmp_path / "v.sql").write_text(sql)
    assert read_views(tmp_path, TABLES)[0].reads == {"gold.rfm"}


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT 1", "got 'SELECT 1', expected CREATE OR REPLACE VIEW v"),
        ("CREATE OR REPLACE VIEW w (n COMMENT 'n') COMMENT 'c' AS SELECT 1", "a view of another name, expected v"),
        ("CREATE OR REPLACE VIEW v (n COMMENT 'n') COMMENT 'c' AS SELECT 1; DROP TABLE x", "got several statements"),
        ("CREATE OR REPLACE VIEW v (n COMMENT 'n', m) COMMENT 'c' AS SELECT 1, 2", "got no COMMENT of m"),
        ("CREATE OR REPLACE VIEW v (n COMMENT 'n') AS SELECT 1", "got no COMMENT of the view"),
        ("CREATE OR REPLACE VIEW v COMMENT 'c' AS SELECT 1", "got no COMMENT of the view or its columns"),
        ("CREATE OR REPLACE VIEW v (n COMMENT 'n') COMMENT 'c' AS SELECT (", "got no SQL of Spark's, line 1: "),
        (
            "CREATE OR REPLACE VIEW v (n COMMENT 'n') COMMENT 'c' AS SELECT n FROM silver.order",
            "reads 'silver.order', which is no table and no view; did you mean 'silver.orders'?",
        ),
        (
            "CREATE OR REPLACE VIEW v (n COMMENT 'n') COMMENT 'c' AS SELECT (SELECT MAX(email) FROM gold.contacts)",
            "reads gold.contacts, which holds personal data",
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_no_view_of_its_name_is_refused(tmp_path: Path, sql: str, told: str) -> None:
    (tmp_path / "v.sql").write_text(sql)
    with pytest.raises(ConfigError) as raised:
        read_views(tmp_path, TABLES)
    assert str(raised.value).startswith("conf/views/v.sql: ")
    assert told in str(raised.value)


def test_views_that_read_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    write(tmp_path, "b", "a")
    with pytest.raises(ConfigError, match="in a ring"):
        read_views(tmp_path, TABLES)
