from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse.config.paths import EXPORTS
from lakehouse.errors import ConfigError
from lakehouse.exports.declaration import export_named, read_exports
from tests.lakehouse.exports.shop import EXPORT


def read(folder: Path, **changes: Any) -> Any:
    path = folder / "exports.yaml"
    path.write_text(yaml.safe_dump({"exports": [{**EXPORT, **changes}]}))
    return read_exports(path)


def test_the_file_that_is_shipped_can_be_used() -> None:
    assert set(read_exports(EXPORTS)) == {"customers_file", "warehouse_customers"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"key": ["nobody"]}, "key: got 'nobody'"),
        ({"table": "silver.events"}, "table: got 'silver.events', expected one of gold"),
        ({"table": "gold.products"}, "table: got 'gold.products'"),
        (
            {"also": ["gold.product_affinity"]},
            "also: got 'gold.product_affinity', expected a table with one row per profile",
        ),
        ({"columns": {"id": "profile_id", "x": "nothing"}}, "columns.x: unknown column 'nothing'"),
        ({"where": "1"}, "where: got a number"),
        ({"mode": "append"}, "mode"),
        ({"purpose": "fun"}, "purpose"),
        ({"shape": "pigeon"}, "shape: got 'pigeon'"),
        ({"shape": "braze"}, "columns: got none named 'external_id'"),
        ({"shape": "hubspot"}, "options: got no 'id_property'"),
        (
            {"table": "gold.audiences", "columns": {"id": "profile_id", "v": "version"}, "is_continuous": True},
            r"is_continuous: got true, expected false where 'version' of gold\.audiences is read",
        ),
        (
            {
                "also": ["gold.activation"],
                "table": "gold.segments",
                "where": "model_version = '3'",
                "is_continuous": True,
            },
            r"'model_version' of gold\.segments",
        ),
        ({"was": ["people"]}, r"exports\[0\]: was: 'people' is named twice"),
        ({"was": ["old", "old"]}, "'old' is named twice"),
        ({"colums": {}}, "unknown key 'colums'; did you mean 'columns'"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read(tmp_path, **changes)


def test_what_is_revised_may_be_read_by_hand_and_what_else_there_is_continuously(tmp_path: Path) -> None:
    columns = {"id": "profile_id", "v": "version"}
    assert read(tmp_path, table="gold.audiences", columns=columns)
    assert read(
        tmp_path, table="gold.audiences", where="valid_to IS NULL", is_continuous=True, columns={"id": "profile_id"}
    )


def test_columns_of_contacts_can_be_read_beside_a_table(tmp_path: Path) -> None:
    (export,) = read(tmp_path, also=["gold.contacts"], columns={"id": "profile_id", "mail": "email"}).values()
    assert export.mapping().reads == ("email", "profile_id")


def test_an_export_that_is_not_there_or_disabled_is_told_with_those_that_are(tmp_path: Path) -> None:
    read(tmp_path)
    with pytest.raises(ConfigError, match="'other': got one that is not there, expected one of people"):
        export_named(tmp_path / "exports.yaml", "other")
    read(tmp_path, is_enabled=False)
    with pytest.raises(ConfigError, match="one that is disabled"):
        export_named(tmp_path / "exports.yaml", "people")
