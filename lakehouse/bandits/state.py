"""One policy with all it has learned: chooses, observes, fades, goes through JSON.

What is kept are sums over outcomes, each counted 2 ** ((its time - landmark) / half-life): forward decay (Cormode, Shkapenyuk,
Srivastava, Xu, ICDE 2009). Seen from `now`, all of it is scaled by one factor. So outcomes may come late and in any order,
also while they fade. Counting an outcome once is the caller's to see to, by decision_id.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from lakehouse.bandits import linucb, thompson
from lakehouse.bandits.choice import Choice
from lakehouse.bandits.linucb import Evidence
from lakehouse.bandits.thompson import Tally
from lakehouse.errors import ModelError

THOMPSON: Final = "thompson"
LINUCB: Final = "linucb"
_SCHEMA: Final = 1
_DAY_MS: Final = 86_400_000.0
_MOST_HALVINGS: Final = 500.0  # 2 ** 1000 is where doubles end


@dataclass(frozen=True, kw_only=True)
class Policy:
    """`features`: length of a context; LINUCB only. `half_life_days`: null = nothing fades. `alpha`: weight of LINUCB's bonus."""

    kind: str
    features: int = 0
    explore: float = 0.05
    alpha: float = 0.6
    half_life_days: float | None = None
    prior: tuple[float, float] = (thompson.PRIOR_SUCCESSES, thompson.PRIOR_FAILURES)
    seed: int = 7

    def __post_init__(self) -> None:
        is_kind = self.kind == THOMPSON or (self.kind == LINUCB and self.features > 0)
        fades = self.half_life_days is None or 0 < self.half_life_days < math.inf
        if not (is_kind and fades and 0 < self.explore <= 1 and self.alpha >= 0 and min(self.prior) >= 1):
            raise ModelError(
                f"bandits: got {self}, expected {THOMPSON}, or {LINUCB} with features of 1 or more; explore in 0..1 and above 0; "
                "alpha of 0 or more; a half-life above 0 or none; a prior of 1 or more of each. Mend the policy"
            )


class BanditState:
    """Mutable; one thread at a time."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._landmark_ms: int | None = None
        self._sums: dict[str, Tally | Evidence] = {}

    def choose(
        self, arms: Sequence[str] | Mapping[str, float], context: Sequence[float], *, decision_id: str, now_ms: int = 0
    ) -> Choice:
        """One of `arms`, which are worth 1 each unless a mapping says otherwise; their order says nothing.

        Raises:
            ModelError: no arm, or LINUCB's context is not `features` finite numbers.
        """
        worths = arms if isinstance(arms, Mapping) else dict.fromkeys(arms, 1.0)
        if not worths:
            raise ModelError(
                "bandits: got no arm to choose from, expected one or more. Ask only where something is left"
            )
        policy, factor = self.policy, self._factor(now_ms)
        known = {arm: self._sums[arm] * factor for arm in worths if arm in self._sums}
        asked = {"explore": policy.explore, "decision_id": decision_id, "seed": policy.seed}
        if policy.kind == THOMPSON:
            tallies = {arm: one for arm, one in known.items() if isinstance(one, Tally)}
            return thompson.choose(tallies, worths, prior=policy.prior, **asked)  # type: ignore[arg-type]
        if len(context) != policy.features or not np.isfinite(context).all():
            raise ModelError(
                f"bandits: got context {list(context)}, expected {policy.features} finite numbers. Mend the caller"
            )
        evidence = {arm: one for arm, one in known.items() if isinstance(one, Evidence)}
        return linucb.choose(evidence, worths, context, alpha=policy.alpha, **asked)  # type: ignore[arg-type]

    def observe(self, arm: str, context: Sequence[float], reward: float, *, at_ms: int = 0) -> None:
        """Once per decision. `at_ms`: the decision's time by our own clock, which is never ahead.

        Raises:
            ModelError: a reward outside 0..1, or a context that is not `features` finite numbers.
        """
        weight = self._weight(at_ms)
        try:
            if self.policy.kind == THOMPSON:
                held = self._sums.get(arm, Tally())
                assert isinstance(held, Tally)
                self._sums[arm] = held.observed(reward, weight)
            else:
                seen = self._sums.get(arm, Evidence.none(self.policy.features))
                assert isinstance(seen, Evidence)
                self._sums[arm] = seen.observed(context, reward, weight)
        except ValueError as error:
            raise ModelError(f"bandits: outcome of {arm!r} not learned: {error}. Mend the caller") from error

    def under(self, policy: Policy) -> "BanditState":
        """The same sums, under a policy that explores otherwise.

        Raises:
            ModelError: the sums of `policy` are others: its kind, its features or its half-life.
        """
        mine, asked = self.policy, policy
        if (mine.kind, mine.features, mine.half_life_days) != (asked.kind, asked.features, asked.half_life_days):
            raise ModelError(f"bandits: got sums of {mine}, expected of {asked}. Start anew")
        state = BanditState(policy)
        state._landmark_ms, state._sums = self._landmark_ms, dict(self._sums)
        return state

    def to_json(self) -> dict[str, Any]:
        """Plain values, for orjson or json."""
        return {
            "schema": _SCHEMA,
            "policy": {**asdict(self.policy), "prior": list(self.policy.prior)},
            "landmark_ms": self._landmark_ms,
            "arms": {
                arm: [one.count, one.reward] if isinstance(one, Tally) else [one.seen.tolist(), one.rewarded.tolist()]
                for arm, one in self._sums.items()
            },
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "BanditState":
        """Raises ModelError where `to_json` of this version did not write it."""
        try:
            if document["schema"] != _SCHEMA:
                raise ValueError(f"schema {document['schema']!r}")
            policy = {**document["policy"], "prior": tuple(document["policy"]["prior"])}
            state = cls(Policy(**policy))
            mark = document["landmark_ms"]
            state._landmark_ms = None if mark is None else int(mark)
            state._sums = {str(arm): state._read(sums) for arm, sums in document["arms"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"bandits: state cannot be read, got {error!r}, expected schema {_SCHEMA}. Start anew"
            ) from error
        return state

    def _read(self, sums: Sequence[Any]) -> Tally | Evidence:
        if self.policy.kind == THOMPSON:
            count, reward = map(float, sums)
            return Tally(count, reward)
        size = self.policy.features
        seen, rewarded = (np.asarray(one, dtype=np.float64) for one in sums)
        if seen.shape != (size, size) or rewarded.shape != (size,):
            raise ValueError(f"{seen.shape} and {rewarded.shape} for {size} features")
        return Evidence(seen, rewarded)

    def _factor(self, now_ms: int) -> float:
        """What a sum is worth at `now_ms`; 1 at most, so that a clock set back makes nothing grow."""
        half_life = self.policy.half_life_days
        if half_life is None or self._landmark_ms is None:
            return 1.0
        return math.exp2(min(0.0, (self._landmark_ms - now_ms) / (half_life * _DAY_MS)))

    def _weight(self, at_ms: int) -> float:
        """What an outcome counts beside the sums; moves the landmark before doubles end."""
        half_life = self.policy.half_life_days
        if half_life is None:
            return 1.0
        if self._landmark_ms is None:
            self._landmark_ms = at_ms
        halvings = (at_ms - self._landmark_ms) / (half_life * _DAY_MS)
        if halvings > _MOST_HALVINGS:
            factor = self._factor(at_ms)
            self._sums = {arm: one * factor for arm, one in self._sums.items()}
            self._landmark_ms, halvings = at_ms, 0.0
        return math.exp2(max(halvings, -2 * _MOST_HALVINGS))
