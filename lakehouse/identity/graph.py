"""The identity graph as integer codes: what `solve` computes on.

Actor codes follow age: first_seen_at, then actor_id (by code point, as Spark orders strings). So the smallest code of a set is
its oldest actor. An identifier is a (type, token) pair; equal tokens of two types are two identifiers.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lakehouse.errors import ContractError
from lakehouse.events.identifier import Identifier

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Deduplicated actors and edges.

    actor_ids, first_seen_at: one per actor, the oldest first; seen: the latter as integers of one unit, nulls refused. by_id: the
    codes in the order of actor_id.
    actor, identifier: one entry per edge, sorted by (identifier, actor). start: first edge of every identifier, with the
    number of edges appended. type, token: per identifier, codes into `types` and `tokens` (in no particular order).
    """

    actor_ids: pd.Series
    first_seen_at: pd.Series
    seen: Ints
    by_id: Ints
    actor: Ints
    identifier: Ints
    start: Ints
    type: Ints
    token: Ints
    types: Sequence[str]
    tokens: pd.Series

    @property
    def actor_count(self) -> int:
        return len(self.seen)

    @property
    def degree(self) -> Ints:
        """Distinct actors per identifier."""
        return np.diff(self.start)

    def name(self, identifier: int) -> Identifier:
        """The type and token of an identifier's code."""
        return self.types[int(self.type[identifier])], str(self.tokens.iloc[int(self.token[identifier])])

    def named(self, identifiers: Collection[Identifier]) -> Flags:
        """Which identifiers of the graph are among those given; names the graph does not know are passed over."""
        flags = np.zeros(len(self.type), dtype=bool)
        tokens_of: dict[str, list[str]] = {}
        for type_, token in identifiers:
            tokens_of.setdefault(type_, []).append(token)
        for kind, name in enumerate(self.types):
            if tokens := tokens_of.get(name):
                flags |= (self.type == kind) & self.tokens.isin(tokens).to_numpy()[self.token]
        return flags


def build(edges: pd.DataFrame, actors: pd.DataFrame) -> Graph:
    """Frames as `solve` takes them -> codes. The earliest first_seen_at of an actor named twice counts.

    Raises:
        ContractError: a null, a first_seen_at that is not a timestamp, or an edge of an unknown actor.
    """
    actors = _without_nulls("actors", actors, ["actor_id", "first_seen_at"])
    edges = _without_nulls("edges", edges, ["actor_id", "identifier_type", "identifier_token"])
    ids, of_row, of_edge = _actor_codes(actors["actor_id"], edges["actor_id"])
    earliest = _earliest(of_row, actors["first_seen_at"])
    oldest_first = np.argsort(
        pd.DatetimeIndex(earliest).asi8, kind="stable"
    )  # equally old ones stay in the order of ids
    age = np.empty(len(ids), dtype=np.int64)
    age[oldest_first] = np.arange(len(ids))
    first_seen_at = pd.Series(earliest.array.take(oldest_first))
    of_edge = age[of_edge]
    type_codes, types = pd.factorize(edges["identifier_type"])
    token_codes, tokens = pd.factorize(edges["identifier_token"])
    # One sortable integer per edge: below 2^63 while types x tokens x actors < 9e18. Divisors of no edges are never used.
    actor_count, token_count = max(len(ids), 1), max(len(tokens), 1)
    key = (type_codes * token_count + token_codes) * actor_count + of_edge
    key.sort()
    key = key[np.diff(key, prepend=-1) != 0]
    pair = key // actor_count
    fresh = np.diff(pair, prepend=-1) != 0
    return Graph(
        actor_ids=pd.Series(ids.array.take(oldest_first)),
        first_seen_at=first_seen_at,
        seen=pd.DatetimeIndex(first_seen_at).asi8,
        by_id=age,
        actor=key % actor_count,
        identifier=np.cumsum(fresh) - 1,
        start=np.append(np.flatnonzero(fresh), len(key)),
        type=pair[fresh] // token_count,
        token=pair[fresh] % token_count,
        types=[str(name) for name in types],
        tokens=pd.Series(tokens, dtype="str"),
    )


def components(graph: Graph, span: Ints) -> Ints:
    """Label (0, 1, ...) of every actor: connected through identifiers. span: how many of its oldest actors each one links."""
    # Every actor of an identifier is tied to its first one: fewer nodes and edges than the bipartite graph.
    oldest = graph.actor[graph.start[:-1]][graph.identifier]
    used = within(graph, span) & (oldest != graph.actor)
    rows, columns = oldest[used], graph.actor[used]
    shape = (graph.actor_count, graph.actor_count)
    ties = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=shape)
    return np.asarray(connected_components(ties, directed=False)[1], dtype=np.int64)


def within(graph: Graph, span: Ints) -> Flags:
    """Per edge, whether its actor is one of the `span` oldest of its identifier."""
    place = np.arange(len(graph.actor)) - graph.start[graph.identifier]
    inside: Flags = place < span[graph.identifier]
    return inside


def smallest(group: Ints, value: Ints, count: int, default: int) -> Ints:
    """Smallest `value` per group 0..count-1; `default`, which must not be smaller than any value, where there is none."""
    result = np.full(count, default, dtype=np.int64)
    np.minimum.at(result, group, value)
    return result


def _without_nulls(what: str, frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    for column in columns:
        if frame[column].array.isna().any():
            raise ContractError(
                f"identity: {what}.{column}: a null among {len(frame)} rows, expected none. Leave the row out"
            )
    return frame


def _actor_codes(named: pd.Series, of_edges: pd.Series) -> tuple[pd.Series, Ints, Ints]:
    """Sorted distinct ids of `named`; the code of each row of `named`; the code of each edge."""
    codes, ids = pd.factorize(pd.concat([named.astype("str"), of_edges.astype("str")], ignore_index=True))
    count = int(codes[: len(named)].max(initial=-1)) + 1  # codes count up by first appearance
    if len(ids) > count:
        raise ContractError(
            f"identity: edges of an actor without first_seen_at, got {ids[count]!r}, expected one of the {count} actors "
            "given. Pass every actor that edges name"
        )
    order = np.asarray(ids.argsort())
    rank = np.empty(count, dtype=np.int64)
    rank[order] = np.arange(count)
    return pd.Series(ids[order], dtype="str"), rank[codes[: len(named)]], rank[codes[len(named) :]]


def _earliest(codes: Ints, first_seen_at: pd.Series) -> pd.Series:
    """The earliest first_seen_at per actor code, keeping dtype and zone."""
    if len(first_seen_at) == 0:
        return pd.Series([], dtype="datetime64[us]")
    if first_seen_at.dtype.kind != "M":
        raise ContractError(
            f"identity: first_seen_at: got {first_seen_at.dtype}, expected timestamps in one zone. Convert the column"
        )
    order = np.lexsort((pd.DatetimeIndex(first_seen_at).asi8, codes))
    chosen = order[np.diff(codes[order], prepend=-1) != 0]
    return pd.Series(first_seen_at.array.take(chosen))
