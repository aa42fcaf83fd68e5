"""gold.changes: which profiles changed, for whoever reads on. Rows are added, never set: a stream can read it.

What a profile is now stands in the tables of gold, under its profile_id.
"""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pandas as pd

from lakehouse.tables.contract import Table, optional, required, write_time
from lakehouse.tables.people import By, by

UPSERTED, MERGED, GONE = "upserted", "merged", "gone"

GOLD_CHANGES = Table(
    name="gold.changes",
    grain="one row per profile and version of gold.activation that changed it",
    people=(by("profile_id", By.ACTOR, stays="for profiles.changes_days: readers learn by it that a profile is gone"),),
    key=("version", "profile_id"),
    owner="streaming/events.py",
    reads=("gold.activation", "silver.identity_map"),
    columns=(
        required("profile_id", "string", "profile that changed"),
        required("version", "bigint", "version of gold.activation in which it had changed; grows"),
        required("kind", "string", "upserted: new, or other figures; merged: part of another one now; gone: no more"),
        optional("merged_into", "string", "profile it is part of now; null = not merged"),
        write_time("changed_at", "time of the micro-batch, or of rebuild"),
    ),
)


def changes(touched: pd.DataFrame, places: Mapping[str, str], *, version: int, changed_at: datetime) -> pd.DataFrame:
    """Rows of gold.changes.

    A profile has the name of its oldest actor, so one that is no more is part of the profile that actor is in now.

    Args:
        touched: [profile_id, is_there], one row per profile that gold.activation set or removed.
        places: actor_id -> profile_id, of the actors that name a profile which is not there; those that are nowhere are left out.
        version: of gold.activation.
        changed_at: time of the micro-batch, in UTC.
    """
    profile_ids, there = touched["profile_id"].tolist(), touched["is_there"].tolist()
    into = [
        None if is_there else _other(places.get(name), name) for name, is_there in zip(profile_ids, there, strict=True)
    ]
    kinds = [UPSERTED if is_there else GONE if to is None else MERGED for is_there, to in zip(there, into, strict=True)]
    return pd.DataFrame(
        {
            "profile_id": pd.Series(profile_ids, dtype=object),
            "version": np.full(len(profile_ids), version, dtype=np.int64),
            "kind": pd.Series(kinds, dtype=object),
            "merged_into": pd.Series(into, dtype=object),
            "changed_at": pd.Series(pd.Timestamp(changed_at), index=range(len(profile_ids))),
        }
    )


def _other(place: str | None, name: str) -> str | None:
    return None if place == name else place
