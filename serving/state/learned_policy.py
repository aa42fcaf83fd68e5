"""What offers have achieved, in memory, and the policy that chooses by it, or by what the targeting policy gives the person.

The sums are in the online store, one for all processes: each of them counts what is due and reads what the others counted, see
lakehouse/learning/learned_store.py. While the store does not answer, a process chooses by what it read last.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from lakehouse.bandits.choice import luck, preferred
from lakehouse.bandits.learned import Learned
from lakehouse.bandits.state import THOMPSON, BanditState
from lakehouse.config import ServingConfig
from lakehouse.decisions.decide import CERTAIN, EXPECTED_VALUE, ChosenBy, Explored, Explorer
from lakehouse.errors import ModelError, StoreError
from lakehouse.learning.learned_store import LearnedStore, policy_of
from lakehouse.learning.reward import Reward
from lakehouse.online.online_profile import OnlineProfile
from lakehouse.online.store import OnlineStore
from lakehouse.profiles.declared_scores import TARGETED_OFFER

log = logging.getLogger("stitchlake.serving")
GREEDY, UPLIFT = "greedy", "uplift"
TARGETED = "targeted"
_LOOK_SECONDS = 2.0
_NUMBERS = ("frequency", "monetary", "view_count", "views_in_session")


class _Targeted(NamedTuple):
    """What the targeting policy `by` gives somebody."""

    offer: str
    by: ChosenBy


class LearnedPolicy:
    """`explorer` chooses. `reward`: what it learns from. `kept`: a store that survives a restart of the machine."""

    def __init__(self, config: ServingConfig, kept: OnlineStore) -> None:
        self._kind = config.policy
        self.reward = Reward.of(config)
        self.store = LearnedStore(kept, policy_of(config), self.reward)
        self._learned = Learned(state=BanditState(policy_of(config)))

    @property
    def learning(self) -> ChosenBy:
        """The policy that learns from outcomes, which chooses unless the person has a targeted offer; its version: how many it has learned from."""
        policy = THOMPSON if self._kind == UPLIFT else self._kind
        return ChosenBy(policy, f"{policy}-{self._learned.count}")

    def explorer(self, decision_id: str, profile: OnlineProfile | None = None, *, is_greedy: bool) -> Explorer:
        """Of one decision, whose id seeds its chance. `is_greedy`: the best by now, nothing is explored.

        With policy UPLIFT the best is the profile's targeted offer, where that is a candidate. What came of offers teaches on, and does
        not change it.
        """
        is_certain = is_greedy or self._kind == GREEDY
        targeted = self._targeted(profile)

        def explore(worths: Mapping[str, float], context: Mapping[str, object]) -> Explored:
            state, features = self._learned.state, self.features(context)
            choice = state.choose(worths, features, decision_id=decision_id)
            if targeted is not None and targeted.offer in worths:
                chance = luck(decision_id, state.policy.seed)
                choice = preferred(targeted.offer, choice.expected, state.policy.explore, chance)
                best, chosen_by = targeted.offer, targeted.by
            else:
                best = max(sorted(worths), key=lambda arm: worths[arm] * choice.expected[arm])
                chosen_by = self.learning
            first, propensity = (best, CERTAIN) if is_certain else (choice.arm, choice.propensity)
            is_targeted = targeted is not None and first == targeted.offer
            return Explored(
                first=first,
                propensity=propensity,
                chances=choice.expected,
                reason=TARGETED if is_targeted else EXPECTED_VALUE,
                chosen_by=chosen_by,
                features=features,
            )

        return explore

    def _targeted(self, profile: OnlineProfile | None) -> _Targeted | None:
        if self._kind != UPLIFT or profile is None:
            return None
        offer, version = (profile.figures[name] for name in (TARGETED_OFFER.column, TARGETED_OFFER.version_column))
        return None if offer is None else _Targeted(offer, ChosenBy(UPLIFT, f"{UPLIFT}-{version}"))

    def features(self, context: Mapping[str, object]) -> tuple[float, ...]:
        """FEATURES numbers of about one: what a policy sees of a visitor. Null is 0."""
        numbers = [_squashed(context.get(name)) for name in _NUMBERS]
        propensity = context.get("purchase_propensity")
        return (
            1.0,
            *numbers,
            propensity if isinstance(propensity, float) and math.isfinite(propensity) else 0.0,
            1.0 if context.get("is_known") else 0.0,
            1.0 if context.get("cart") else 0.0,
        )

    async def follow(self, now_ms: Callable[[], int]) -> None:
        """Learn, every few seconds; until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.to_thread(self.learn, now_ms())

    def learn(self, now_ms: int) -> None:
        """Blocks. Count what is due and take up what all processes know; what was known stays where that fails."""
        try:
            self._learned = self.store.settle(now_ms)
        except (StoreError, ModelError) as error:
            log.warning("online store: nothing new is learned, the policy goes on with what it knows: %s", error)


def _squashed(value: object) -> float:
    """Counts and money of any size, about one."""
    return math.log1p(value) / 5 if isinstance(value, float) and 0 <= value < math.inf else 0.0
