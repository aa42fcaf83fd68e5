"""Likely pairs in the identity graph: a pair is an identifier of type `match` that two actors carry, weighted in bits.

So it is stored, found, logged and taken back like any identifier. How it links is rule 6 of lakehouse/identity/solve.py.

A pair less likely than APART_PROBABILITY is there because it speaks against: two people who live together, such as twins. A record
without a given name is like both of them. It must not be what joins them, and which of the two it is, nothing tells.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from lakehouse.config import IdentifierRule
from lakehouse.identity.graph import Flags, Graph, Ints
from lakehouse.identity.limited_union import Crowded
from lakehouse.identity.linkage import Pair, link
from lakehouse.tables.identity import APART_PROBABILITY
from lakehouse.tables.identity import MATCH as MATCH

# The weakest of all, on purpose far behind whatever is configured; of a pair no more than two actors.
MATCH_RULE = IdentifierRule(priority=2**30, limit=2**31, max_actors=2)

_CLEARLY = 4.0  # times the odds: so much likelier is the one of two people that a record may be told to be of
_PROOF = 4.0  # times the odds: so much surer must be who says that two records told apart are one person
_SUREST = 1 - 2.0**-53


def match_edges(pairs: pd.DataFrame) -> pd.DataFrame:
    """[actor_l, actor_r, weight] -> the two edges of each pair: columns of silver.identity_edges but first_seen_at."""
    token = pairs["actor_l"] + ":" + pairs["actor_r"]
    sides = [
        pd.DataFrame({"actor_id": pairs[side], "identifier_token": token, "weight": pairs["weight"].astype("float64")})
        for side in ("actor_l", "actor_r")
    ]
    return pd.concat(sides, ignore_index=True).assign(identifier_type=MATCH, kind="probabilistic")


def told_apart(edges: pd.DataFrame) -> pd.Series:
    """Per edge, whether it is of a pair that speaks against: columns identifier_type and weight, in bits."""
    bits = np.log2(APART_PROBABILITY / (1 - APART_PROBABILITY))
    result: pd.Series = (edges["identifier_type"] == MATCH) & (edges["weight"] < bits)
    return result


def probabilities(graph: Graph, edges: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Per identifier of the graph: the probability of the pair; 0 for every other type.

    edges: as given to `solve`, with `weight` in bits.
    """
    result = np.zeros(len(graph.type))
    if MATCH in graph.types:
        is_match = graph.type == graph.types.index(MATCH)
        of_pairs = edges[edges["identifier_type"] == MATCH]
        # The greatest, should duplicates differ: the answer is of the set of edges, not of their order.
        weight = of_pairs["weight"].astype("float64").groupby(of_pairs["identifier_token"].astype(str)).max()
        bits = weight.reindex(graph.tokens.iloc[graph.token[is_match]].astype(str)).to_numpy()
        result[is_match] = 1 / (1 + np.exp2(-np.clip(bits, -500, 500)))
    return result


def join_likely(
    graph: Graph,
    profile: Ints,
    probability: npt.NDArray[np.float64],
    pairs: Ints,
    limited: Crowded,
    *,
    least: float,
) -> Ints:
    """The profiles once likely pairs have joined them, by average linkage: labels like `profile`, actor -> label.

    Args:
        graph: the whole of it.
        profile: label of every actor, as far as identifiers have joined them.
        probability: per identifier of the graph.
        pairs: the identifiers of type MATCH that may link, each with two actors.
        limited: where a limit can bite, by component.
        least: mean probability from which two profiles are one.
    """
    left, right = graph.actor[graph.start[pairs]], graph.actor[graph.start[pairs] + 1]
    likely = counted(left, right, probability[pairs])
    labels = np.unique(profile[np.concatenate([left, right])])
    group = _by_age(profile, labels)
    described = np.unique(np.concatenate([left, right]))
    record_counts = np.bincount(group[described], minlength=len(labels))
    roots = link(
        record_counts.tolist(),
        _between(group, left, right, likely),
        limited.held(graph, group),
        limited.limits,
        least=least,
    )
    label_of_group = np.zeros(len(labels), dtype=np.int64)
    is_member = group >= 0
    label_of_group[group[is_member]] = profile[is_member]
    joined = profile.copy()
    joined[is_member] = label_of_group[np.array(roots, dtype=np.int64)[group[is_member]]]
    return joined


