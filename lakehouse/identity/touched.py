"""Identity of one micro-batch: solve the coarse components it touches, return the rows that really changed.

Exact, because no identifier crosses a coarse component: the touched ones solved alone come out as if the whole graph
were solved. Idempotent, because everything follows from what is stored and what the batch brings, not from what a write
reported: write edges, then log, then map, and a replay after a crash at any point ends in the same three tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from lakehouse.config import IdentifierRule
from lakehouse.contracts.profiles import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP
from lakehouse.identity.changes import changes
from lakehouse.identity.solve import solve

EDGE_KEY = list(SILVER_IDENTITY_EDGES.key)
IDENTIFIER = ["identifier_type", "identifier_token"]
SOLVED = ["profile_id", "component_id", "first_seen_at", "cause"]


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """What a batch changes. Frames hold the contract's columns and only rows to write; all empty = nothing changed.

    edge_rows: upsert by key. log_rows: append, by change_id. map_rows: upsert by actor_id.
    vanished_profiles: profile ids that were in the map and are no longer, sorted. Empty on a replay after the map was
    written; the batch's log rows still name them, in from_profile_id.
    """

    edge_rows: pd.DataFrame
    log_rows: pd.DataFrame
    map_rows: pd.DataFrame
    vanished_profiles: tuple[str, ...]


def resolve(
    new_actors: pd.DataFrame,
    new_edges: pd.DataFrame,
    stored_map: pd.DataFrame,
    stored_edges: pd.DataFrame,
    rules: Mapping[str, IdentifierRule],
    *,
    batch_id: int,
    now: datetime,
) -> Resolution:
    """Solve the touched components together with what the batch brings.

    Args:
        new_actors: [actor_id, first_seen_at], actors of the batch, known ones too if they were now seen earlier (or not:
            it changes nothing). The earliest first_seen_at ever given or stored is the actor's.
        new_edges: [actor_id, identifier_type, identifier_token] of those actors; `kind` and `weight` are kept if given.
        stored_map: rows of silver.identity_map, at least those of the components `touched` names.
        stored_edges: rows of silver.identity_edges, at least those of these rows' actors.
        rules: by identifier type.
        batch_id: micro-batch, for the log; -1 for a repair.
        now: time of the micro-batch, in the same form (zone or none) as the frames' timestamps.

    Raises:
        ContractError: a null, or an edge of an actor that is nowhere given a first_seen_at.
    """
    seen = _stack([frame[["actor_id", "first_seen_at"]] for frame in (new_actors, stored_map, stored_edges)])
    edges = _stack([stored_edges[EDGE_KEY], new_edges[EDGE_KEY]])
    after = solve(edges, seen, rules)
    changed = _changed(stored_map, after)
    map_rows = changed.assign(resolved_at=pd.Series(pd.Timestamp(now), index=changed.index))
    before = stored_map[["actor_id", "profile_id"]]
    return Resolution(
        edge_rows=_edge_rows(new_edges, stored_edges, after),
        log_rows=changes(before, after, batch_id=batch_id, changed_at=now),
        map_rows=map_rows[SILVER_IDENTITY_MAP.column_names],
        vanished_profiles=tuple(sorted(set(before["profile_id"]) - set(after["profile_id"]))),
    )


def touched(
    new_actors: pd.DataFrame, new_edges: pd.DataFrame, stored_map: pd.DataFrame, stored_edges: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the map and of the edges that `resolve` must see: three semi-joins.

    Known actors that share an identifier with the batch, or are in it; the whole coarse components of these; all edges of
    these. Edges of an actor without a map row (a crash came between the two writes) come along where the batch meets them.
    """
    reached = stored_edges[EDGE_KEY].merge(new_edges[IDENTIFIER].drop_duplicates(), on=IDENTIFIER)["actor_id"]
    actors = set(reached) | set(new_actors["actor_id"])
    components = stored_map.loc[stored_map["actor_id"].isin(actors), "component_id"]
    map_rows = stored_map[stored_map["component_id"].isin(components)]
    return map_rows, stored_edges[stored_edges["actor_id"].isin(actors | set(map_rows["actor_id"]))]


def _changed(stored_map: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Rows of `after` that the map does not have like this."""
    known = after[["actor_id"]].merge(stored_map[["actor_id", *SOLVED]], on="actor_id", how="left")
    differs = np.zeros(len(after), dtype=bool)
    for column in SOLVED:
        new, old = after[column], known[column]
        same = (new.isna() & old.isna()) | (new == old)
        differs |= ~same.to_numpy(dtype=bool)
    return after[differs].reset_index(drop=True)


def _edge_rows(new_edges: pd.DataFrame, stored_edges: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Edges that are new, and all edges of an actor that was now seen earlier than they say."""
    defaults = pd.DataFrame({"kind": "deterministic", "weight": 0.0}, index=new_edges.index)
    kinds = new_edges.join(defaults[defaults.columns.difference(new_edges.columns)])
    columns = [*EDGE_KEY, "kind", "weight"]
    stored = stored_edges[[*columns, "first_seen_at"]].rename(columns={"first_seen_at": "stored_at"})
    edges = _stack([stored, kinds[columns]]).drop_duplicates(EDGE_KEY)  # a stored edge keeps its kind and weight
    edges = edges.merge(after[["actor_id", "first_seen_at"]], on="actor_id")
    if "stored_at" in edges:
        edges = edges[edges["stored_at"].isna() | (edges["first_seen_at"] < edges["stored_at"])]
    return edges.sort_values(EDGE_KEY, ignore_index=True)[SILVER_IDENTITY_EDGES.column_names]


def _stack(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all; empty frames, whose columns have no type to speak of, do not get to choose one."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]
