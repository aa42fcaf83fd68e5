"""Which version a table's rows are of, by what its newest commit says."""

import pytest

from lakehouse.lake.maintenance_note import note, rows_of


@pytest.mark.parametrize(
    ("said", "operation", "version", "rows"),
    [
        (None, "WRITE", 7, 7),
        ("nightly load", "WRITE", 7, 7),
        (note(6, 6), "OPTIMIZE", 7, 6),
        (note(6, 4), "OPTIMIZE", 7, 4),
        (note(6, 4), "VACUUM START", 7, 4),
        (note(6, 4), "VACUUM END", 8, 4),
        (note(6, 4), "OPTIMIZE", 8, 8),  # somebody wrote in between
        (note(6, 4), "VACUUM END", 9, 9),
    ],
)
def test_a_note_holds_only_for_the_commit_right_after_what_it_was_made_on(
    said: str | None, operation: str, version: int, rows: int
) -> None:
    assert rows_of({"operation": operation, "userMetadata": said}, version) == rows


def test_a_table_without_history_is_of_its_version() -> None:
    assert rows_of({}, 3) == 3
