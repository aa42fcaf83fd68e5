"""What a catalogue holds, and the SQL that registers it."""

from lakehouse.bi import catalogue
from lakehouse.bi.views import read_views
from lakehouse.catalog import TABLES
from lakehouse.config.paths import VIEWS

PERSONAL = {
    *("bronze.events", "silver.events_quarantine", "silver.personal_traits", "silver.decision_log_quarantine"),
    *("gold.contacts", "ops.export_changes", "ops.export_rows"),
}
RAW = ("raw personal", "as it came", "record value")


def test_tables_with_personal_data_are_shown_to_those_alone_who_ask_for_them() -> None:
    shown = {table.name for table in catalogue.shown(TABLES.values(), personal=False)}
    assert {*TABLES} - shown == PERSONAL
    assert catalogue.shown(TABLES.values(), personal=True) == [*TABLES.values()]


def test_no_table_whose_columns_hold_what_was_told_as_it_was_told_passes_for_one_that_anybody_may_see() -> None:
    for table in catalogue.shown(TABLES.values(), personal=False):
        assert [column.name for column in table.columns if any(word in column.comment for word in RAW)] == [], (
            table.name
        )


def test_the_sql_makes_schemas_then_tables_where_they_are_then_views() -> None:
    tables, views = catalogue.shown(TABLES.values(), personal=False), read_views(VIEWS, TABLES)
    made = list(catalogue.statements(tables, views, lambda table: f"s3a://it's/{table.name}"))
    assert made[:3] == [f"CREATE SCHEMA IF NOT EXISTS {layer}" for layer in ("silver", "gold", "ops")]
    registered = "CREATE TABLE IF NOT EXISTS silver.orders USING DELTA COMMENT 'one row per order' LOCATION 's3a://it\\'s/silver.orders'"
    assert registered in made
    assert made[-len(views) :] == [view.sql for view in views]
    assert len(made) == 3 + len(tables) + len(views)
