"""What every policy answers, and how a greedy choice explores by a known share."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """`propensity`: probability with which the policy, as it stood, chooses this arm. `expected`: reward of each, 0..1."""

    arm: str
    propensity: float
    expected: Mapping[str, float]


def explored(
    arms: Sequence[str], likely: ArrayLike, expected: Mapping[str, float], explore: float, luck: float
) -> Choice:
    """Draw by `likely` (probabilities of the arms), mixed with a share `explore` spread evenly: no propensity is 0.

    `luck`: 0..1, evenly distributed. The arm is drawn from the very numbers that are logged, so a propensity is exact
    however `likely` was arrived at.
    """
    mixed = (1 - explore) * np.asarray(likely, dtype=np.float64) + explore / len(arms)
    mixed /= mixed.sum()
    position = min(int(mixed.cumsum().searchsorted(luck, side="right")), len(arms) - 1)
    return Choice(arm=arms[position], propensity=float(mixed[position]), expected=expected)


def preferred(arm: str, expected: Mapping[str, float], explore: float, luck: float) -> Choice:
    """Choose `arm`, one of `expected`, but for a share `explore` spread evenly over all of them. `luck`: as of `explored`."""
    arms = sorted(expected)
    return explored(arms, [name == arm for name in arms], expected, explore, luck)


def luck(decision_id: str, seed: int) -> float:
    """Evenly distributed in 0 <= x < 1, the same for the same decision."""
    digest = hashlib.blake2b(f"{seed}:{decision_id}".encode(errors="surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) * 2.0**-53
