"""Every table says how a person is found in it, or why nobody is."""

import pytest

from lakehouse.catalog import TABLES
from lakehouse.errors import ContractError
from lakehouse.tables.contract import Table, required
from lakehouse.tables.people import By, Nobody, by


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_table_says_how_its_people_are_found_or_that_it_holds_nobody(table: Table) -> None:
    assert table.people, (
        f"{table.name}: people=(by(...),) or people=Nobody(...) is missing: nobody would be erased from it"
    )
    if isinstance(table.people, Nobody):
        named = {"actor_id", "profile_id", "message_id", "unit", "visitor_id", "user_id", "identifier_token"}
        assert not named & {*table.column_names}, "a column names somebody"


def test_a_way_by_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(ContractError, match="people: got"):
        Table(
            name="gold.x", grain="one row", key=("a",), owner="x", people=(by("b", By.ACTOR),),
            columns=(required("a", "string", "a"),),
        )  # fmt: skip
