"""Marks count while nobody can doubt what they say, and not a moment longer."""

import dataclasses
from pathlib import Path

import pytest

from lakehouse.imports import begun_import
from lakehouse.imports.begun_import import BegunImport, Ground
from lakehouse.sources.history import Mark

GROUND = Ground(topic="t-1", ends={"0": 10, "1": 0}, declared="d")
FILE, MARK = Path("/data/a.csv"), Mark(1000, "5a")


def begun(root: Path, ground: Ground = GROUND, held_from: dict[str, int] | None = None) -> BegunImport:
    made = BegunImport(str(root), "shop", None, clock=iter(range(0, 10_000, 10)).__next__)
    made.go_on(ground, {"0": 0, "1": 0} if held_from is None else held_from)
    return made


def test_a_try_goes_on_from_the_marks_of_the_one_before_it_and_keeps_its_ground(tmp_path: Path) -> None:
    first = begun(tmp_path)
    first.put(FILE, MARK)
    first.acknowledged()
    second = begun(tmp_path, dataclasses.replace(GROUND, ends={"0": 500, "1": 700}))
    assert second.of(FILE) == MARK
    second.put(Path("/data/b.csv"), MARK)
    second.acknowledged()
    third = begun(tmp_path, held_from={"0": 11, "1": 0})
    assert third.of(FILE) is None, "what the first try handed over may be gone, though the second began behind it"


@pytest.mark.parametrize(
    ("now", "held_from"),
    [
        (dataclasses.replace(GROUND, topic="t-2"), {"0": 0, "1": 0}),
        (dataclasses.replace(GROUND, declared="e"), {"0": 0, "1": 0}),
        (GROUND, {"0": 10, "1": 1}),
        (GROUND, {"0": 0, "1": 0, "2": 1}),
    ],
)
def test_where_anything_may_be_gone_or_mapped_otherwise_every_record_is_asked_for(
    tmp_path: Path, now: Ground, held_from: dict[str, int]
) -> None:
    first = begun(tmp_path)
    first.put(FILE, MARK)
    first.acknowledged()
    assert begun(tmp_path).of(FILE) == MARK
    assert begun(tmp_path, now, held_from).of(FILE) is None


def test_a_topic_without_an_id_is_not_known_again(tmp_path: Path) -> None:
    ground = dataclasses.replace(GROUND, topic=None)
    first = begun(tmp_path, ground)
    first.put(FILE, MARK)
    first.acknowledged()
    assert begun(tmp_path, ground).of(FILE) is None


def test_what_is_not_acknowledged_is_not_marked_and_an_import_that_ended_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begun(tmp_path)
    first.put(FILE, MARK)
    assert begun(tmp_path).of(FILE) is None
    first.acknowledged()
    monkeypatch.setattr(begun_import, "_EVERY_SECONDS", 100.0)
    first.put(FILE, Mark(2000, "5b"))
    first.acknowledged()
    assert begun(tmp_path).of(FILE) == MARK, "it is not written each time"
    first.ended()
    assert begun(tmp_path).of(FILE) is None
