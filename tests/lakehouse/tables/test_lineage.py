import dataclasses
from collections.abc import Mapping

import pytest

from lakehouse.catalog import TABLES
from lakehouse.config import Config, load
from lakehouse.errors import ContractError
from lakehouse.tables import lineage
from lakehouse.tables.contract import KAFKA, Table, required


def table(name: str, *reads: str) -> Table:
    return Table(
        name=name,
        grain="one row per a",
        key=("a",),
        columns=(required("a", "string", "a"),),
        owner=f"{name}.py",
        reads=reads,
    )


def tables(*listed: Table) -> dict[str, Table]:
    return {one.name: one for one in listed}


def names(ordered: list[Table]) -> list[str]:
    return [one.name for one in ordered]


def test_a_table_comes_after_all_it_reads() -> None:
    given = tables(table("gold", "map", "orders"), table("map", "edges"), table("orders", KAFKA), table("edges", KAFKA))
    assert names(lineage.order(given)) == ["orders", "edges", "map", "gold"]


def test_contract_order_decides_where_flow_does_not() -> None:
    assert names(lineage.order(tables(table("b"), table("a"), table("c")))) == ["b", "a", "c"]


def test_no_tables_are_in_order() -> None:
    assert lineage.order({}) == []


def test_the_real_tables_are_listed_in_flow_order_already() -> None:
    assert names(lineage.order(TABLES)) == list(TABLES)


def test_an_unknown_source_names_the_nearest_table() -> None:
    with pytest.raises(ContractError, match=r"gold: reads 'ordres', .* did you mean 'orders'\?"):
        lineage.order(tables(table("orders"), table("gold", "ordres")))


def test_a_ring_is_named_in_reading_direction() -> None:
    with pytest.raises(ContractError, match=r"ring, got (a -> b -> a|b -> a -> b)"):
        lineage.order(tables(table("a", "b"), table("b", "a")))


def test_a_table_that_reads_itself_is_a_ring() -> None:
    with pytest.raises(ContractError, match="a -> a"):
        lineage.order(tables(table("a", "a")))


def test_plan_shows_every_table_with_owner_grain_and_sources(config: Config) -> None:
    lines = lineage.plan(config, tables(table("b", "a"), table("a", KAFKA))).splitlines()
    assert lines[1].split() == ["1", "a", "one", "row", "per", "a", "a.py", "reads", "kafka"]
    assert lines[2].split() == ["2", "b", "one", "row", "per", "a", "b.py", "reads", "a"]


def test_plan_shows_settings_in_force_and_no_secret() -> None:
    environ = {"STITCHLAKE__KAFKA__PARTITIONS": "7", "STITCHLAKE__PRIVACY__HMAC_KEY": "s3cret"}
    environ |= {"STITCHLAKE__MLFLOW__TRACKING_URI": "postgresql://ann:pa55@127.0.0.1/mlflow"}
    text = lineage.plan(load(environ=environ), TABLES)
    assert "kafka.partitions = 7" in text
    assert "identity.email.limit = 5" in text
    assert "privacy.hmac_key = (hidden)" in text
    assert "privacy.hmac_key_id = 'dev'" in text
    assert "postgresql://ann:(hidden)@127.0.0.1/mlflow" in text
    assert "s3cret" not in text
    assert "pa55" not in text


def test_plan_names_every_key_of_the_configuration(config: Config) -> None:
    text = lineage.plan(config, TABLES)
    for section in dataclasses.fields(Config):
        for key in dataclasses.fields(getattr(config, section.name)):
            value = getattr(getattr(config, section.name), key.name)
            named = value if isinstance(value, Mapping) and value else [""]  # keys that users name, each on its line
            for name in named if key.name != "rules" else ():
                assert f"{section.name}.{key.name}.{name}".rstrip(".") + " = " in text
