"""What offers have achieved, in memory, and the policy that chooses by it. Outcomes are kept in the online store as sums.

Each process keeps a document of its own (`b:<process>`) and reads those of the others now and then: sums add up, so no
two processes ever write one document. A reward is an outcome between 0 and 1; a larger one (revenue) counts as 1.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping

import numpy as np
import orjson

from lakehouse.bandits import linucb, thompson
from lakehouse.bandits.linucb import Evidence
from lakehouse.bandits.thompson import Tally
from lakehouse.config import ServingConfig
from lakehouse.decisions.decide import CERTAIN, Explored
from lakehouse.errors import StoreError
from lakehouse.online_store import Document, OnlineStore
from serving.pending import Pending

log = logging.getLogger("stitchlake.serving")
PREFIX = "b:"
_EXCHANGE_SECONDS = 2.0
_ALPHA = 0.6
_SEED = 7
_NUMBERS = ("frequency", "monetary", "view_count", "views_in_session")
FEATURES = 8
Explorer = Callable[[Mapping[str, float], Mapping[str, object]], Explored]


class Learning:
    """`explorer` chooses, `observe` learns. `process`: a name no other process of the service has."""

    def __init__(self, config: ServingConfig, store: OnlineStore, pending: Pending, process: str) -> None:
        self._config = config
        self._store = store
        self._pending = pending
        self._key = f"{PREFIX}{process}"
        self._tallies: dict[str, Tally] = {}
        self._evidence: dict[str, Evidence] = {}
        self._others: tuple[dict[str, Tally], dict[str, Evidence]] = ({}, {})
        self._is_changed = False

    @property
    def version(self) -> str:
        """The policy and how many outcomes it has learned from."""
        learned = sum(tally.count for tallies in (self._tallies, self._others[0]) for tally in tallies.values())
        return f"{self._config.policy}-{int(learned)}"

    def explorer(self, decision_id: str, *, is_greedy: bool) -> Explorer:
        def explore(worths: Mapping[str, float], context: Mapping[str, object]) -> Explored:
            if is_greedy or self._config.policy == "greedy":
                return self._greedy(worths)
            if self._config.policy == "linucb":
                evidence = {arm: self._evidence_of(arm) for arm in worths}
                choice = linucb.choose(
                    evidence,
                    worths,
                    self.features(context),
                    alpha=_ALPHA,
                    explore=self._config.explore,
                    decision_id=decision_id,
                    seed=_SEED,
                )
            else:
                tallies = {arm: self._tally_of(arm) for arm in worths}
                choice = thompson.choose(
                    tallies, worths, explore=self._config.explore, decision_id=decision_id, seed=_SEED
                )
            return Explored(first=choice.arm, propensity=choice.propensity, chances=choice.expected)

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
        reward = min(max(reward, 0.0), 1.0)
        self._tallies[arm] = self._tallies.get(arm, Tally()).observed(reward)
        if len(features) == FEATURES:
            self._evidence[arm] = self._evidence.get(arm, Evidence.none(FEATURES)).observed(features, reward)
        self._is_changed = True

    async def exchange(self, now_ms: Callable[[], int]) -> None:
        """Keep what was learned and take in what others have; until cancelled."""
        while True:
            await asyncio.sleep(_EXCHANGE_SECONDS)
            self.keep(now_ms())
            await asyncio.to_thread(self.read, others_only=True)

    def keep(self, now_ms: int) -> None:
        if self._is_changed:
            self._is_changed = False
            self._pending.put([Document(self._key, now_ms, _encode(self._tallies, self._evidence))])

    def read(self, *, others_only: bool) -> None:
        """Blocks. At the start our own sums of an earlier run are ours again; later only those of others are read."""
        tallies: dict[str, Tally] = {}
        evidence: dict[str, Evidence] = {}
        try:
            for key, value in self._store.scan(PREFIX):
                read_tallies, read_evidence = _decode(value)
                if key == self._key and not others_only:
                    self._tallies, self._evidence = read_tallies, read_evidence
                elif key != self._key:
                    tallies = {
                        arm: tallies.get(arm, Tally()) + read_tallies.get(arm, Tally())
                        for arm in {*tallies, *read_tallies}
                    }
                    _add(evidence, read_evidence)
        except StoreError as error:
            log.warning("online store: what policies learned is not read, they go on with what they know: %s", error)
            return
        self._others = (tallies, evidence)

    def _tally_of(self, arm: str) -> Tally:
        return self._tallies.get(arm, Tally()) + self._others[0].get(arm, Tally())

    def _evidence_of(self, arm: str) -> Evidence:
        none = Evidence.none(FEATURES)
        return self._evidence.get(arm, none) + self._others[1].get(arm, none)

    def _greedy(self, worths: Mapping[str, float]) -> Explored:
        tallies = {arm: self._tally_of(arm) for arm in worths}
        prior = thompson.PRIOR_SUCCESSES + thompson.PRIOR_FAILURES
        chances = {arm: (thompson.PRIOR_SUCCESSES + t.reward) / (prior + t.count) for arm, t in tallies.items()}
        first = max(sorted(worths), key=lambda arm: worths[arm] * chances[arm])
        return Explored(first=first, propensity=CERTAIN, chances=chances)


def _squashed(value: object) -> float:
    """Counts and money of any size, about one."""
    return math.log1p(value) / 5 if isinstance(value, float) and 0 <= value < math.inf else 0.0


def _add(sums: dict[str, Evidence], more: Mapping[str, Evidence]) -> None:
    for arm, evidence in more.items():
        sums[arm] = sums[arm] + evidence if arm in sums else evidence


def _encode(tallies: Mapping[str, Tally], evidence: Mapping[str, Evidence]) -> bytes:
    return orjson.dumps(
        {
            "tallies": {arm: [tally.count, tally.reward] for arm, tally in tallies.items()},
            "evidence": {arm: [one.seen.tolist(), one.rewarded.tolist()] for arm, one in evidence.items()},
        }
    )


def _decode(value: bytes) -> tuple[dict[str, Tally], dict[str, Evidence]]:
    """Raises StoreError where it was not written by `_encode` of this version."""
    try:
        document = orjson.loads(value)
        tallies = {arm: Tally(*map(float, sums)) for arm, sums in document["tallies"].items()}
        evidence = {arm: Evidence(np.array(a), np.array(b)) for arm, (a, b) in document["evidence"].items()}
        if any(one.rewarded.shape != (FEATURES,) for one in evidence.values()):
            raise ValueError("another number of features")
        return tallies, evidence
    except (orjson.JSONDecodeError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise StoreError(f"online store: what a policy learned cannot be read ({error!r}). Delete the key") from error
