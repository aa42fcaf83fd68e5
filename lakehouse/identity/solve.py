"""Which profile every actor belongs to: a pure function of the SET of edges, so never of arrival order.

The rule, exactly:

1. An identifier *links* the actors that carry it, and more than one profile grows from nothing else.
2. It links nobody if its type has no rule, or if more than `max_actors` distinct actors carry it (a kiosk, a call centre).
3. The others are taken one by one: by `priority` of their type, then by the earliest `first_seen_at` among their actors,
   then type, then token. At its turn an identifier joins the profiles-so-far of all its actors, or, if the joined profile
   would hold more than `limit` distinct values of any one type, links nobody at all: a device with two logins leaves both
   alone, and the anonymous actors on it too. All its actors are known, so it does not matter who came first.
4. A profile *holds* every value on any edge of any of its actors: the identifier's own value, and values that link nobody
   (2, 3), count like any other. So no profile of two or more actors holds more than `limit` values of any type; with
   limit 1, never two user_ids. Types without a rule have no limit. An actor that breaks a limit all by itself stays alone.
5. A profile is named after its oldest actor, by (first_seen_at, actor_id): on a merge the older id survives.

Two layers: connected components over all edges, no rule applied, which only ever grow (`component_id`); inside them the
rule above. Most components break no limit even when joined whole: those are found by counting. The rest go through
`contested`. Why limits may not be checked on arrival: 200 of 200 shuffled streams came out differently
(research/identity-resolution.md 3.2).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lakehouse.config import IdentifierRule
from lakehouse.identity.contested import Held, unite
from lakehouse.identity.graph import Flags, Graph, Ints, build, components, smallest

_NO_RULE = IdentifierRule(priority=2**31, limit=2**31, max_actors=0)


def solve(edges: pd.DataFrame, actors: pd.DataFrame, rules: Mapping[str, IdentifierRule]) -> pd.DataFrame:
    """Solve the whole graph given, by the rule above.

    Args:
        edges: [actor_id, identifier_type, identifier_token]; any order, duplicates allowed.
        actors: [actor_id, first_seen_at], every actor of `edges` and those without any; the earliest of duplicates counts.
        rules: by identifier type.

    Returns:
        [actor_id, profile_id, component_id, cause, first_seen_at], one row per actor, by actor_id. component_id: smallest
        actor_id of the component. cause: strongest type (by priority, then name) of an identifier that links the actor to
        another one of its profile; null = alone.

    Raises:
        ContractError: a null, a first_seen_at that is not a timestamp, or an edge of an unknown actor.
    """
    graph = build(edges, actors)
    count = graph.actor_count
    of_type = [rules.get(name, _NO_RULE) for name in graph.types]
    max_actors = np.array([rule.max_actors for rule in of_type], dtype=np.int64)
    coarse = components(graph)
    shared = graph.degree > 1
    linking = shared & (graph.degree <= max_actors[graph.type])
    # Without the identifiers that link nobody whatever happens, a component may already fall apart.
    label = coarse if linking.sum() == shared.sum() else components(graph, linking)
    profile = smallest(label, np.arange(count), count, count)[label]
    linking = _resolve_contested(graph, label, linking, of_type, profile)
    return _answer(graph, coarse, profile, linking, of_type)


def _resolve_contested(
    graph: Graph, label: Ints, linking: Flags, of_type: list[IdentifierRule], profile: Ints
) -> Flags:
    """Set `profile` where a limit can bite; return the identifiers that really link."""
    limits = np.array([rule.limit for rule in of_type], dtype=np.int64)
    over: Flags = _held_values(graph, label) > limits
    contested: Flags = np.asarray(over.any(axis=1))[label]
    if not contested.any():
        return linking
    codes = np.flatnonzero(contested)
    local = np.cumsum(contested) - 1
    chosen = _in_order(graph, np.flatnonzero(linking & contested[graph.actor[graph.start[:-1]]]), of_type)
    members = local[graph.actor].tolist()
    starts, ends = graph.start[chosen].tolist(), graph.start[chosen + 1].tolist()
    biting = np.flatnonzero(over.any(axis=0)).tolist()
    roots, refused = unite(
        len(codes),
        (members[start:end] for start, end in zip(starts, ends, strict=True)),
        [_held(graph, kind, over[label, kind], local) for kind in biting],
        limits[biting].tolist(),
    )
    profile[codes] = codes[np.array(roots, dtype=np.int64)]
    really = linking.copy()
    really[chosen[refused]] = False
    return really


def _held_values(graph: Graph, label: Ints) -> Ints:
    """Distinct values, one row per label and one column per type."""
    labels = int(label.max(initial=-1)) + 1
    key = graph.identifier * labels + label[graph.actor]
    key.sort(kind="stable")  # all but sorted: a linking identifier has one label
    key = key[np.diff(key, prepend=-1) != 0]
    kinds = len(graph.types)
    cell = (key % labels) * kinds + graph.type[key // labels] if len(key) else key
    return np.bincount(cell, minlength=labels * kinds).reshape(labels, kinds)


def _in_order(graph: Graph, identifiers: Ints, of_type: list[IdentifierRule]) -> Ints:
    """By priority, earliest first_seen_at among the actors, type, token."""
    age = (
        np.minimum.reduceat(graph.seen[graph.actor], graph.start[:-1])[identifiers] if len(identifiers) else identifiers
    )
    kind = graph.type[identifiers]
    priority = np.array([rule.priority for rule in of_type], dtype=np.int64)[kind]
    name = np.argsort(np.argsort(graph.types))[kind]
    token = graph.tokens.iloc[graph.token[identifiers]].rank(method="dense").to_numpy()
    return identifiers[np.lexsort((token, name, age, priority))]


def _held(graph: Graph, kind: int, relevant: Flags, local: Ints) -> Held:
    """Actor -> its values of one type, for the actors (in local codes) whose component can break that limit."""
    edge = np.flatnonzero((graph.type[graph.identifier] == kind) & relevant[graph.actor])
    held: Held = {}
    for actor, value in zip(local[graph.actor[edge]].tolist(), graph.identifier[edge].tolist(), strict=True):
        held.setdefault(actor, set()).add(value)
    return held


def _answer(graph: Graph, coarse: Ints, profile: Ints, linking: Flags, of_type: list[IdentifierRule]) -> pd.DataFrame:
    count = graph.actor_count
    by_age = np.argsort(graph.seen, kind="stable")  # codes follow actor_id, so it breaks the ties
    age = np.empty(count, dtype=np.int64)
    age[by_age] = np.arange(count)
    oldest = by_age[smallest(profile, age, count, count - 1)[profile]]
    component = smallest(coarse, np.arange(count), count, count)[coarse]
    strongest = sorted(range(len(of_type)), key=lambda kind: (of_type[kind].priority, graph.types[kind]))
    strength = np.argsort(np.array(strongest, dtype=np.int64))
    used = linking[graph.identifier]
    cause = smallest(graph.actor[used], strength[graph.type[graph.identifier[used]]], count, len(strongest))
    names = np.array([*(graph.types[kind] for kind in strongest), None], dtype=object)
    return pd.DataFrame(
        {
            "actor_id": graph.actor_ids,
            "profile_id": graph.actor_ids.take(oldest).reset_index(drop=True),
            "component_id": graph.actor_ids.take(component).reset_index(drop=True),
            "cause": pd.Series(names[cause], dtype=object),
            "first_seen_at": graph.first_seen_at,
        }
    )
