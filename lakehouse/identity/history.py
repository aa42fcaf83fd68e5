"""Who an actor was, and when: rows of silver.identity_history, derived from the identity log or from moves on the map."""

import pandas as pd

from lakehouse.tables.identity import SILVER_IDENTITY_HISTORY

COLUMNS = SILVER_IDENTITY_HISTORY.column_names
_PLACE = ["actor_id", "profile_id", "valid_from"]


def history(log: pd.DataFrame) -> pd.DataFrame:
    """All of silver.identity_log -> all of silver.identity_history, by actor_id and valid_from.

    Two changes of an actor at one instant leave the later one, by batch_id.
    """
    rows = log.sort_values(["actor_id", "changed_at", "batch_id"], kind="stable")
    rows = rows.drop_duplicates(["actor_id", "changed_at"], keep="last")
    return _chained(rows.rename(columns={"to_profile_id": "profile_id", "changed_at": "valid_from"})[_PLACE])


def opened(map_rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of silver.identity_map of new actors -> their first rows of history: append."""
    return _chained(map_rows.rename(columns={"resolved_at": "valid_from"})[_PLACE])


def closed(begun: pd.DataFrame, log_rows: pd.DataFrame, since: pd.DataFrame) -> pd.DataFrame:
    """The rows of history that end where others begin: set.

    Args:
        begun: rows of silver.identity_history that begin.
        log_rows: rows of silver.identity_log of the same change.
        since: [actor_id, since], when movers came to where they were.
    """
    ended = begun.drop(columns="profile_id").merge(since[["actor_id", "since"]], on="actor_id")
    ended = ended.merge(log_rows[["actor_id", "from_profile_id"]], on="actor_id")
    renamed = {"from_profile_id": "profile_id", "since": "valid_from", "valid_from": "valid_to"}
    return ended.drop(columns="valid_to").rename(columns=renamed)[COLUMNS]


def moved(moves: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """The rows of history to set when actors moved: what was open closes, and every place they came to since.

    Args:
        moves: [actor_id, profile_id, resolved_at], where actors came to, in any order.
        stored: all rows of silver.identity_history of these actors.

    What a crashed attempt has set already is left out.
    """
    moves = moves.rename(columns={"resolved_at": "valid_from"})
    rows = [frame[_PLACE] for frame in (stored, moves) if len(frame)]
    if not rows:
        return stored[COLUMNS]
    chained = _chained(pd.concat(rows, ignore_index=True))
    if stored.empty:
        return chained
    sides = chained.merge(stored[COLUMNS], on=COLUMNS, how="left", indicator="side")["side"]
    return chained[(sides == "left_only").to_numpy()].reset_index(drop=True)


def _chained(rows: pd.DataFrame) -> pd.DataFrame:
    """Each row is valid until the actor's next one begins; to stay is not to begin."""
    rows = rows.sort_values(["actor_id", "valid_from"], kind="stable", ignore_index=True)
    before = rows.groupby("actor_id", sort=False)["profile_id"].shift()
    rows = rows[rows["profile_id"] != before]
    valid_to = rows.groupby("actor_id", sort=False)["valid_from"].shift(-1)
    return rows.assign(valid_to=valid_to).reset_index(drop=True)[COLUMNS]
