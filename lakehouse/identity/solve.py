"""Which profile every actor belongs to: a pure function of the SET of edges, so never of arrival order.

The rule, exactly:

1. An identifier *links* the actors that carry it, and more than one profile grows from nothing else.
2. It links nobody if its type has no rule. If more than `max_actors` distinct actors carry it, it is a *hub*, and links nobody
   (a kiosk), unless its type `keeps_oldest`: then it links the `max_actors` oldest of them, by (first_seen_at, actor_id), and
   nobody who is younger. But if those carry, of any type that `keeps_oldest`, more values than its limit, they are many people
   who were given one address (a call centre's), and it links nobody. Who is connected so, no further rule applied, is one
   *component*. Where rule 4 speaks of the actors of an identifier, those it may link are meant.
3. In a component of more than `max_component_actors` actors whole types stop linking, the weakest (by priority, then name)
   first, one at a time, until no part of it that is still connected is larger, or one type is left. So no swarm of bots
   can glue a city together; the stronger types still hold.
4. The others are taken one by one: by `priority` of their type, then by the earliest `first_seen_at` among their actors,
   then type, then token. At its turn an identifier joins the profiles-so-far of all its actors, as far as limits allow:
   a. A limit of 1 tells people apart. If all of them together would hold two values of such a type, the identifier links
      nobody at all: a device with two logins leaves both alone, and the anonymous actors on it too. An actor that holds two
      by itself stays alone.
   b. A larger limit stops adding, and never takes apart what a stronger identifier holds together: it binds identifiers of
      its own type and of weaker ones. Profiles are joined in the order of their oldest actors that carry the identifier; one
      by which more than `limit` values would come together is left out.
   c. When it is the turn of a type of which a profile has more than `limit` values by then, all but its oldest (by the
      earliest first_seen_at among their actors in its component, whether or not they link these, then token) link nobody to
      it. A customer's hundred and first cookie is the customer's, and brings nobody else in.
   All actors are known, so it does not matter who came first.
5. A profile *holds* every value on any edge of any of its actors: the identifier's own value, and values that link nobody
   (2, 3, 4), count like any other. So no profile of two or more actors ever holds two user_ids. Types without a rule have no
   limit.
6. Then likely pairs (type `match`, lakehouse/identity/matches.py) join profiles by average linkage: the two whose records
   agree with the highest mean probability first, while that is at least `match_probability` and no limit is broken. A
   pair never breaks up what an identifier joined, and never breaks a limit. A pair that was told apart (two people who live
   together) counts against, and a pair of an actor that stands between two such people counts for nothing.
7. A profile, and a component, is named after its oldest actor, by (first_seen_at, actor_id): on a merge the older id
   survives, and whoever joins later changes nobody's name.

Two layers: components (2), and inside them the rest. No identifier that links crosses a component, so the components a
micro-batch touches may be solved alone. Most components break no limit even when joined whole: those are found by counting. The
rest go through lakehouse/identity/limited_union.py. Why limits may not be checked on arrival: 200 of 200 shuffled streams came out differently
(research/identity-resolution.md 3.2).
"""

import logging
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from lakehouse.config import IdentifierRule
from lakehouse.identity.graph import Flags, Graph, Ints, build, components, smallest, within
from lakehouse.identity.hubs import Hubs, rule_of, spans
from lakehouse.identity.limited_union import Link, Values, crowded, unite
from lakehouse.identity.matches import MATCH, join_likely, probabilities
from lakehouse.tables.identity import APART_PROBABILITY

log = logging.getLogger("stitchlake.identity")

MAX_COMPONENT_ACTORS = 50_000  # a real person's component has dozens; above this it is a swarm, and slow to solve again


