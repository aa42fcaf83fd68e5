"""A policy on the log of another: what it would have earned, had it chosen.

Li, Chu, Langford, Wang, Unbiased Offline Evaluation of Contextual-bandit-based News Article Recommendation Algorithms,
WSDM 2011, algorithm 2: a logged round counts, and is learned from, where the policy chooses the logged arm. That asks for a
log of even choices; of any other, a round is kept with probability least propensity / its propensity first, which makes it one.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lakehouse.bandits.choice import luck
from lakehouse.bandits.state import BanditState
from lakehouse.errors import ModelError

FEWEST = 30  # matched rounds below which a mean says nothing
_KEEP = "keep:"  # what is kept must not hang together with what is chosen


@dataclass(frozen=True, kw_only=True)
class Logged:
    """One decision and what came of it. `propensity`: with which `arm` was chosen out of `arms`; `reward`: 0..1."""

    decision_id: str
    arms: Sequence[str]
    context: Sequence[float]
    arm: str
    propensity: float
    reward: float
    at_ms: int = 0


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """`mean`: reward per matched round, with its standard error; null where fewer than FEWEST matched. `state`: learned."""

    rounds: int
    kept: int
    matched: int
    mean: float | None
    standard_error: float | None
    state: BanditState


def replay(log: Iterable[Logged], state: BanditState) -> Replayed:
    """Run `state` through the log in its order; it learns from the matched rounds.

    Raises:
        ModelError: a propensity that is none.
    """
    rows = list(log)
    least: float = min((row.propensity for row in rows), default=1.0)
    if not 0 < least <= max((row.propensity for row in rows), default=1.0) <= 1:
        raise ModelError(f"replay: got a propensity of {least}, expected numbers above 0 and up to 1. Mend the log")
    kept, rewards = 0, []
    for row in rows:
        if luck(_KEEP + row.decision_id, state.policy.seed) >= least / row.propensity:
            continue
        kept += 1
        choice = state.choose(row.arms, row.context, decision_id=row.decision_id, now_ms=row.at_ms)
        if choice.arm == row.arm:
            rewards.append(row.reward)
            state.observe(row.arm, row.context, row.reward, at_ms=row.at_ms)
    matched = len(rewards)
    mean, error = _mean(rewards) if matched >= FEWEST else (None, None)
    return Replayed(rounds=len(rows), kept=kept, matched=matched, mean=mean, standard_error=error, state=state)


def _mean(rewards: Sequence[float]) -> tuple[float, float]:
    mean = sum(rewards) / len(rewards)
    variance = sum((one - mean) ** 2 for one in rewards) / (len(rewards) - 1)
    return mean, math.sqrt(variance / len(rewards))
