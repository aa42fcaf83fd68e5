"""What the identity tests share: graphs written in one line per actor, random ones, a slow solver."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial

import pandas as pd
from hypothesis import Phase, settings
from hypothesis import strategies as st

from lakehouse.config import IdentifierRule
from lakehouse.identity.solve import solve

START = datetime(2026, 1, 1)
FOREVER = IdentifierRule(priority=9, limit=10**6, max_actors=10**6)
RULES = {
    "user_id": IdentifierRule(priority=1, limit=1, max_actors=6, keeps_oldest=True),
    "email": IdentifierRule(priority=2, limit=2, max_actors=3, keeps_oldest=True),
    "device_id": IdentifierRule(priority=3, limit=3, max_actors=4),
    "anonymous_id": IdentifierRule(priority=4, limit=2, max_actors=3),
}
PHASES = (Phase.generate,)
RULES_OFF = dict.fromkeys([*RULES, "fingerprint"], FOREVER)

Graph = Mapping[str, tuple[int, str]]
"""actor_id -> (minute it was first seen, its identifiers as "type:token type:token")."""


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def edges_of(graph: Graph) -> pd.DataFrame:
    rows = [(actor, *word.split(":")) for actor, (_, words) in graph.items() for word in words.split()]
    return pd.DataFrame(rows, columns=["actor_id", "identifier_type", "identifier_token"], dtype="str")


def actors_of(graph: Graph) -> pd.DataFrame:
    seen = pd.Series([at(minute) for minute, _ in graph.values()], dtype="datetime64[us]")
    return pd.DataFrame({"actor_id": pd.Series(list(graph), dtype="str"), "first_seen_at": seen})


def solved(graph: Graph, rules: Mapping[str, IdentifierRule] = RULES) -> pd.DataFrame:
    return solve(edges_of(graph), actors_of(graph), rules).set_index("actor_id")


def profiles(graph: Graph, rules: Mapping[str, IdentifierRule] = RULES) -> dict[str, str]:
    return solved(graph, rules)["profile_id"].to_dict()


def values_of(words: str, kind: str) -> set[str]:
    return {word for word in words.split() if word.startswith(f"{kind}:")}


def may_link(word: str, graph: Graph, rules: Mapping[str, IdentifierRule]) -> set[str]:
    """The actors that an identifier may link, by rule 2 of lakehouse/identity/solve.py word for word."""
    rule = rules.get(word.split(":")[0])
    carriers = sorted((seen, actor) for actor, (seen, words) in graph.items() if word in words.split())
    if rule is None or (len(carriers) > rule.max_actors and not rule.keeps_oldest):
        return set()
    oldest = {actor for _, actor in carriers[: rule.max_actors]}
    together = " ".join(graph[actor][1] for actor in oldest)
    are_many = any(len(values_of(together, kind)) > one.limit for kind, one in rules.items() if one.keeps_oldest)
    return set() if len(carriers) > rule.max_actors and are_many else oldest


def slow_solve(graph: Graph, rules: Mapping[str, IdentifierRule]) -> tuple[dict[str, str], set[str]]:
    """The rule of lakehouse/identity/solve.py word for word: actor -> profile, and the identifiers that link."""
    carriers: dict[str, set[str]] = {}
    for actor, (_, words) in graph.items():
        for word in words.split():
            carriers.setdefault(word, set()).add(actor)

    def turn(word: str, among: Collection[str] = graph) -> tuple[int, int, str, str]:
        kind, token = word.split(":")
        return rules[kind].priority, min(graph[actor][0] for actor in carriers[word] if actor in among), kind, token

    def held(profile: frozenset[str], kind: str) -> set[str]:
        return values_of(" ".join(graph[actor][1] for actor in profile), kind)

    linked = {word: may_link(word, graph, rules) for word in carriers}
    component = {actor: {actor} for actor in graph}
    for together in linked.values():
        whole_one = set().union(*(component[actor] for actor in together))
        component |= dict.fromkeys(whole_one, whole_one)
    profiles = [frozenset([actor]) for actor in graph]
    beyond: dict[frozenset[str], set[str]] = {profile: set() for profile in profiles}
    links: set[str] = set()
    turned: set[str] = set()
    for word in sorted((w for w in carriers if w.split(":")[0] in rules), key=turn):
        own = word.split(":")[0]
        if len(linked[word]) < 2:
            continue
        at_turn = [kind for kind, rule in rules.items() if rule.priority <= rules[own].priority]
        for kind in at_turn:
            if kind not in turned and rules[kind].limit > 1:
                for profile in profiles:
                    age = partial(turn, among=component[next(iter(profile))])
                    beyond[profile] |= set(sorted(held(profile, kind), key=age)[rules[kind].limit :])
            turned.add(kind)
        near = [profile for profile in profiles if profile & linked[word] and word not in beyond[profile]]
        if any(len(held(frozenset().union(*near), kind)) > 1 for kind, rule in rules.items() if rule.limit == 1):
            continue
        near.sort(key=lambda profile: min((graph[actor][0], actor) for actor in profile & linked[word]))
        for profile in near[1:]:
            top = next(one for one in profiles if near[0] <= one)
            both = {kind: held(top, kind) - beyond[top] | held(profile, kind) - beyond[profile] for kind in at_turn}
            if all(len(values) <= rules[kind].limit for kind, values in both.items()):
                profiles = [one for one in profiles if one not in (top, profile)] + [top | profile]
                beyond[top | profile] = beyond[top] | beyond[profile]
                links.add(word)
    oldest = {profile: min(profile, key=lambda actor: (graph[actor][0], actor)) for profile in profiles}
    return {actor: name for profile, name in oldest.items() for actor in profile}, links


_NAMES = ["kay", "ann", "zoe", "bob", "lea", "cid", "max", "dot", "ian", "eve", "tom", "fay", "ned", "gus"]
_POOLS = {"user_id": 4, "email": 5, "device_id": 4, "anonymous_id": 6, "fingerprint": 2}


@st.composite
def communities(draw: st.DrawFn) -> dict[str, tuple[int, str]]:
    """Up to 14 actors that share few values: logins, shared devices, wrong e-mails, values over every cap."""
    names = _NAMES[: draw(st.integers(1, len(_NAMES)))]
    kinds = draw(st.lists(st.sampled_from(sorted(_POOLS)), min_size=1, max_size=4, unique=True))

    def bundle() -> str:
        words = [f"{kind}:{draw(st.integers(0, _POOLS[kind]))}" for kind in kinds]
        return " ".join(word for word in words if not word.endswith(":0"))  # 0 = does not carry the type

    return {name: (draw(st.integers(0, 5)), bundle()) for name in names}


def apart(number: int, graph: Graph) -> dict[str, tuple[int, str]]:
    """The graph under names and values of its own."""
    return {
        f"{name}{number}": (minute, " ".join(f"{word}.{number}" for word in words.split()))
        for name, (minute, words) in graph.items()
    }


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[int, str]]:
    """A dozen communities that share nothing: one frame costs little more, and tries as much as a dozen."""
    drawn = draw(st.lists(communities(), min_size=8, max_size=16))
    return {name: actor for number, graph in enumerate(drawn) for name, actor in apart(number, graph).items()}


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, tuple[int, str]]]:
    """A graph cut into one to four batches, in random order; many actors come again, seen earlier or later."""
    graph = draw(graphs())
    chance = draw(st.randoms(use_true_random=False))
    again = [(name, (chance.randint(0, 9), words)) for name, (_, words) in graph.items() if chance.random() < 0.5]
    batches: list[list[tuple[str, tuple[int, str]]]] = [[] for _ in range(draw(st.integers(1, 4)))]
    for arrival in chance.sample([*graph.items(), *again], len(graph) + len(again)):
        chance.choice(batches).append(arrival)
    return [earliest(batch) for batch in batches]


def earliest(arrivals: list[tuple[str, tuple[int, str]]]) -> dict[str, tuple[int, str]]:
    """Every actor once, as early as it was ever seen."""
    found: dict[str, tuple[int, str]] = {}
    for name, (minute, words) in arrivals:
        found[name] = (min(minute, found.get(name, (minute, words))[0]), words)
    return found


def whole(stream: list[dict[str, tuple[int, str]]]) -> dict[str, tuple[int, str]]:
    return earliest([item for batch in stream for item in batch.items()])


def examples(count: int) -> settings:
    return settings(max_examples=count, derandomize=True, deadline=None, database=None, phases=PHASES)
