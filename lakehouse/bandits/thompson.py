"""Thompson sampling: an arm is chosen as often as it is likely to be the best, worth taken into account.

Source: Chapelle and Li, An Empirical Evaluation of Thompson Sampling, NeurIPS 2011. Rewards in 0..1 with a Beta
posterior; state is sums, so that outcomes may come late and in any order.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lakehouse.bandits.best import chances_of_best
from lakehouse.bandits.choice import Choice, Odds, drawn, luck, odds_of

PRIOR_SUCCESSES, PRIOR_FAILURES = 1.0, 19.0  # one in twenty, worth twenty observations: what an offer usually achieves


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes of one arm: how many, and the sum of their rewards."""

    count: float = 0.0
    reward: float = 0.0

    def observed(self, reward: float) -> "Tally":
        """Raises ValueError where the reward is not within 0..1."""
        if not 0.0 <= reward <= 1.0:
            raise ValueError(f"reward: got {reward}, expected 0 to 1")
        return Tally(self.count + 1, self.reward + reward)


def choose(
    tallies: Mapping[str, Tally],
    worths: Mapping[str, float],
    *,
    explore: float,
    decision_id: str,
    seed: int,
    prior: tuple[float, float] = (PRIOR_SUCCESSES, PRIOR_FAILURES),
) -> Choice:
    """Choose among the arms of `worths` (what a reward of 1 is worth). `prior`: successes and failures, 1 or more of each."""
    arms, none = sorted(worths), Tally()
    held = [tallies.get(arm, none) for arm in arms]
    alpha = tuple(prior[0] + tally.reward for tally in held)
    beta = tuple(prior[1] + max(0.0, tally.count - tally.reward) for tally in held)
    expected = {arm: a / (a + b) for arm, a, b in zip(arms, alpha, beta, strict=True)}
    likely = _odds(alpha, beta, tuple(worths[arm] for arm in arms), explore)
    return drawn(arms, likely, expected, luck(decision_id, seed))


@functools.lru_cache(maxsize=1024)
def _odds(alpha: tuple[float, ...], beta: tuple[float, ...], worths: tuple[float, ...], explore: float) -> Odds:
    """The same for every visitor until outcomes come in, and the dearest part of a decision."""
    return odds_of(chances_of_best(*(np.array(one, dtype=np.float64) for one in (alpha, beta, worths))), explore)