def solve(
    edges: pd.DataFrame,
    actors: pd.DataFrame,
    rules: Mapping[str, IdentifierRule],
    *,
    hubs: Hubs | None = None,
    max_component_actors: int = MAX_COMPONENT_ACTORS,
    match_probability: float = 1.0,
) -> pd.DataFrame:
    """Solve the whole graph given, by the rule above.

    Args:
        edges: [actor_id, identifier_type, identifier_token], and weight in bits if there are likely pairs; any order,
            duplicates allowed.
        actors: [actor_id, first_seen_at], every actor of `edges` and those without any; the earliest of duplicates counts.
        rules: by identifier type.
        hubs: what the edges given do not show: the identifiers over `max_actors` of which only some actors are given. Those
            it links are all given, or none of them. Needless where the edges are all there are.
        max_component_actors: see 3.
        match_probability: see 6.

    Returns:
        [actor_id, profile_id, component_id, cause, first_seen_at], one row per actor, by actor_id. cause: strongest type
        (by priority, then name) of an identifier that links the actor to another one of its profile; null for the actor
        that names the profile.

    Raises:
        ContractError: a null, a first_seen_at that is not a timestamp, or an edge of an unknown actor.
    """
    graph = build(edges, actors)
    of_type = [rule_of(name, rules) for name in graph.types]
    span = spans(graph, rules, hubs)
    coarse = components(graph, span)
    connected, span = _without_swarms(graph, coarse, span, of_type, max_component_actors)
    is_match = graph.type == graph.types.index(MATCH) if MATCH in graph.types else np.zeros(len(span), dtype=bool)
    carried = np.where(is_match, 0, span)
    label = components(graph, carried) if is_match.any() else connected
    count = graph.actor_count
    profile = smallest(label, np.arange(count), count, count)[label]
    names_link, partial = _resolve_contested(graph, label, carried, of_type, profile)
    pairs = np.flatnonzero((span > 1) & is_match)
    if len(pairs):
        limited = crowded(graph, connected, _limits(of_type))
        probability = probabilities(graph, edges)
        profile = join_likely(graph, profile, probability, pairs, limited, least=match_probability)
        first = graph.start[pairs]
        is_one = profile[graph.actor[first]] == profile[graph.actor[first + 1]]
        names_link[pairs] = is_one & (probability[pairs] >= APART_PROBABILITY)
    used = names_link[graph.identifier] & within(graph, span) & ~_left_out(graph, profile, partial, span)
    return _answer(graph, coarse, profile, used, of_type)


def _without_swarms(
    graph: Graph, coarse: Ints, span: Ints, of_type: list[IdentifierRule], most: int
) -> tuple[Ints, Ints]:
    """The connected parts of every component, and the spans, once weak types have stopped linking where it is too large (3)."""
    label, count = coarse, int(coarse.max(initial=-1)) + 1
    order = sorted(range(len(of_type)), key=lambda kind: (of_type[kind].priority, graph.types[kind]))
    rank = np.argsort(np.array(order, dtype=np.int64))[graph.type]
    while (sizes := np.bincount(label, minlength=1)).max() > most:
        is_large = np.zeros(count, dtype=bool)
        is_large[coarse[sizes[label] > most]] = True
        identifiers = np.flatnonzero(span > 1)
        component = coarse[graph.actor[graph.start[identifiers]]]
        weakest, strongest = np.full(count, -1), np.full(count, len(order))
        np.maximum.at(weakest, component, rank[identifiers])
        np.minimum.at(strongest, component, rank[identifiers])
        is_large &= weakest > strongest
        if not is_large.any():
            break
        stops = identifiers[is_large[component] & (rank[identifiers] == weakest[component])]
        span = span.copy()
        span[stops] = 0
        label = components(graph, span)
        stopped = sorted({graph.types[kind] for kind in graph.type[stops].tolist()})
        log.warning(
            "%d components of more than %d actors: %s links nobody in them, %d identifiers",
            is_large.sum(), most, ", ".join(stopped), len(stops),
        )  # fmt: skip
    return label, span


def _resolve_contested(
    graph: Graph, label: Ints, span: Ints, of_type: list[IdentifierRule], profile: Ints
) -> tuple[Flags, Ints]:
    """Set `profile` where a limit can bite; return which identifiers really link, and which of them only some of their actors."""
    limited = crowded(graph, label, _limits(of_type))
    really: Flags = span > 1
    contested: Flags = limited.is_crowded[label]
    if not contested.any():
        return really, np.zeros(0, dtype=np.int64)
    codes = np.flatnonzero(contested)
    local = np.cumsum(contested) - 1
    chosen = _in_order(graph, np.flatnonzero(really & contested[graph.actor[graph.start[:-1]]]), of_type)
    united = unite(
        len(codes),
        _links(graph, chosen, span, local, of_type),
        limited.held(graph, local),
        limited.limits,
        _values(graph, label, contested, of_type),
    )
    profile[codes] = codes[np.array(united.profile, dtype=np.int64)]
    really[chosen[united.refused]] = False
    return really, chosen[united.partial]


