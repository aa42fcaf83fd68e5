"""gold.changes: what a row says."""

from datetime import datetime

import pandas as pd

from lakehouse.profiles.gold.changes import GOLD_CHANGES, changes

NOW = datetime(2026, 3, 1)


def test_a_profile_that_is_no_more_says_what_it_is_part_of_now() -> None:
    touched = pd.DataFrame(
        [("ann", True), ("phone", False), ("laptop", False), ("lost", False)], columns=["profile_id", "is_there"]
    )
    rows = changes(touched, {"phone": "ann", "laptop": "laptop"}, version=7, changed_at=NOW)
    assert [*rows.columns] == GOLD_CHANGES.column_names
    assert rows.values.tolist() == [
        ["ann", 7, "upserted", None, NOW],
        ["phone", 7, "merged", "ann", NOW],
        ["laptop", 7, "gone", None, NOW],
        ["lost", 7, "gone", None, NOW],
    ]


def test_nothing_changed_is_no_row() -> None:
    nobody = pd.DataFrame({"profile_id": [], "is_there": []})
    rows = changes(nobody, {}, version=7, changed_at=NOW)
    assert [*rows.columns] == GOLD_CHANGES.column_names
    assert len(rows) == 0
