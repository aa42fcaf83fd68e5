"""A table of profiles says by its transform what it reads, and nothing else is in the transform's reach."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.catalog import TABLES
from lakehouse.config import Config
from lakehouse.errors import ContractError
from lakehouse.events.fact_tables import FACT_TABLES
from lakehouse.profiles.declaration import EVENTS_QUERY, ProfileTable
from lakehouse.profiles.derivation import derive
from lakehouse.profiles.gold.audiences import GOLD_AUDIENCES
from lakehouse.profiles.gold.features import GOLD_FEATURES
from lakehouse.profiles.tables import GOLD, LEAF
from lakehouse.tables.contract import Column, required
from lakehouse.tables.identity import SILVER_IDENTITY_MAP

ID = required("profile_id", "string", "profile")


def table(transform: Callable[..., DataFrame], name: str = "gold.new", **fields: Any) -> ProfileTable:
    columns: tuple[Column, ...] = (ID,)
    declared: dict[str, Any] = {"grain": "one row per profile", "key": ("profile_id",), "columns": columns}
    return ProfileTable(name=name, transform=transform, **(declared | fields))


def of_map(silver_identity_map: DataFrame) -> DataFrame:
    return silver_identity_map.select("profile_id").distinct()


def of_rfm(gold_rfm: DataFrame) -> DataFrame:
    return gold_rfm.select("profile_id")


def derived(spark: SparkSession, config: Config, *tables: ProfileTable) -> dict[str, list[tuple[Any, ...]]]:
    silver = {
        SILVER_IDENTITY_MAP: spark.createDataFrame([("a", "p"), ("b", "p")], "actor_id string, profile_id string")
    }
    profiles = spark.createDataFrame([("p",)], "profile_id string")
    champions: Any = None
    rows = derive(silver, profiles, champions=champions, config=config, settle=lambda _, frame: frame, tables=tables)
    return {one.name: [tuple(row) for row in frame.collect()] for one, frame in rows.items()}


def test_what_a_table_reads_is_what_its_transform_is_handed() -> None:
    assert table(of_map).reads == ("silver.identity_map",)
    assert TABLES["gold.segments"].reads == ("silver.identity_map", "silver.activity_daily", "gold.rfm")
    assert TABLES["gold.rfm"].reads == ("silver.identity_map", "silver.orders")


def test_a_transform_is_handed_its_rows_and_tables_before_it(spark: SparkSession, config: Config) -> None:
    first = table(of_map, "gold.rfm")
    assert derived(spark, config, first, table(of_rfm, "gold.second")) == {
        "gold.rfm": [("p",)],
        "gold.second": [("p",)],
    }


def test_a_transform_that_reads_a_table_it_was_not_handed_fails(spark: SparkSession, config: Config) -> None:
    with pytest.raises(ContractError, match=r"gold.new: its transform asks for \['gold_rfm'\]"):
        derived(spark, config, table(of_rfm))

    def undeclared(silver_identity_map: DataFrame) -> DataFrame:
        return silver_identity_map.join(silver_orders, on="actor_id")  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(NameError, match="silver_orders"):
        derived(spark, config, table(undeclared))


def test_a_table_after_which_it_is_listed_may_not_read_it(spark: SparkSession, config: Config) -> None:
    with pytest.raises(ContractError, match="List it after the tables it reads"):
        derived(spark, config, table(of_rfm, "gold.second"), table(of_map, "gold.rfm"))


def test_a_transform_that_forgets_a_column_is_told_which(spark: SparkSession, config: Config) -> None:
    columns = (ID, required("view_count", "bigint", "views"))
    with pytest.raises(ContractError, match=r"gold.new: columns \['view_count'\] missing"):
        derived(spark, config, table(of_map, columns=columns))


def test_what_cannot_be_declared_is_refused() -> None:
    with pytest.raises(ContractError, match="expected none: its transform says what it reads"):
        table(of_map, reads=("silver.orders",))
    with pytest.raises(ContractError, match="expected profile_id first"):
        table(of_map, key=("actor_id",), columns=(required("actor_id", "string", "actor"),))

    def asks_for_a_clock(silver_identity_map: DataFrame, *, clock: object) -> DataFrame:
        return silver_identity_map

    with pytest.raises(ContractError, match=r"asks for \['clock'\]"):
        table(asks_for_a_clock)


def test_every_table_the_query_keeps_is_listed_or_of_events_sessions_consent_erasures_or_identity_or_tells_of_changes() -> (
    None
):
    kept = {name for name, table in TABLES.items() if table.owner == EVENTS_QUERY}
    listed = {table.name for table in (*LEAF, *GOLD, GOLD_FEATURES, GOLD_AUDIENCES, *FACT_TABLES)}
    assert listed <= kept
    others = {"silver.identity", "silver.match", "silver.sessions", "silver.consent", "gold.changes"}
    others |= {"silver.events", "silver.event", "ops.data", "ops.audience", "ops.erasures", "ops.erased"}
    assert {name.split("_")[0] for name in kept - listed} == others
