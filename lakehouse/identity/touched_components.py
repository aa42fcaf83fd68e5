"""Identity of one micro-batch: solve the components it touches, return the rows that really changed.

Exact, because no identifier that links crosses a component: the touched ones solved alone come out as if the whole graph
were solved. Idempotent, because everything follows from what is stored and what the batch brings, not from what a write
reported: write edges, then log, then history, then map, and a replay after a crash at any point ends in the same tables.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from lakehouse.identity.changes import changes
from lakehouse.identity.hubs import Hubs, Rules
from lakehouse.identity.solve import solve
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP

EDGE_KEY = list(SILVER_IDENTITY_EDGES.key)
IDENTIFIER = ["identifier_type", "identifier_token"]
SOLVED = ["profile_id", "component_id", "first_seen_at", "cause"]

View = Callable[[pd.DataFrame, Rules], tuple[pd.DataFrame, Rules]]


@dataclass(frozen=True, kw_only=True)
class Touched:
    """What is stored of the components a micro-batch reaches.

    map_rows: [actor_id, *SOLVED], and `since`, when each came to its profile, for those who will write history. edge_rows: silver.identity_edges of these actors, and of actors without a map row yet (a
    crash came between the two writes). hubs: those on these edges, or the batch's, once the batch is in; only some of their actors
    are in `edge_rows`.
    """

    map_rows: pd.DataFrame
    edge_rows: pd.DataFrame
    hubs: Hubs = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows to write. `new`: keys that are not stored, append. `changed`: keys that are, upsert. `gone`: delete."""

    new: pd.DataFrame
    changed: pd.DataFrame
    gone: pd.DataFrame

    def __len__(self) -> int:
        return len(self.new) + len(self.changed) + len(self.gone)

    @property
    def kept(self) -> pd.DataFrame:
        """New and changed rows."""
        return _stack([self.new, self.changed])


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """What a batch changes. Frames hold the contract's columns and only rows to write; all empty = nothing changed.

    edges, map: by key. What is changed or gone also has `stored_at`, the first_seen_at the stored row says; map.changed also
    `since`, see `Touched`. log_rows: append, by change_id. vanished_profiles: profile ids that were in the map and are no longer, sorted. Empty on a replay after the
    map was written; the batch's log rows still name them, in from_profile_id.
    """

    edges: Rows
    log_rows: pd.DataFrame
    map: Rows
    vanished_profiles: tuple[str, ...]


def as_stored(edges: pd.DataFrame, rules: Rules) -> tuple[pd.DataFrame, Rules]:
    """The view of the facts that adds and hides nothing."""
    return edges, rules


def resolve(
    new_actors: pd.DataFrame,
    new_edges: pd.DataFrame,
    stored: Touched,
    rules: Rules,
    *,
    batch_id: int,
    now: datetime,
    gone_edges: pd.DataFrame | None = None,
    view: View = as_stored,
    match_probability: float = 1.0,
) -> Resolution:
    """Solve the touched components together with what the batch brings.

    Args:
        new_actors: [actor_id, first_seen_at], actors of the batch, known ones too if they were now seen earlier (or not:
            it changes nothing). The earliest first_seen_at ever given or stored is the actor's.
        new_edges: [actor_id, identifier_type, identifier_token] of those actors, or of stored ones. `kind` and `weight`
            are taken if given: a stored edge keeps its own unless they are.
        stored: at least the components the batch reaches.
        rules: by identifier type.
        batch_id: micro-batch, for the log; negative for a repair.
        now: time of the micro-batch, in the same form (zone or none) as the frames' timestamps.
        gone_edges: [actor_id, identifier_type, identifier_token], stored edges that no longer hold.
        view: stored facts (edges, with kind and weight, and rules) -> those that count; overrides are applied here.
        match_probability: see `solve`.

    Raises:
        ContractError: a null, or an edge of an actor that is nowhere given a first_seen_at.
    """
    seen = _stack([frame[["actor_id", "first_seen_at"]] for frame in (new_actors, stored.map_rows, stored.edge_rows)])
    edges, gone = _edges(new_edges, stored.edge_rows, gone_edges)
    counting, of_type = view(edges, rules)
    after = solve(counting[[*EDGE_KEY, "weight"]], seen, of_type, hubs=stored.hubs, match_probability=match_probability)
    before = stored.map_rows[["actor_id", "profile_id"]]
    return Resolution(
        edges=_edge_rows(edges, gone, after),
        log_rows=changes(before, after, batch_id=batch_id, changed_at=now),
        map=_map_rows(stored.map_rows, after, now),
        vanished_profiles=tuple(sorted(set(before["profile_id"]) - set(after["profile_id"]))),
    )


