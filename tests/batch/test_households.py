"""The households job on the small lake: what it writes, says and refuses."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from batch import households as job
from lakehouse.config import HouseholdsConfig
from lakehouse.errors import LakeError
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.households import GOLD_HOUSEHOLDS
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from tests import small_lake
from tests.rows import frame

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def address(actor: str, street: str, name: str) -> list[dict[str, Any]]:
    values = {"street": street, "postal_code": "94107", "last_name": name}
    return [{"actor_id": actor, "trait": trait, "value": value, "seen_at": NOW} for trait, value in values.items()]


def settle(lake: Lake, *rows: list[dict[str, Any]]) -> None:
    given = [row for of_actor in rows for row in of_actor]
    lake.overwrite(frame(lake.spark, SILVER_PERSONAL_TRAITS, given), SILVER_PERSONAL_TRAITS)


def stored(lake: Lake) -> dict[str, tuple[str, str, int]]:
    rows = lake.read(GOLD_HOUSEHOLDS).collect()
    return {row["profile_id"]: (row["household_id"], row["basis"], row["members"]) for row in rows}


@pytest.fixture
def settled(lake: Lake) -> Lake:
    """Of the small lake what the job reads. Ann's laptop and Bob's television say one address; Cat lives next door."""
    for table in (SILVER_EVENTS, SILVER_PERSONAL_TRAITS, SILVER_IDENTITY_MAP):
        lake.create(table)
        lake.overwrite(frame(lake.spark, table, small_lake.ROWS.get(table.name, [])), table)
    settle(
        lake,
        address("ann-login", "12 Main St", "Lee"),
        address("bob-tv", "12 MAIN ST.", "lee"),
        address("cat-web", "14 Main St", "Cole"),
    )
    return lake


def test_ann_and_bob_share_a_household_and_stay_two_profiles(
    settled: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(job, "load", lambda: settled.config)
    monkeypatch.setattr(job, "get_session", lambda config, name: settled.spark)
    job.main([])
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said == {"command": "households", "profiles": 3, "households": 2, "institutions": 0}
    found = stored(settled)
    assert found["ann-phone"] == found["bob-web"]
    homes = {profile: home[1:] for profile, home in found.items()}
    assert homes == {"ann-phone": ("address", 2), "bob-web": ("address", 2), "cat-web": ("address", 1)}
    job.main([])
    assert stored(settled) == found
    settle(settled, address("bob-tv", "1 Elm Rd", "Lee"))
    job.main([])
    assert stored(settled).keys() == {"bob-web"}


def test_an_institution_is_in_the_log_and_not_in_the_table(settled: Lake, caplog: pytest.LogCaptureFixture) -> None:
    bounded = dataclasses.replace(settled.config, households=HouseholdsConfig(max_members=1, group_prefix=""))
    said = job.overwrite_households(Lake(settled.spark, bounded), now=NOW)
    assert said == {"profiles": 1, "households": 1, "institutions": 1}
    assert stored(settled).keys() == {"cat-web"}
    assert "1 by address of more than 1 profiles are institutions: 2 profiles get no row" in caplog.text


def test_a_lake_without_tables_is_refused_by_their_names(lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"no table silver\.events, silver\.personal_traits, .*streaming"):
        lake.require(job._NEEDED)