def _links(graph: Graph, chosen: Ints, span: Ints, local: Ints, of_type: list[IdentifierRule]) -> Iterator[Link]:
    """The identifiers as `unite` takes them, with the actors they may link in order of age."""
    actors = local[graph.actor].tolist()
    starts, ends = graph.start[chosen].tolist(), (graph.start[chosen] + span[chosen]).tolist()
    for code, start, end in zip(chosen.tolist(), starts, ends, strict=True):
        yield Link(identifier=code, priority=of_type[int(graph.type[code])].priority, actors=actors[start:end])


def _values(graph: Graph, label: Ints, contested: Flags, of_type: list[IdentifierRule]) -> Values:
    """The identifiers that contested components meet. How old one is in a component, its actors there say: a hub's others are elsewhere."""
    edges = np.flatnonzero(contested[graph.actor])
    components = int(label.max(initial=-1)) + 1
    met, first = np.unique(
        graph.identifier[edges] * components + label[graph.actor[edges]], return_index=True
    )  # the oldest first
    identifiers = met // components
    order = _by_age(graph, identifiers, graph.seen[graph.actor[edges[first]]], of_type)
    keys = zip((met % components)[order].tolist(), identifiers[order].tolist(), strict=True)
    priority = np.array([rule.priority for rule in of_type], dtype=np.int64)[graph.type]
    return Values(
        priority=priority.tolist(),
        place={key: place for place, key in enumerate(keys)},
        component=label[contested].tolist(),
    )


def _limits(of_type: list[IdentifierRule]) -> Ints:
    return np.array([rule.limit for rule in of_type], dtype=np.int64)


def _in_order(graph: Graph, identifiers: Ints, of_type: list[IdentifierRule]) -> Ints:
    """By priority, earliest first_seen_at among the actors, type, token."""
    return identifiers[_by_age(graph, identifiers, graph.seen[graph.actor[graph.start[identifiers]]], of_type)]


def _by_age(graph: Graph, identifiers: Ints, age: Ints, of_type: list[IdentifierRule]) -> Ints:
    """Places in the order of priority, age, type, token."""
    kind = graph.type[identifiers]
    priority = np.array([rule.priority for rule in of_type], dtype=np.int64)[kind]
    name = np.argsort(np.argsort(graph.types))[kind]
    token = graph.tokens.iloc[graph.token[identifiers]].rank(method="dense").to_numpy()
    return np.lexsort((token, name, age, priority))


def _left_out(graph: Graph, profile: Ints, partial: Ints, span: Ints) -> Flags:
    """Per edge: whether its identifier, one of those that join some of their actors, joins this one to nobody."""
    left_out = np.zeros(len(graph.actor), dtype=bool)
    edges = np.flatnonzero(np.isin(graph.identifier, partial) & within(graph, span))
    place, count = np.unique(
        np.stack([graph.identifier[edges], profile[graph.actor[edges]]]),
        axis=1,
        return_inverse=True,
        return_counts=True,
    )[1:]
    left_out[edges] = count[place.reshape(-1)] == 1
    return left_out


def _answer(graph: Graph, coarse: Ints, profile: Ints, used: Flags, of_type: list[IdentifierRule]) -> pd.DataFrame:
    """used: per edge, whether it holds its actor in its profile."""
    count = graph.actor_count
    oldest = smallest(profile, np.arange(count), count, count)[profile]
    component = smallest(coarse, np.arange(count), count, count)[coarse]
    strongest = sorted(range(len(of_type)), key=lambda kind: (of_type[kind].priority, graph.types[kind]))
    strength = np.argsort(np.array(strongest, dtype=np.int64))
    cause = smallest(graph.actor[used], strength[graph.type[graph.identifier[used]]], count, len(strongest))
    cause[oldest] = len(strongest)  # so that a profile of one that grows changes no row but the newcomer's
    names = np.array([*(graph.types[kind] for kind in strongest), None], dtype=object)
    ids, by_id = graph.actor_ids.array, graph.by_id
    return pd.DataFrame(
        {
            "actor_id": ids.take(by_id),
            "profile_id": ids.take(oldest[by_id]),
            "component_id": ids.take(component[by_id]),
            "cause": pd.Series(names[cause[by_id]], dtype=object),
            "first_seen_at": graph.first_seen_at.array.take(by_id),
        }
    )
