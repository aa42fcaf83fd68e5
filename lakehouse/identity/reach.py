"""What of the graph a micro-batch reaches, looked up in the index: the rows `lakehouse.identity.touched_components.resolve` must see."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lakehouse.events.identifier import Identifier
from lakehouse.identity.hubs import Rules
from lakehouse.identity.index import ActorRecord, Index, IndexReader, numbers
from lakehouse.identity.stored_hubs import StoredHubs
from lakehouse.identity.touched_components import EDGE_KEY, SOLVED, Touched
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES

_NO_TIME = -(2**63)  # NumPy's


def touched(
    index: Index,
    actors: pd.DataFrame,
    new_edges: pd.DataFrame,
    rules: Rules,
    *,
    gone_edges: pd.DataFrame | None = None,
    seeds: Collection[str] = (),
    also: Collection[Identifier] = (),
) -> Touched:
    """The components the batch reaches, whole, and the hubs on their edges.

    An identifier is followed to its carriers while it links: when at most `max_actors` carried it before the batch, or will
    after it. So one that the batch pushes over its cap still brings all its carriers, to be taken apart; and one long over
    it brings nobody, however many they are. A hub that keeps its oldest is followed to those alone, and once it is one only if
    the batch brings one of them: else nothing has changed for anybody.

    Args:
        index: of the stored graph.
        actors: [actor_id, first_seen_at], those of the batch that are new or were seen earlier than known.
        new_edges: [actor_id, identifier_type, identifier_token] the batch brings; known ones, too.
        rules: by identifier type.
        gone_edges: the same of stored edges that no longer hold. Of a type that keeps its oldest none ever goes: what an actor
            carries is what makes it that actor. Only likely pairs go.
        seeds: actors whose components are to be solved again whatever the batch brings.
        also: identifiers whose carriers' components are, too.
    """
    with index.reading() as reader:
        change = _change(reader, new_edges, gone_edges)
        hubs = StoredHubs(reader, rules, change, actors, new_edges)
        ids = {*new_edges["actor_id"].tolist(), *seeds}
        ids |= set() if gone_edges is None else set(gone_edges["actor_id"].tolist())
        reached = numbers(reader, ids)
        for identifier in {*change, *also}:
            is_followed = identifier in also or _links(reader, identifier, change[identifier], hubs.cap(identifier))
            if identifier not in also and hubs.keeps_oldest(identifier):
                reached.update(hubs.linked(identifier) if is_followed or hubs.gains(identifier) else ())
            elif is_followed:
                reached.update(carrier.number for carrier in reader.carriers(identifier))
        records = list(_whole(reader, reached))
        carried = {identifier for record in records for identifier in record.edges} | set(change)
        given = ids | {record.actor_id for record in records}
        return Touched(
            map_rows=_map_rows(reader, records),
            edge_rows=_edge_rows(records),
            hubs={one: hubs.youngest(one, given) for one in carried if hubs.is_hub(one)},
        )


def _links(reader: IndexReader, identifier: Identifier, change: int, cap: int) -> bool:
    """Whether it linked when its carriers were last solved, or will once they are solved again.

    Edges are written before the map: after a crash there are carriers that the last solve did not know.
    """
    before = reader.degree(identifier)
    return min(before, before + change) <= cap or reader.placed_carriers(identifier, cap + 1) <= cap


def places(index: Index, actor_ids: Iterable[str]) -> pd.DataFrame:
    """[actor_id, *SOLVED, since] of those that are in the map."""
    with index.reading() as reader:
        records = [reader.record(number) for number in sorted(numbers(reader, actor_ids))]
        return _map_rows(reader, [record for record in records if record is not None])


def edges_of(index: Index, actor_ids: Iterable[str]) -> pd.DataFrame:
    """The stored rows of silver.identity_edges of these actors, but for identifiers that are blocked by now."""
    with index.reading() as reader:
        records = [reader.record(number) for number in sorted(numbers(reader, actor_ids))]
        return _edge_rows([record for record in records if record is not None])


def members(index: Index, profile_ids: Iterable[str]) -> pd.DataFrame:
    """[actor_id, profile_id] of all actors of the profiles; a profile that is gone has none."""
    rows: list[tuple[str, str]] = []
    with index.reading() as reader:
        wanted = numbers(reader, profile_ids)
        named = (reader.record(number) for number in wanted)
        components = {record.component for record in named if record is not None and record.component is not None}
        name_of: dict[int, str] = {}
        for number in (member for component in components for member in reader.in_component(component)):
            record = reader.record(number)
            if record is not None and record.place is not None and (profile := int(str(record.place[0]))) in wanted:
                rows.append((record.actor_id, _name(reader, profile, name_of)))
    return pd.DataFrame(sorted(rows), columns=["actor_id", "profile_id"], dtype="str")


def everyone(index: Index) -> list[str]:
    """Every actor_id."""
    with index.reading() as reader:
        return [record.actor_id for _, record in reader.records()]


def _change(reader: IndexReader, new: pd.DataFrame, gone: pd.DataFrame | None) -> Counter[Identifier]:
    """By how many its carriers grow or shrink, for every identifier the batch names."""
    change: Counter[Identifier] = Counter()
    held: dict[str, Collection[Identifier]] = {}
    for sign, rows in ((1, new), (-1, gone)):
        if rows is None:
            continue
        for actor, type_, token in set(zip(*(rows[name].tolist() for name in EDGE_KEY), strict=True)):
            if actor not in held:
                number = reader.number(actor)
                record = None if number is None else reader.record(number)
                held[actor] = () if record is None else record.edges
            change[type_, token] += sign if ((type_, token) in held[actor]) == (sign < 0) else 0
    return change


def _whole(reader: IndexReader, reached: set[int]) -> Iterable[ActorRecord]:
    """The records of the components these actors are in, each once; of one without a map row just its own."""
    found: dict[int, ActorRecord] = {}
    components: set[int] = set()
    for number in reached:
        record = reader.record(number)
        if record is None:
            continue
        found[number] = record
        if record.component is not None:
            components.add(record.component)
    for component in components:
        for number in reader.in_component(component):
            if number not in found and (record := reader.record(number)) is not None:
                found[number] = record
    return found.values()


def _map_rows(reader: IndexReader, records: Iterable[ActorRecord]) -> pd.DataFrame:
    name_of: dict[int, str] = {}
    rows = []
    for record in records:
        if record.place is not None:
            profile, component, seen, cause = record.place
            ids = (_name(reader, int(str(number)), name_of) for number in (profile, component))
            since = None if (number := reader.number(record.actor_id)) is None else reader.since(number)
            rows.append((record.actor_id, *ids, seen, cause, _NO_TIME if since is None else since))
    actors, profiles, components, seen_at, causes, came_at = _columns(rows, 6)
    return pd.DataFrame(
        {
            **_texts(actor_id=actors, profile_id=profiles, component_id=components),
            "first_seen_at": _times(seen_at),
            "cause": pd.Series(causes, dtype=object),
            "since": _times(came_at),
        }
    )[["actor_id", *SOLVED, "since"]]


def _edge_rows(records: Iterable[ActorRecord]) -> pd.DataFrame:
    rows = [(record.actor_id, *name, *facts) for record in records for name, facts in record.edges.items()]
    actors, types, tokens, kinds, weights, seen = _columns(rows, 6)
    return pd.DataFrame(
        {
            **_texts(actor_id=actors, identifier_type=types, identifier_token=tokens, kind=kinds),
            "weight": pd.Series(weights, dtype=float),
            "first_seen_at": _times(seen),
        }
    )[SILVER_IDENTITY_EDGES.column_names]


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> Sequence[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * count


def _texts(**columns: Sequence[str]) -> dict[str, pd.Series]:
    return {name: pd.Series(texts, dtype="str") for name, texts in columns.items()}


def _times(micros: Sequence[int]) -> pd.Series:
    return pd.Series(np.array(micros, dtype="int64").view("datetime64[us]"))


def _name(reader: IndexReader, number: int, known: dict[int, str]) -> str:
    if number not in known:
        record = reader.record(number)
        assert record is not None, "a profile or component is named after an actor of the index"
        known[number] = record.actor_id
    return known[number]
