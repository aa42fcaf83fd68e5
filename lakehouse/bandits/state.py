"""One policy with all it has learned: chooses, observes, goes through JSON.

What is kept are sums over outcomes, so these may come late and in any order. Counting each once is the caller's to see to, by
decision_id.
"""

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
_SCHEMA: Final = 2


@dataclass(frozen=True, kw_only=True)
class Policy:
    """`features`: length of a context; LINUCB only. `alpha`: weight of LINUCB's bonus."""

    kind: str
    features: int = 0
    explore: float = 0.05
    alpha: float = 0.6
    prior: tuple[float, float] = (thompson.PRIOR_SUCCESSES, thompson.PRIOR_FAILURES)
    seed: int = 7

    def __post_init__(self) -> None:
        is_kind = self.kind == THOMPSON or (self.kind == LINUCB and self.features > 0)
        if not (is_kind and 0 < self.explore <= 1 and self.alpha >= 0 and min(self.prior) >= 1):
            raise ModelError(
                f"bandits: got {self}, expected {THOMPSON}, or {LINUCB} with features of 1 or more; explore in 0..1 and above 0; "
                "alpha of 0 or more; a prior of 1 or more of each. Mend the policy"
            )


class BanditState:
    """Mutable; one thread at a time."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._sums: dict[str, Tally | Evidence] = {}

    def choose(
        self, arms: Sequence[str] | Mapping[str, float], context: Sequence[float], *, decision_id: str
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
        policy, sums = self.policy, self._sums
        asked = {"explore": policy.explore, "decision_id": decision_id, "seed": policy.seed}
        if policy.kind == THOMPSON:
            tallies = {arm: held for arm in worths if isinstance(held := sums.get(arm), Tally)}
            return thompson.choose(tallies, worths, prior=policy.prior, **asked)  # type: ignore[arg-type]
        if len(context) != policy.features or not np.isfinite(context).all():
            raise ModelError(
                f"bandits: got context {list(context)}, expected {policy.features} finite numbers. Mend the caller"
            )
        evidence = {arm: seen for arm in worths if isinstance(seen := sums.get(arm), Evidence)}
        return linucb.choose(evidence, worths, context, alpha=policy.alpha, **asked)  # type: ignore[arg-type]

    def observe(self, arm: str, context: Sequence[float], reward: float) -> None:
        """Once per decision.

        Raises:
            ModelError: a reward outside 0..1, or a context that is not `features` finite numbers.
        """
        try:
            if self.policy.kind == THOMPSON:
                held = self._sums.get(arm, Tally())
                assert isinstance(held, Tally)
                self._sums[arm] = held.observed(reward)
            else:
                seen = self._sums.get(arm, Evidence.none(self.policy.features))
                assert isinstance(seen, Evidence)
                self._sums[arm] = seen.observed(context, reward)
        except ValueError as error:
            raise ModelError(f"bandits: outcome of {arm!r} not learned: {error}. Mend the caller") from error

    def under(self, policy: Policy) -> "BanditState":
        """The same sums, under a policy that explores otherwise.

        Raises:
            ModelError: the sums of `policy` are others: its kind or its features.
        """
        if (self.policy.kind, self.policy.features) != (policy.kind, policy.features):
            raise ModelError(f"bandits: got sums of {self.policy}, expected of {policy}. Start anew")
        state = BanditState(policy)
        state._sums = dict(self._sums)
        return state

    def to_json(self) -> dict[str, Any]:
        """Plain values, for orjson or json."""
        return {
            "schema": _SCHEMA,
            "policy": {**asdict(self.policy), "prior": list(self.policy.prior)},
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
