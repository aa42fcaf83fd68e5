"""What offers have achieved, in memory, and the policy that chooses by it.

The sums are in the online store, one for all processes: each of them counts what is due and reads what the others counted, see
lakehouse/learning/learned_store.py. While the store does not answer, a process chooses by what it read last.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping

from lakehouse.bandits.learned import Learned
from lakehouse.bandits.state import BanditState
from lakehouse.config import ServingConfig
from lakehouse.decisions.decide import CERTAIN, Explored, Explorer
from lakehouse.errors import ModelError, StoreError
from lakehouse.learning.learned_store import LearnedStore, policy_of
from lakehouse.learning.reward import Reward
from lakehouse.online.store import OnlineStore

log = logging.getLogger("stitchlake.serving")
GREEDY = "greedy"
_LOOK_SECONDS = 2.0
_NUMBERS = ("frequency", "monetary", "view_count", "views_in_session")


class LearnedPolicy:
    """`explorer` chooses. `reward`: what it learns from. `kept`: a store that survives a restart of the machine."""

    def __init__(self, config: ServingConfig, kept: OnlineStore) -> None:
        self._kind = config.policy
        self.reward = Reward.of(config)
        self.store = LearnedStore(kept, policy_of(config), self.reward)
        self._learned = Learned(state=BanditState(policy_of(config)))

    @property
    def version(self) -> str:
        """The policy, and how many exposures it has learned from."""
        return f"{self._kind}-{self._learned.count}"

    def explorer(self, decision_id: str, *, is_greedy: bool) -> Explorer:
        """Of one decision, whose id seeds its chance. `is_greedy`: the best by now, nothing is explored."""

        def explore(worths: Mapping[str, float], context: Mapping[str, object]) -> Explored:
            choice = self._learned.state.choose(worths, self.features(context), decision_id=decision_id)
            if not is_greedy and self._kind != GREEDY:
                return Explored(first=choice.arm, propensity=choice.propensity, chances=choice.expected)
            best = max(sorted(worths), key=lambda arm: worths[arm] * choice.expected[arm])
            return Explored(first=best, propensity=CERTAIN, chances=choice.expected)

        return explore

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
