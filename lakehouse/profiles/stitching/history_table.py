"""silver.identity_history against the log it must follow from. Collects both: for checks and repairs, offline."""

import pandas as pd

from lakehouse.identity.history import COLUMNS, history
from lakehouse.lake.delta import Lake
from lakehouse.profiles.differences import Difference
from lakehouse.profiles.stitching.identity_tables import all_rows
from lakehouse.tables.identity import SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_LOG

KEY = list(SILVER_IDENTITY_HISTORY.key)


def history_of(lake: Lake) -> pd.DataFrame:
    """What the table must hold: the log folded."""
    return history(all_rows(lake, SILVER_IDENTITY_LOG))


def compare_history(lake: Lake, expected: pd.DataFrame) -> pd.DataFrame:
    """One row per key of either: the expected columns, and `status` missing, extra, changed or same."""
    stored = all_rows(lake, SILVER_IDENTITY_HISTORY)
    if expected.empty and stored.empty:  # pandas 3 cannot merge text columns that are both empty
        return expected.assign(status=pd.Series(dtype="str"))
    both = expected.merge(stored, on=KEY, how="outer", suffixes=("", "_stored"), indicator="side")
    is_same = (both["profile_id"] == both["profile_id_stored"]) & (
        (both["valid_to"] == both["valid_to_stored"]) | (both["valid_to"].isna() & both["valid_to_stored"].isna())
    )
    names = {"left_only": "missing", "right_only": "extra", "both": "changed"}
    return both.assign(status=both["side"].astype(str).map(names).mask(is_same, "same"))[[*COLUMNS, "status"]]


def summarise_history(compared: pd.DataFrame) -> Difference:
    counts = compared["status"].value_counts()
    missing, extra, changed = (int(counts.get(name, 0)) for name in ("missing", "extra", "changed"))
    return Difference(
        table=SILVER_IDENTITY_HISTORY.name, rows=len(compared) - extra, missing=missing, extra=extra, changed=changed
    )


def history_repairs(compared: pd.DataFrame) -> pd.DataFrame:
    """The rows to upsert: with `is_deleted` for those that should not be there."""
    wrong = compared[compared["status"] != "same"]
    is_deleted = wrong["status"] == "extra"
    return wrong.assign(is_deleted=is_deleted, profile_id=wrong["profile_id"].fillna(""))
