"""Simulated decisions whose truth is known, and policies run through them: ours, mabwiser's, the best fixed arm.

Every world fixes the reward of every arm in every round, so all policies see the same luck. A delayed world also fixes when a
reward is told, how often, and what else is told that is none.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from mabwiser.mab import MAB, LearningPolicy
from numpy.typing import NDArray

from lakehouse.bandits.learned import Learned
from lakehouse.bandits.state import BanditState, Policy
from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.learning.exposure import GRACE_MS, exposed
from lakehouse.learning.learned_store import SETTLE_MS, LearnedStore
from lakehouse.learning.reward import Outcome, Reward
from lakehouse.online.store import MOST, OnlineStore

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


@dataclass(frozen=True)
class Delayed:
    """A world whose rewards are told later, if ever. A round is a minute.

    delays: rounds x arms, rounds until a reward is told; mean by arm from `window` / 20 to `window` / 2. After `window` it is none.
    copies: rounds x arms, how often it is told. noise: rounds x arms, whether an unsubscribe is told of what has no reward.
    """

    world: World
    window: int
    delays: NDArray[np.int64]
    copies: NDArray[np.int64]
    noise: NDArray[np.bool_]

    @property
    def rewards(self) -> Array:
        """Those that are told within the window."""
        return self.world.rewards * (self.delays <= self.window)

    def regret(self, chosen: Sequence[int]) -> float:
        """As a world's, of rewards within the window."""
        means = np.linspace(self.window / 20, self.window / 2, self.delays.shape[1])
        in_time = 1 - (1 - 1 / means) ** self.window
        return World(self.world.contexts, self.world.chances * in_time, self.world.rewards).regret(chosen)


def delayed(world: World, window: int, seed: int) -> Delayed:
    """A third of the rewards is told twice or three times; every tenth of what has none is an unsubscribe."""
    random = np.random.default_rng([seed, 77])
    shape = world.chances.shape
    means = np.linspace(window / 20, window / 2, shape[1])
    return Delayed(
        world,
        window,
        delays=np.column_stack([random.geometric(1 / mean, shape[0]) for mean in means]),
        copies=random.choice([1, 1, 2, 3], shape),
        noise=random.random(shape) < 0.1,
    )


def run_delayed(stream: Delayed, policy: Policy, store: OnlineStore, every: int = 20) -> list[int]:
    """Choices of our policy, which learns through `store` as the service does: what is shown waits, what is told is told once."""
    world, minute = stream.world, 60_000
    reward = Reward(metric="converted", is_higher_better=True, window_ms=stream.window * minute)
    learning, learned = LearnedStore(store, policy, reward), Learned(state=BanditState(policy))
    number = {arm: position for position, arm in enumerate(world.arms)}
    tellings: dict[int, list[tuple[str, str]]] = defaultdict(list)
    chosen = []
    for position, context in enumerate(world.contexts):
        for id_, metric in tellings.pop(position, []):
            store.put([Outcome(1.0, 0, False).document(id_, metric, MOST)])
        if position % every == 0:
            learned = learning.settle(position * minute + GRACE_MS + SETTLE_MS)
        id_ = f"{position:08}"
        arm = learned.state.choose(world.arms, context, decision_id=id_).arm
        learning.wait(
            [exposed(_decision(id_, arm, context), position * minute, position * minute, None, reward).waiting()]
        )
        choice = number[arm]
        chosen.append(choice)
        for later, metric in _told(stream, position, choice):
            tellings[position + later].append((id_, metric))
    return chosen


def _decision(id_: str, arm: str, context: Array) -> DecisionRecord:
    return DecisionRecord(
        decision_id=id_, kind="offer", unit="u", at_ms=0, action=arm, propensity=0.5, is_forced=False, policy="p",
        policy_version="p-1", shown_on=None, experiments={}, features=tuple(context.tolist()),
    )  # fmt: skip


def _told(stream: Delayed, position: int, choice: int) -> list[tuple[int, str]]:
    """After how many rounds what is told of a choice; beyond the window nobody tells it."""
    if not stream.world.rewards[position, choice]:
        return [(1, "unsubscribed")] if stream.noise[position, choice] else []
    delay, copies = int(stream.delays[position, choice]), int(stream.copies[position, choice])
    return [(delay + copy, "converted") for copy in range(copies) if delay <= stream.window]


CLOSED, TIMELY, POSTED = "closed", "timely", "posted"


def run_mabwiser_delayed(stream: Delayed, learning: object, seed: int, *, fed: str, every: int = 20) -> list[int]:
    """Choices of mabwiser's policy, told every `every` rounds; it begins with every arm in turn.

    fed: closed: what ours counts, each exposure once when its window is over. timely: a reward once when it is told, a failure when the
    window is over. posted: a reward as often as it is told, and nothing else, as a service that knows of outcomes only.
    """
    arms, contexts = list(range(stream.world.chances.shape[1])), stream.world.contexts
    has_contexts = isinstance(learning, LearningPolicy.LinUCB)
    mab, is_fitted = MAB(arms, learning, seed=seed), False
    tellings: dict[int, list[tuple[int, int]]] = defaultdict(list)  # at which round: round of the exposure, reward
    chosen: list[int] = []
    for position in range(len(contexts)):
        if position % every == 0 and (rows := tellings.pop(position, [])):
            learn: Callable[..., None] = mab.partial_fit if is_fitted else mab.fit
            seen = [row for row, _ in rows]
            learn(
                [chosen[row] for row in seen], [reward for _, reward in rows], contexts[seen] if has_contexts else None
            )
            is_fitted = True
        context = [contexts[position].tolist()] if has_contexts else None
        choice = int(mab.predict(context)) if is_fitted else position % len(arms)
        chosen.append(choice)
        for later, reward in _fed(stream, position, choice, fed):
            tellings[-(-(position + later) // every) * every].append((position, reward))
    return chosen


def _fed(stream: Delayed, position: int, choice: int, fed: str) -> list[tuple[int, int]]:
    """After how many rounds which reward of a choice is told to mabwiser."""
    told = [(later, 1) for later, metric in _told(stream, position, choice) if metric == "converted"]
    if fed == POSTED:
        return told
    if fed == TIMELY and told:
        return told[:1]
    return [(stream.window, 1 if told else 0)]
