"""What changed between two answers of `solve`: the rows of silver.identity_log, and the map folded back from them.

The log is written before the map. A replay after a crash between the two then finds the same map, makes the same rows,
and their change_ids say so.
"""

import hashlib
from datetime import datetime

import numpy as np
import pandas as pd

from lakehouse.tables.identity import SILVER_IDENTITY_LOG


def changes(before: pd.DataFrame, after: pd.DataFrame, *, batch_id: int, changed_at: datetime) -> pd.DataFrame:
    """Rows of silver.identity_log: one per actor of `after` that is new or whose profile_id changed, by actor_id.

    Type of a row, by what became of the profile the actor came from:
        create  the actor is new, and so is its profile.
        attach  the actor is new; its profile existed before.
        merge   the actor moved, and the old profile is gone: its actors moved on together (into an older profile, or to a
                new name because an older actor turned up), or this one moved from it into a profile that existed before.
        split   the actor moved away from actors that stayed, or with some of them into a profile that is new.

    Args:
        before: [actor_id, profile_id], one row per actor; an actor missing from `after` counts as unchanged.
        after: [actor_id, profile_id, cause], one row per actor: what `solve` returned.
        batch_id: micro-batch; negative for a repair.
        changed_at: time of the micro-batch.
    """
    both = _side_by_side(before, after)
    is_moved = both["profile_id_before"] != both["profile_id"]  # true where there is none before
    moved = both[is_moved].reset_index(drop=True)
    source = moved["profile_id_before"].astype(object).where(moved["profile_id_before"].notna(), None)
    rows = pd.DataFrame(
        {
            "change_id": [
                _change_id(batch_id, *row) for row in zip(moved["actor_id"], source, moved["profile_id"], strict=True)
            ],
            "type": _types(both, moved),
            "actor_id": moved["actor_id"],
            "from_profile_id": source,
            "to_profile_id": moved["profile_id"],
            "cause": moved["cause"],
            "batch_id": np.full(len(moved), batch_id, dtype=np.int64),
            "changed_at": pd.Series(pd.Timestamp(changed_at), index=moved.index),
        }
    )
    return rows[SILVER_IDENTITY_LOG.column_names]


def fold(log: pd.DataFrame) -> pd.DataFrame:
    """Rows of silver.identity_log -> the map [actor_id, profile_id] they add up to, by actor_id.

    The last row of an actor counts: by changed_at, then batch_id. Not by batch_id first, because repairs carry negative ones
    and a new checkpoint counts from 0 again.
    """
    last = log.sort_values(["changed_at", "batch_id"], kind="stable").drop_duplicates("actor_id", keep="last")
    last = last[["actor_id", "to_profile_id"]].rename(columns={"to_profile_id": "profile_id"})
    return last.sort_values("actor_id", ignore_index=True)


def _side_by_side(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """[actor_id, profile_id_before, profile_id, cause], one row per actor of either, by actor_id."""
    names = {"actor_id": "str", "profile_id": "str"}
    was = before[list(names)].astype(names)
    both = was.merge(
        after[[*names, "cause"]].astype(names), on="actor_id", how="outer", suffixes=("_before", ""), sort=True
    )
    return both.assign(profile_id=both["profile_id"].fillna(both["profile_id_before"]))


def _types(both: pd.DataFrame, moved: pd.DataFrame) -> list[str]:
    """The type of each moved row, see `changes`."""
    existed = set(both["profile_id_before"].dropna().tolist())
    ways = both[["profile_id_before", "profile_id"]].drop_duplicates()
    kept = set(ways.loc[ways["profile_id_before"] == ways["profile_id"], "profile_id"].tolist())
    scattered = set(ways.loc[ways["profile_id_before"].duplicated(), "profile_id_before"].dropna().tolist())

    def type_of(source: str, target: str) -> str:
        if pd.isna(source):
            return "attach" if target in existed else "create"
        return "split" if source in kept or (source in scattered and target not in existed) else "merge"

    return list(map(type_of, moved["profile_id_before"].tolist(), moved["profile_id"].tolist()))


def _change_id(batch_id: int, actor_id: str, from_profile_id: str | None, to_profile_id: str) -> str:
    parts = (str(batch_id), actor_id, from_profile_id or "", to_profile_id)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
