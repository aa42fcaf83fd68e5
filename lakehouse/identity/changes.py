"""What changed between two answers of `solve`: the rows of silver.identity_log, and the map folded back from them.

The log is written before the map. A replay after a crash between the two then finds the same map, makes the same rows,
and their change_ids say so.
"""

import hashlib
from collections.abc import Mapping, Sequence
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
    was = dict(zip(before["actor_id"].tolist(), before["profile_id"].tolist(), strict=True))
    solved = zip(*(after[name].tolist() for name in ("actor_id", "profile_id", "cause")), strict=True)
    moved = sorted((row for row in solved if was.get(row[0]) != row[1]), key=lambda row: row[0])
    actors, targets, causes = map(list, zip(*moved, strict=True)) if moved else ([], [], [])
    sources = [was.get(actor) for actor in actors]
    now = dict(zip(after["actor_id"].tolist(), after["profile_id"].tolist(), strict=True))
    rows = pd.DataFrame(
        {
            "change_id": [_change_id(batch_id, *row) for row in zip(actors, sources, targets, strict=True)],
            "type": _types(was, now, sources, targets),
            "actor_id": pd.Series(actors, dtype="str"),
            "from_profile_id": pd.Series(sources, dtype=object),
            "to_profile_id": pd.Series(targets, dtype="str"),
            "cause": pd.Series(causes, dtype=object),
            "batch_id": np.full(len(moved), batch_id, dtype=np.int64),
            "changed_at": pd.Series(pd.Timestamp(changed_at), index=range(len(moved))),
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


def _types(
    was: Mapping[str, str], now: Mapping[str, str], sources: Sequence[str | None], targets: Sequence[str]
) -> list[str]:
    """The type of each move from a source to a target, see `changes`. was, now: actor -> profile."""
    existed, left = set(was.values()), {source for source in sources if source is not None}
    ways: dict[str, set[str]] = {source: set() for source in left}  # where the actors of those some left are now
    for actor, source in was.items():
        if source in ways:
            ways[source].add(now.get(actor, source))

    def type_of(source: str | None, target: str) -> str:
        if source is None:
            return "attach" if target in existed else "create"
        is_kept, is_scattered = source in ways[source], len(ways[source]) > 1
        return "split" if is_kept or (is_scattered and target not in existed) else "merge"

    return list(map(type_of, sources, targets))


def _change_id(batch_id: int, actor_id: str, from_profile_id: str | None, to_profile_id: str) -> str:
    parts = (str(batch_id), actor_id, from_profile_id or "", to_profile_id)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
