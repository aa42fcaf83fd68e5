"""Simulated decisions whose truth is known, and policies run through them: ours, mabwiser's, the best fixed arm.

Every world fixes the reward of every arm in every round, so all policies see the same luck.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from mabwiser.mab import MAB, LearningPolicy
from numpy.typing import NDArray

from lakehouse.bandits.state import BanditState, Policy

Array = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Rounds x features, rounds x arms, rounds x arms: contexts, chances of a reward, rewards 0 or 1."""

    contexts: Array
    chances: Array
    rewards: Array

    @property
    def arms(self) -> list[str]:
        return [f"arm-{number}" for number in range(self.chances.shape[1])]

    def regret(self, chosen: Sequence[int]) -> float:
        """Expected rewards the best fixed arm has more than these choices; below 0 where the choices are better."""
        earned = self.chances[np.arange(len(chosen)), np.asarray(chosen)].sum()
        return float(self.chances[: len(chosen)].sum(axis=0).max() - earned)


def plain(rounds: int, arms: int, seed: int) -> World:
    """Arms of fixed chances between 2 and 15 %, whatever the context."""
    random = np.random.default_rng(seed)
    chances = np.tile(random.permutation(np.linspace(0.02, 0.15, arms)), (rounds, 1))
    return World(np.ones((rounds, 1)), chances, (random.random(chances.shape) < chances).astype(np.float64))


def contextual(rounds: int, arms: int, features: int, seed: int) -> World:
    """Chances logistic in the context, another slope for every arm: no fixed arm is best for everybody."""
    random = np.random.default_rng(seed)
    contexts = np.column_stack([np.ones(rounds), random.normal(size=(rounds, features - 1)) / np.sqrt(features - 1)])
    slopes = random.normal(scale=1.5, size=(features, arms))
    slopes[0] = -1.5
    chances = 1 / (1 + np.exp(-contexts @ slopes))
    return World(contexts, chances, (random.random(chances.shape) < chances).astype(np.float64))


def run(world: World, policy: Policy) -> list[int]:
    """Choices of one of our policies that learns after every round."""
    state, arms = BanditState(policy), world.arms
    number = {arm: position for position, arm in enumerate(arms)}
    chosen = []
    for position, context in enumerate(world.contexts):
        choice = number[state.choose(arms, context, decision_id=f"d{position}").arm]
        state.observe(arms[choice], context, float(world.rewards[position, choice]))
        chosen.append(choice)
    return chosen


def run_mabwiser(world: World, learning: object, seed: int) -> list[int]:
    """Choices of one of mabwiser's policies on the same world."""
    arms = list(range(world.chances.shape[1]))
    has_contexts = isinstance(learning, LearningPolicy.LinUCB)
    mab = MAB(arms, learning, seed=seed)
    chosen: list[int] = []
    for position in range(len(world.contexts)):
        context = [world.contexts[position].tolist()] if has_contexts else None
        choice = int(mab.predict(context)) if chosen else position % len(arms)
        learn: Callable[..., None] = mab.partial_fit if chosen else mab.fit
        learn([choice], [int(world.rewards[position, choice])], context)
        chosen.append(choice)
    return chosen
