"""Thompson sampling: an arm is chosen as often as it is likely to be the best, worth taken into account.

Source: Chapelle and Li, An Empirical Evaluation of Thompson Sampling, NeurIPS 2011. Rewards in 0..1 with a Beta
posterior; state is sums, so that outcomes may come late and in any order, and states of several processes add up.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lakehouse.bandits.choice import Choice, explored, generator

PRIOR_SUCCESSES, PRIOR_FAILURES = 1.0, 19.0  # one in twenty, worth twenty observations: what an offer usually achieves
DRAWS = 64  # joint draws of a choice: what is left to chance is whose turn it is, not how often


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes of one arm: how many, and the sum of their rewards. Tallies add up."""

    count: float = 0.0
    reward: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.count + other.count, self.reward + other.reward)

    def observed(self, reward: float) -> "Tally":
        """Raises ValueError where the reward is not within 0..1."""
        if not 0.0 <= reward <= 1.0:
            raise ValueError(f"reward: got {reward}, expected 0 to 1")
        return Tally(self.count + 1.0, self.reward + reward)


def choose(
    tallies: Mapping[str, Tally], worths: Mapping[str, float], *, explore: float, decision_id: str, seed: int
) -> Choice:
    """Choose among the arms of `worths` (what a reward of 1 is worth). Propensities come from DRAWS joint draws.

    The arm is drawn from these very frequencies, so the propensity is exact and not an estimate.
    """
    arms = sorted(worths)
    counts = np.array([tallies.get(arm, Tally()).count for arm in arms])
    rewards = np.array([tallies.get(arm, Tally()).reward for arm in arms])
    alpha, beta = PRIOR_SUCCESSES + rewards, PRIOR_FAILURES + counts - rewards
    rng = generator(decision_id, seed)
    drawn = rng.beta(alpha, beta, size=(DRAWS, len(arms))) * np.array([worths[arm] for arm in arms])
    likely = np.bincount(drawn.argmax(axis=1), minlength=len(arms)) / DRAWS
    expected = dict(zip(arms, (alpha / (alpha + beta)).tolist(), strict=True))
    return explored(arms, likely, expected, explore, rng)