def counted(left: Ints, right: Ints, probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """By pair of actors, what it counts for when two profiles are compared: its probability, or less.

    It is -1 where the two are told apart, and 0 where one of them stands between two who are. An actor that is like both more
    surely than they are told apart proves that they are one person, badly written down: then their pair counts for nothing.
    """
    is_apart = probability < APART_PROBABILITY
    if not is_apart.any():
        return probability
    between = _between_two(left, right, probability, is_apart)
    likest = between.groupby("pair")["odds"].max()
    pair = likest.index.to_numpy(dtype=np.int64)
    refuted = pair[likest.to_numpy() * _odds(probability[pair]) > _PROOF]
    contested = between[~between["pair"].isin(refuted)].groupby("actor")["odds"].max()
    level = np.zeros(int(max(left.max(), right.max())) + 1)
    level[contested.index.to_numpy(dtype=np.int64)] = contested.to_numpy()
    is_clear = _odds(probability) >= _CLEARLY * np.maximum(level[left], level[right])
    result = np.where(is_apart, -1.0, np.where(is_clear, probability, 0.0))
    result[refuted] = 0.0
    return result


def _between_two(left: Ints, right: Ints, probability: npt.NDArray[np.float64], is_apart: Flags) -> pd.DataFrame:
    """[pair, actor, odds]: actors that are like both of a pair told apart, and the odds of the one they are less like."""
    likely = np.flatnonzero(~is_apart)
    near = pd.DataFrame(
        {
            "actor": np.concatenate([left[likely], right[likely]]),
            "other": np.concatenate([right[likely], left[likely]]),
            "odds": np.tile(_odds(probability[likely]), 2),
        }
    )
    apart = np.flatnonzero(is_apart)
    pairs = pd.DataFrame({"pair": apart, "one": left[apart], "two": right[apart]})
    by_one = pairs.merge(near.rename(columns={"other": "one"}), on="one")
    both = by_one.merge(near.rename(columns={"other": "two"}), on=["actor", "two"], suffixes=("", "_of_two"))
    return both.assign(odds=both[["odds", "odds_of_two"]].min(axis=1))[["pair", "actor", "odds"]]


def _odds(probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    likely = np.minimum(probability, _SUREST)
    result: npt.NDArray[np.float64] = likely / (1 - likely)
    return result


def _between(group: Ints, left: Ints, right: Ints, probability: npt.NDArray[np.float64]) -> list[Pair]:
    """Pairs of actors -> pairs of different groups, with the sum of the probabilities."""
    one, other = np.minimum(group[left], group[right]), np.maximum(group[left], group[right])
    between = np.flatnonzero(one != other)
    # In one order whatever the edges came in: a sum of floats depends on it.
    between = between[np.lexsort((right[between], left[between], other[between], one[between]))]
    fresh = np.flatnonzero((np.diff(one[between], prepend=-1) != 0) | (np.diff(other[between], prepend=-1) != 0))
    sums = np.add.reduceat(probability[between], fresh) if len(fresh) else np.zeros(0)
    first = between[fresh]
    return list(zip(one[first].tolist(), other[first].tolist(), sums.tolist(), strict=True))


def _by_age(profile: Ints, labels: Ints) -> Ints:
    """Actor -> number of its profile among `labels`, the one with the oldest actor first; -1 for the other profiles."""
    place = np.full(int(profile.max(initial=-1)) + 1, -1)
    place[labels] = np.arange(len(labels))
    group = place[profile]
    _, first = np.unique(group[group >= 0], return_index=True)
    number = np.empty(len(labels), dtype=np.int64)
    number[np.argsort(first)] = np.arange(len(labels))
    return np.where(group >= 0, number[group], -1)
