"""Identifiers that more actors carry than `max_actors` of their type: whom they still link. Rule 2 of lakehouse/identity/solve.py.

A hub is a thing that many use, such as a kiosk, or it is one person's: a customer whose every click in a letter comes with a new
cookie. Its type says which (`keeps_oldest`). What is a person's goes on linking the oldest actors, as many as the cap, so who comes
late takes nobody apart; and who comes earlier than those takes the place of the youngest of them, whoever arrives first.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from lakehouse.config import IdentifierRule
from lakehouse.events.identifier import Identifier
from lakehouse.identity.graph import Graph, Ints, build
from lakehouse.identity.matches import MATCH, MATCH_RULE

Rules = Mapping[str, IdentifierRule]
Hubs = Mapping[Identifier, str | None]
"""Hub -> the youngest actor it links, and with it all that are older; None where it links nobody."""

_NO_RULE = IdentifierRule(priority=2**31, limit=2**31, max_actors=0)


def rule_of(name: str, rules: Rules) -> IdentifierRule:
    """The rule of a type; without one it links nobody."""
    return MATCH_RULE if name == MATCH else rules.get(name, _NO_RULE)


def are_many_people(types: Iterable[str], rules: Rules) -> bool:
    """Whether a hub's oldest actors are people who were all given one address, such as that of the shop.

    types: of the distinct identifiers that they carry, the hub itself among them.
    """
    counted = Counter(types)
    return any(counted[name] > rule.limit for name, rule in rules.items() if rule.keeps_oldest)


def over_cap(edges: pd.DataFrame, actors: pd.DataFrame, rules: Rules) -> Hubs:
    """The hubs of a graph. edges, actors: as `solve` takes them, and all there are."""
    graph = build(edges, actors)
    span = spans(graph, rules)
    hubs: dict[Identifier, str | None] = {}
    for code in np.flatnonzero(graph.degree > _caps(graph, rules)).tolist():
        youngest = graph.actor_ids[graph.actor[graph.start[code] + span[code] - 1]] if span[code] else None
        hubs[graph.name(code)] = youngest
    return hubs


def spans(graph: Graph, rules: Rules, hubs: Hubs | None = None) -> Ints:
    """Per identifier of the graph: how many of its oldest actors it links; 0 and 1 are nobody.

    hubs: those that the graph alone does not show, because only some of their actors are in it.
    """
    cap = _caps(graph, rules)
    span = np.where(graph.degree <= cap, graph.degree, 0)
    keeps = np.array([rule_of(name, rules).keeps_oldest for name in graph.types], dtype=bool)
    told = graph.named(hubs or {})
    kept = np.flatnonzero((graph.degree > cap) & (cap > 1) & keeps[graph.type] & ~told)
    if len(kept):
        by_actor = np.argsort(graph.actor, kind="stable")
        first = np.searchsorted(graph.actor[by_actor], np.arange(graph.actor_count + 1))
    for code in kept.tolist():
        oldest = graph.actor[graph.start[code] : graph.start[code] + cap[code]]
        edges = np.concatenate([by_actor[first[actor] : first[actor + 1]] for actor in oldest.tolist()])
        carried = graph.type[np.unique(graph.identifier[edges])]
        span[code] = 0 if are_many_people((graph.types[kind] for kind in carried.tolist()), rules) else cap[code]
    if hubs and told.any():
        _take_over(graph, span, hubs, np.flatnonzero(told))
    return span


def _caps(graph: Graph, rules: Rules) -> Ints:
    return np.array([rule_of(name, rules).max_actors for name in graph.types], dtype=np.int64)[graph.type]


def _take_over(graph: Graph, span: Ints, hubs: Hubs, told: Ints) -> None:
    """Set the spans of the hubs told. Where the youngest that one links is not in the graph, none of those it links is."""
    code_of = {actor: code for code, actor in enumerate(graph.actor_ids)} if any(hubs.values()) else {}
    for code in told.tolist():
        youngest = code_of.get(hubs[graph.name(code)] or "")
        carriers = graph.actor[graph.start[code] : graph.start[code + 1]]
        span[code] = 0 if youngest is None else np.searchsorted(carriers, youngest, side="right")
