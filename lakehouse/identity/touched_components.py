"""Identity of one micro-batch: solve the components it touches, return the rows that really changed.

Exact, because no identifier that links crosses a component: the touched ones solved alone come out as if the whole graph
were solved. Idempotent, because everything follows from what is stored and what the batch brings, not from what a write
reported: write edges, then log, then history, then map, and a replay after a crash at any point ends in the same tables.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from lakehouse.identity.changes import changes
from lakehouse.identity.hubs import Hubs, Rules
from lakehouse.identity.index import micros, or_none
from lakehouse.identity.solve import solve
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP

EDGE_KEY = list(SILVER_IDENTITY_EDGES.key)
_EDGE_COLUMNS = SILVER_IDENTITY_EDGES.column_names
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

    @cached_property
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
    counting, of_type = view(_counting(edges), rules)
    after = solve(counting[[*EDGE_KEY, "weight"]], seen, of_type, hubs=stored.hubs, match_probability=match_probability)
    before = stored.map_rows[["actor_id", "profile_id"]]
    return Resolution(
        edges=_edge_rows(edges, gone, stored.edge_rows, after),
        log_rows=changes(before, after, batch_id=batch_id, changed_at=now),
        map=_map_rows(stored.map_rows, after, now),
        vanished_profiles=tuple(sorted(set(before["profile_id"].tolist()) - set(after["profile_id"].tolist()))),
    )


class _Edge(NamedTuple):
    """An edge that holds from now on, or one that goes. place: of its row among the stored ones; None = it is new."""

    key: tuple[str, str, str]
    kind: str
    weight: float
    place: int | None
    is_said: bool  # its kind or weight is not what is stored


def _edges(new: pd.DataFrame, stored: pd.DataFrame, gone: pd.DataFrame | None) -> tuple[list[_Edge], list[_Edge]]:
    """All edges that hold from now on, and the stored ones gone, by key.

    An edge comes once; one that is new in this batch wins over its removal. What it does not say of itself is as stored, or else
    what a deterministic one says.
    """
    was = dict(zip(_keys(stored), zip(count(), *_facts(stored)), strict=False))
    fresh = dict(zip(_keys(new), zip(*_facts(new), strict=True), strict=True))
    leaves = set() if gone is None else set(_keys(gone)) - fresh.keys()
    held: list[_Edge] = []
    left: list[_Edge] = []
    for key in sorted({**was, **fresh}):
        place, old_kind, old_weight = was.get(key, (None, None, None))
        kind, weight = fresh.get(key, (None, None))
        kind = "deterministic" if (kind := old_kind if kind is None else kind) is None else kind
        weight = 0.0 if (weight := old_weight if weight is None else weight) is None else weight
        edge = _Edge(key, kind, float(weight), place, (kind, weight) != (old_kind, old_weight))
        (left if key in leaves else held).append(edge)
    return held, left


def _keys(edges: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    return zip(*(edges[name].tolist() for name in EDGE_KEY), strict=True)


def _facts(edges: pd.DataFrame) -> list[list[Any]]:
    """Kind and weight of every edge, None where it does not say."""
    unsaid = [None] * len(edges)
    return [or_none(edges[name]) if name in edges else unsaid for name in ("kind", "weight")]


def _counting(edges: Sequence[_Edge]) -> pd.DataFrame:
    """What of the edges may count: their keys, kind and weight."""
    return pd.DataFrame(_told(edges))


def _told(edges: Sequence[_Edge]) -> dict[str, Any]:
    columns = zip(*(edge.key for edge in edges), strict=True) if edges else [()] * len(EDGE_KEY)
    keys = {name: pd.array(column, dtype="str") for name, column in zip(EDGE_KEY, columns, strict=True)}
    kinds = pd.array([edge.kind for edge in edges], dtype="str")
    return {**keys, "kind": kinds, "weight": np.array([edge.weight for edge in edges], dtype=float)}


def _edge_rows(edges: Sequence[_Edge], gone: Sequence[_Edge], stored: pd.DataFrame, after: pd.DataFrame) -> Rows:
    """Edges that are new; and stored ones of another weight, or of an actor that was now seen earlier than they say."""
    row_of = {actor: row for row, actor in enumerate(after["actor_id"].tolist())}
    seen, told = micros(after["first_seen_at"]), micros(stored["first_seen_at"])
    new, changed = [], []
    for edge in edges:
        if edge.place is None:
            new.append(edge)
        elif edge.is_said or seen[row_of[edge.key[0]]] < told[edge.place]:
            changed.append(edge)
    times, stored_at = after["first_seen_at"].array, stored["first_seen_at"].array

    def rows(of: Sequence[_Edge], at: ExtensionArray, places: list[int], **where: ExtensionArray) -> pd.DataFrame:
        return pd.DataFrame(_told(of) | {"first_seen_at": _take(at, places)} | where)[[*_EDGE_COLUMNS, *where]]

    def of_actors(of: Sequence[_Edge]) -> list[int]:
        return [row_of[edge.key[0]] for edge in of]

    def places(of: Sequence[_Edge]) -> list[int]:
        return [edge.place for edge in of if edge.place is not None]

    return Rows(
        new=rows(new, times, of_actors(new)),
        changed=rows(changed, times, of_actors(changed), stored_at=_take(stored_at, places(changed))),
        gone=rows(gone, stored_at, places(gone), stored_at=_take(stored_at, places(gone))),
    )


def _take(values: ExtensionArray, places: list[int]) -> ExtensionArray:
    return values.take(np.array(places, dtype=np.intp))


def _map_rows(stored: pd.DataFrame, after: pd.DataFrame, now: datetime) -> Rows:
    """Rows of `after` that the map does not have like this. No actor ever leaves the map."""
    columns = SILVER_IDENTITY_MAP.column_names
    rows = after.assign(resolved_at=pd.Series(pd.Timestamp(now), index=after.index))[columns]
    was = dict(zip(stored["actor_id"].tolist(), enumerate(_solved(stored)), strict=True))
    new, changed, places = [], [], []
    for row, (actor, solved) in enumerate(zip(after["actor_id"].tolist(), _solved(after), strict=True)):
        if actor not in was:
            new.append(row)
        elif was[actor][1] != solved:
            changed.append(row)
            places.append(was[actor][0])
    where = {
        name: _take(stored[column].array, places)
        for name, column in (("stored_at", "first_seen_at"), ("since", "since"))
        if column in stored
    }
    return Rows(
        new=rows.take(new).reset_index(drop=True),
        changed=rows.take(changed).reset_index(drop=True).assign(**where),
        gone=rows.iloc[:0],
    )


def _solved(rows: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """What SOLVED says of each actor."""
    return zip(
        *(micros(rows[name]) if name == "first_seen_at" else or_none(rows[name]) for name in SOLVED), strict=True
    )


def _stack(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all; empty frames, whose columns have no type to speak of, do not get to choose one."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]
