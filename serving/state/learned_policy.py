"""What offers have achieved, in memory, and the policy that chooses by it. Outcomes are kept in the online store as sums.

Each process keeps a document of its own (`b:<process>`) and reads those of the others now and then: sums add up, so no
two processes ever write one document. A reward is an outcome between 0 and 1; a larger one (revenue) counts as 1.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping

import orjson

from lakehouse.bandits.state import LINUCB, THOMPSON, BanditState, Policy
from lakehouse.config import ServingConfig
from lakehouse.decisions.decide import CERTAIN, Explored, Explorer
from lakehouse.errors import ModelError, StoreError
from lakehouse.online.store import Document, OnlineStore
from serving.visitors.pending import Pending

log = logging.getLogger("stitchlake.serving")
PREFIX = "b:"
FEATURES = 8
GREEDY = "greedy"
_EXCHANGE_SECONDS = 2.0
_NUMBERS = ("frequency", "monetary", "view_count", "views_in_session")


class LearnedPolicy:
    """`explorer` chooses, `observe` learns. `process`: a name no other process of the service has."""

    def __init__(self, config: ServingConfig, store: OnlineStore, pending: Pending, process: str) -> None:
        self._kind = config.policy
        self._policy = Policy(
            kind=LINUCB if config.policy == LINUCB else THOMPSON,
            features=FEATURES if config.policy == LINUCB else 0,
            explore=config.explore,
        )
        self._store = store
        self._pending = pending
        self._key = f"{PREFIX}{process}"
        self._own = BanditState(self._policy)
        self._others = BanditState(self._policy)
        self._all = self._own
        self._outcomes = 0
        self._is_changed = False
        # Whether it is known what an earlier run of this process learned; until then it must not be written over.
        self._is_begun = False

    @property
    def version(self) -> str:
        """The policy, and how many outcomes this process has learned from since it began."""
        return f"{self._kind}-{self._outcomes}"

    def explorer(self, decision_id: str, *, is_greedy: bool) -> Explorer:
        """Of one decision, whose id seeds its chance. `is_greedy`: the best by now, nothing is explored."""

        def explore(worths: Mapping[str, float], context: Mapping[str, object]) -> Explored:
            choice = self._all.choose(worths, self.features(context), decision_id=decision_id)
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

    def observe(self, arm: str, features: tuple[float, ...], reward: float) -> None:
        """Once for each decision; the caller sees to that."""
        self._own.observe(arm, features, min(max(reward, 0.0), 1.0))
        self._all = self._own.merged(self._others)
        self._outcomes += 1
        self._is_changed = True

    async def exchange(self, now_ms: Callable[[], int]) -> None:
        """Keep what was learned and take in what others have; until cancelled."""
        while True:
            await asyncio.sleep(_EXCHANGE_SECONDS)
            self.keep(now_ms())
            self.take(await asyncio.to_thread(self.read))

    def keep(self, now_ms: int) -> None:
        """Have what was learned written, if it changed. `now_ms`: ms since 1970, the document's version."""
        if self._is_changed and self._is_begun:
            self._is_changed = False
            self._pending.put([Document(self._key, now_ms, orjson.dumps(self._own.to_json()))])

    def read(self) -> dict[str, BanditState] | None:
        """Blocks. What the store holds, by key, without states of another policy and what cannot be read; None = it does not answer."""
        states: dict[str, BanditState] = {}
        try:
            for key, value in self._store.scan(PREFIX):
                try:
                    state = BanditState.from_json(orjson.loads(value))
                except (ModelError, orjson.JSONDecodeError) as error:
                    log.warning(
                        "online store: %s: what a policy learned cannot be read, it is left out: %s", key, error
                    )
                    continue
                if state.policy == self._policy:
                    states[key] = state
        except StoreError as error:
            log.warning("online store: what policies learned is not read, they go on with what they know: %s", error)
            return None
        return states

    def take(self, states: Mapping[str, BanditState] | None) -> None:
        """Take in what `read` found. The first time our own sums of an earlier run are ours again, with what was learned since."""
        if states is None:
            return
        if not self._is_begun:
            self._is_begun = True
            self._own = states[self._key].merged(self._own) if self._key in states else self._own
        others = BanditState(self._policy)
        for key, state in states.items():
            others = others if key == self._key else others.merged(state)
        self._others = others
        self._all = self._own.merged(others)


def _squashed(value: object) -> float:
    """Counts and money of any size, about one."""
    return math.log1p(value) / 5 if isinstance(value, float) and 0 <= value < math.inf else 0.0
