"""Whether everybody stayed in their arm: the read-out proves what lakehouse/decisions/experiment_unit.py promises. Pure.

One person in two arms is a break, and blocks the read-out: the promise was not kept, and nobody knows for how many it was not
noticed. Two names that were in one arm each and turned out to be one person later are none: nobody could know. They are left
out of both arms, and counted.
"""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, kw_only=True)
class ArmsTold:
    """`first`: per person of one arm their first exposure. `broken`: persons in two arms who were one when told the second.

    merged: persons in two arms who were one only afterwards.
    """

    first: pd.DataFrame
    broken: tuple[str, ...]
    merged: tuple[str, ...]


def arms_told(exposures: pd.DataFrame, history: pd.DataFrame) -> ArmsTold:
    """`exposures`: unit (the person), told_as (the name then), arm, decided_at, occurred_at (UTC), of one experiment.

    history: told_as, profile_id, valid_from, valid_to (NaT = it holds), the profiles a name belonged to. A name without any
    belonged to whom it belongs to now.
    """
    history = history.assign(**{name: pd.to_datetime(history[name], utc=True) for name in ("valid_from", "valid_to")})
    arms = exposures.groupby("unit", sort=False)["arm"].nunique()
    several = exposures[exposures["unit"].isin(arms.index[arms > 1])]
    is_broken = {str(unit): _was_one(told, history) for unit, told in several.groupby("unit")}
    alone = exposures[~exposures["unit"].isin([*is_broken])].sort_values("occurred_at")
    return ArmsTold(
        first=alone.drop_duplicates("unit")[["unit", "arm", "occurred_at"]].reset_index(drop=True),
        broken=tuple(unit for unit, broken in is_broken.items() if broken),
        merged=tuple(unit for unit, broken in is_broken.items() if not broken),
    )


def _was_one(told: pd.DataFrame, history: pd.DataFrame) -> bool:
    """Whether some two of one person's exposures, of different arms, were of somebody known to be one at the later of them.

    Of many exposures of one name in one arm the first stands for all at a later one, so the cost is the exposures times the names.
    """
    before: set[tuple[str, str]] = set()
    rows = told.sort_values("decided_at")[["told_as", "arm", "decided_at"]]
    for name, arm, at in rows.itertuples(index=False, name=None):
        others = {earlier for earlier, its_arm in before if its_arm != arm}
        if name in others or any(_known_as_one(history, earlier, name, at) for earlier in others):
            return True
        before.add((name, arm))
    return False


def _known_as_one(history: pd.DataFrame, name: str, other: str, at: pd.Timestamp) -> bool:
    of_name, of_other = (history[history["told_as"] == each] for each in (name, other))
    if of_name.empty or of_other.empty:
        return True
    then = [
        {*rows.loc[(rows["valid_from"] <= at) & ~(rows["valid_to"] <= at), "profile_id"]}
        for rows in (of_name, of_other)
    ]
    return bool(then[0] & then[1])