def _edges(new: pd.DataFrame, stored: pd.DataFrame, gone: pd.DataFrame | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All edges that hold from now on, each with what is stored of it, if it is (`stored_*`); and the stored ones gone.

    An edge comes once; one that is new in this batch wins over its removal.
    """
    facts = {name: new[name] for name in ("kind", "weight") if name in new}
    fresh = new[EDGE_KEY].assign(**facts).drop_duplicates(EDGE_KEY, keep="last")
    was = stored[[*EDGE_KEY, "kind", "weight", "first_seen_at"]]
    was = was.rename(columns={"kind": "stored_kind", "weight": "stored_weight", "first_seen_at": "stored_at"})
    both = was.merge(fresh, on=EDGE_KEY, how="outer", indicator="side") if len(was) else fresh.assign(side="right_only")
    defaults = {"kind": "deterministic", "weight": 0.0}
    for name, default in defaults.items():
        said = both[name] if name in both else pd.Series(None, index=both.index, dtype=object)
        known = both.get(f"stored_{name}", said)
        both[name] = said.where(said.notna(), known).where(lambda value: value.notna(), default)
    both["weight"] = both["weight"].astype(float)
    if gone is None or gone.empty or "stored_at" not in both:
        return both, both.iloc[:0]
    dropped = pd.MultiIndex.from_frame(both[EDGE_KEY]).isin(pd.MultiIndex.from_frame(gone[EDGE_KEY]))
    dropped &= (both["side"] == "left_only").to_numpy()
    return both[~dropped], both[dropped]


def _edge_rows(edges: pd.DataFrame, gone: pd.DataFrame, after: pd.DataFrame) -> Rows:
    """Edges that are new; and stored ones of another weight, or of an actor that was now seen earlier than they say."""
    columns = SILVER_IDENTITY_EDGES.column_names
    edges = edges.merge(after[["actor_id", "first_seen_at"]], on="actor_id").sort_values(EDGE_KEY, ignore_index=True)
    if "stored_at" not in edges:
        return Rows(new=edges[columns], changed=edges.iloc[:0][columns], gone=edges.iloc[:0][columns])
    is_new = (edges["side"] == "right_only").to_numpy()
    differs = (edges["first_seen_at"] < edges["stored_at"]).to_numpy(copy=True)
    for name in ("kind", "weight"):
        differs |= (edges[name] != edges[f"stored_{name}"]).to_numpy()
    gone = gone.assign(first_seen_at=gone["stored_at"]).sort_values(EDGE_KEY, ignore_index=True)
    changed = edges[~is_new & differs][[*columns, "stored_at"]]
    return Rows(new=edges[is_new][columns], changed=changed, gone=gone[[*columns, "stored_at"]])


def _map_rows(stored: pd.DataFrame, after: pd.DataFrame, now: datetime) -> Rows:
    """Rows of `after` that the map does not have like this. No actor ever leaves the map."""
    columns = SILVER_IDENTITY_MAP.column_names
    rows = after.assign(resolved_at=pd.Series(pd.Timestamp(now), index=after.index))
    known = after[["actor_id"]].merge(stored, on="actor_id", how="left")
    differs = np.zeros(len(after), dtype=bool)
    for column in SOLVED:
        new, old = after[column], known[column]
        same = (new.isna() & old.isna()) | (new == old)
        differs |= ~same.to_numpy(dtype=bool)
    is_new = known["profile_id"].isna().to_numpy()
    where = {"stored_at": known["first_seen_at"], "since": known.get("since")}
    changed = rows.assign(**where)[differs & ~is_new]
    return Rows(
        new=rows[is_new][columns].reset_index(drop=True),
        changed=changed[[*columns, *where]].reset_index(drop=True),
        gone=rows.iloc[:0][columns],
    )


def _stack(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all; empty frames, whose columns have no type to speak of, do not get to choose one."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]
