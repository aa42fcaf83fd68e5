"""What every policy answers, and how a greedy choice explores by a known share."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Choice(NamedTuple):
    """`propensity`: probability with which the policy, as it stood, chooses this arm. `expected`: reward of each, 0..1."""

    arm: str
    propensity: float
    expected: Mapping[str, float]


class Odds(NamedTuple):
    """Of arms in their order: the probability of each, none of them 0; and `edges`, the sums up to each, the last one 1."""

    chances: tuple[float, ...]
    edges: tuple[float, ...]


def odds_of(likely: ArrayLike, explore: float) -> Odds:
    """`likely` (probabilities of the arms), mixed with a share `explore` spread evenly."""
    chances = np.asarray(likely, dtype=np.float64)
    mixed = (1 - explore) * chances + explore / len(chances)
    mixed /= mixed.sum()
    return Odds(tuple(mixed.tolist()), tuple(mixed.cumsum().tolist()))


def drawn(arms: Sequence[str], odds: Odds, expected: Mapping[str, float], luck: float) -> Choice:
    """Draw one of the arms.

    `luck`: 0..1, evenly distributed. The arm is drawn from the very numbers that are logged, so a propensity is exact
    however they were arrived at.
    """
    position = min(bisect_right(odds.edges, luck), len(arms) - 1)
    return Choice(arm=arms[position], propensity=odds.chances[position], expected=expected)


def preferred(arm: str, expected: Mapping[str, float], explore: float, luck: float) -> Choice:
    """Choose `arm`, one of `expected`, but for a share `explore` spread evenly over all of them. `luck`: as of `drawn`."""
    arms = sorted(expected)
    return drawn(arms, odds_of([name == arm for name in arms], explore), expected, luck)


def luck(decision_id: str, seed: int) -> float:
    """Evenly distributed in 0 <= x < 1, the same for the same decision."""
    digest = hashlib.blake2b(f"{seed}:{decision_id}".encode(errors="surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) * 2.0**-53
