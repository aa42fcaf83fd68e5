"""An index of one table, on real Delta tables: whatever becomes of it or of the table, it says what the table says."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable

from lakehouse.lake import local_index
from lakehouse.lake.delta import Lake, arrow
from lakehouse.lake.local_index import folder_of
from lakehouse.lake.table_index import current
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS, TraitIndex

ANN, BOB = "ann" * 8, "bob" * 8


@pytest.fixture
def traits(lake: Lake) -> Iterator[Lake]:
    """A lake with three traits of two actors."""
    lake.create(SILVER_PERSONAL_TRAITS)
    add(lake, (ANN, "email", "ann@example.com", 1), (ANN, "x" * 600, "long", 2), (BOB, "email", "bob@example.com", 3))
    yield lake
    for folder in [folder for folder in local_index._OPEN if str(folder).startswith(lake.root)]:
        local_index._OPEN.pop(folder).close()


def add(lake: Lake, *rows: tuple[str, str, str, int]) -> None:
    frame = pd.DataFrame(rows, columns=["actor_id", "trait", "value", "seen_at"]).assign(source=None)
    frame["seen_at"] = pd.Timestamp("2026-01-05 00:00:00.123456") + pd.to_timedelta(frame["seen_at"], unit="D")
    lake.add(arrow(frame, SILVER_PERSONAL_TRAITS), SILVER_PERSONAL_TRAITS)


def held(lake: Lake) -> list[tuple[str, str]]:
    rows = current(lake, TraitIndex).rows([ANN, BOB, "nobody"])
    return sorted(zip(rows["actor_id"].to_pylist(), rows["value"].to_pylist(), strict=True))


EVERYTHING = [(ANN, "ann@example.com"), (ANN, "long"), (BOB, "bob@example.com")]


def test_it_holds_the_rows_of_the_table_to_the_microsecond(traits: Lake) -> None:
    stored = traits.rows_with(SILVER_PERSONAL_TRAITS, "actor_id", [ANN, BOB])
    rows = current(traits, TraitIndex).rows([ANN, BOB])
    assert rows.schema == stored.schema
    keys = [("actor_id", "ascending"), ("trait", "ascending")]
    assert rows.sort_by(keys).to_pylist() == stored.sort_by(keys).to_pylist()


def test_it_is_made_once_and_again_when_another_writes_to_the_table(
    traits: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = []
    batches = Lake.batches
    monkeypatch.setattr(Lake, "batches", lambda lake, table: filled.append(table.name) or batches(lake, table))
    assert held(traits) == held(traits) == EVERYTHING
    assert filled == ["silver.personal_traits"]
    add(traits, (BOB, "phone", "555", 4))
    assert held(traits) == sorted([*EVERYTHING, (BOB, "555")])
    assert len(filled) == 2


def test_it_is_made_again_when_it_is_lost_half_made_or_of_another_format(
    traits: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = current(traits, TraitIndex)
    index.commit(lambda transaction: index.remove(transaction, [ANN]))  # died before it said what it stands for
    assert held(traits) == EVERYTHING
    shutil.rmtree(folder_of(traits.root, TraitIndex.NAME))
    assert held(traits) == EVERYTHING
    index = current(traits, TraitIndex)
    index.commit(lambda transaction: index.remove(transaction, [ANN]), stamp=index.stamp)
    assert held(traits) == [EVERYTHING[2]]
    monkeypatch.setattr(TraitIndex, "FORMAT", 99)
    assert held(traits) == EVERYTHING


def test_a_table_of_the_same_name_and_version_made_again_is_another_one(traits: Lake) -> None:
    assert held(traits) == EVERYTHING
    shutil.rmtree(traits.path(SILVER_PERSONAL_TRAITS))
    traits.create(SILVER_PERSONAL_TRAITS)
    add(traits, (BOB, "email", "new", 1))
    assert held(traits) == [(BOB, "new")]


def test_who_is_erased_from_the_table_is_nowhere_in_the_files_of_the_index(traits: Lake) -> None:
    assert held(traits) == EVERYTHING
    assert any(b"ann@example.com" in data for data in files(traits))
    DeltaTable(traits.path(SILVER_PERSONAL_TRAITS)).delete(f"actor_id = '{ANN}'")
    assert held(traits) == [EVERYTHING[2]]
    assert any(b"bob@example.com" in data for data in files(traits))
    assert not any(b"ann@example.com" in data for data in files(traits))


def files(lake: Lake) -> list[bytes]:
    """What lies in the index's folder."""
    folder: Path = folder_of(lake.root, TraitIndex.NAME)
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_nobody_else_may_read_it(traits: Lake) -> None:
    current(traits, TraitIndex)
    folder = folder_of(traits.root, TraitIndex.NAME)
    assert {path.stat().st_mode & 0o077 for path in folder.rglob("*")} == {0}
