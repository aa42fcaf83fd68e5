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
    """Rows of silver.identity_map, one per actor -> the rows of history that begin with them, by actor_id: append."""
    rows = map_rows.rename(columns={"resolved_at": "valid_from"})[_PLACE].sort_values("actor_id", ignore_index=True)
    return rows.assign(valid_to=pd.Series(pd.NaT, index=rows.index, dtype=rows["valid_from"].dtype))[COLUMNS]


def closed(begun: pd.DataFrame, log_rows: pd.DataFrame, since: pd.DataFrame) -> pd.DataFrame:
    """The rows of history that end where others begin: set.

    Args:
        begun: rows of silver.identity_history that begin.
        log_rows: rows of silver.identity_log of the same change.
        since: [actor_id, since], when movers came to where they were.
    """
    came_from = dict(zip(log_rows["actor_id"].tolist(), log_rows["from_profile_id"].tolist(), strict=True))
    row_of = {actor: row for row, actor in enumerate(since["actor_id"].tolist())}
    ends = [row for row, actor in enumerate(begun["actor_id"].tolist()) if actor in row_of and actor in came_from]
    movers = begun["actor_id"].take(ends)
    return pd.DataFrame(
        {
            "actor_id": movers.array,
            "profile_id": pd.array([came_from[actor] for actor in movers.tolist()], dtype="str"),
            "valid_from": since["since"].take([row_of[actor] for actor in movers.tolist()]).array,
            "valid_to": begun["valid_from"].take(ends).array,
        }
    )[COLUMNS]


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
