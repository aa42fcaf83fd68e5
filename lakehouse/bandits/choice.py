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
    arms: Sequence[str],
    likely: ArrayLike,
    expected: Mapping[str, float],
    explore: float,
    rng: np.random.Generator,
) -> Choice:
    """Draw by `likely` (probabilities of the arms), mixed with a share `explore` spread evenly: no propensity is 0."""
    mixed = (1 - explore) * np.asarray(likely) + explore / len(arms)
    position = int(rng.choice(len(arms), p=mixed / mixed.sum()))
    return Choice(arm=arms[position], propensity=float(mixed[position] / mixed.sum()), expected=expected)


def generator(decision_id: str, seed: int) -> np.random.Generator:
    """Randomness that is the same for the same decision."""
    digest = hashlib.blake2b(f"{seed}:{decision_id}".encode(), digest_size=8).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
