"""Whose windows have closed: the longest due first, and events wait for it a tenth of the time at most."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from lakehouse.features.definition import NO_FEATURES
from lakehouse.lake.delta import Lake
from lakehouse.profiles import due_rows, window_ends
from lakehouse.profiles.gold.features import GOLD_FEATURES
from lakehouse.profiles.window_ends import WindowEnds, note_made
from lakehouse.tables.contract import Table
from tests.accepted import at

NOW = at("2026-03-01 00:00")
ROWS = pa.table(
    {
        "profile_id": ["b", "a", "c", "d"],
        "due_at": [at("2026-02-03 00:00"), at("2026-02-02 00:00"), at("2026-02-09 00:00"), None],
    },
    pa.schema([("profile_id", pa.string()), ("due_at", pa.timestamp("us", "UTC"))]),
)


class Rows(Lake):
    """A lake that holds these rows, and no session. `made`: whether they are made by what is declared."""

    def __init__(self, folder: Path, *, made: bool = True) -> None:
        self.root, self.spark, self.uses_delta_rs = str(folder), None, False  # type: ignore[assignment] # nobody asks for one
        if made:
            note_made(self, NO_FEATURES)

    def batches(self, table: Table, *, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        yield from ROWS.select(columns).to_batches(max_chunksize=2)


def test_those_due_longest_come_first_and_nobody_before_the_next_window_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = WindowEnds(Rows(tmp_path), GOLD_FEATURES, NO_FEATURES)
    assert ends.is_due(at("2026-02-01 00:00"), NOW)  # nobody has looked yet
    assert ends.due(at("2026-02-01 00:00"), NOW) == set()
    assert not ends.is_due(at("2026-02-01 23:59"), NOW)
    assert ends.due(at("2026-02-03 00:00"), NOW) == {"a", "b"}
    monkeypatch.setattr(due_rows, "MOST_DUE", 1)
    assert ends.due(at("2026-02-10 00:00"), NOW) == {"a"}


@pytest.mark.parametrize(("seconds", "due"), [(0, set()), (26, set()), (27, {"a", "b"})])
def test_it_rests_nine_times_as_long_as_closing_took(seconds: int, due: set[str], tmp_path: Path) -> None:
    ends = WindowEnds(Rows(tmp_path), GOLD_FEATURES, NO_FEATURES)
    ended = NOW + timedelta(seconds=3)
    ends.made(NOW, ended)
    assert ends.due(at("2026-02-03 00:00"), ended + timedelta(seconds=seconds)) == due


def test_rows_of_other_declarations_are_all_made_anew_and_that_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_ends, "MOST_OWED", 3)
    before, made = at("2026-02-01 00:00"), list[set[str]]()
    ends = WindowEnds(Rows(tmp_path, made=False), GOLD_FEATURES, NO_FEATURES)
    while ends.owes:
        made.append(ends.due(before, NOW))
        if len(made) == 1:  # a driver that dies here begins again
            assert WindowEnds(Rows(tmp_path, made=False), GOLD_FEATURES, NO_FEATURES).owes
        ends.made(NOW, NOW)
    assert made == [{"b", "a", "c"}, {"d"}]
    assert not WindowEnds(Rows(tmp_path, made=False), GOLD_FEATURES, NO_FEATURES).owes
