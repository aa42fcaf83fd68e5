"""What a policy has learned from exposures whose time is over, and up to which of them: each counts once, whoever counts it.

They are counted in the order of when they were due, and the last one counted stands beside the sums, in one document. Who reads the
document knows which are counted. Two who count at once make the same document of the same version, and the first one's
holds. Counted from the decision log in the same order, the sums are the same to the last bit.
"""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from lakehouse.bandits.state import BanditState, Policy
from lakehouse.errors import ModelError

Mark = tuple[int, str]
BEGINNING: Mark = (-1, "")


class Settled(NamedTuple):
    """An exposure whose time is over. `due_ms`: when it was to be counted, ms since 1970."""

    due_ms: int
    decision_id: str
    arm: str
    features: tuple[float, ...]
    reward: float

    @property
    def mark(self) -> Mark:
        """Where it stands in the order."""
        return self.due_ms, self.decision_id


@dataclass(frozen=True, kw_only=True)
class Learned:
    """`through`: the last that was counted. `left_out`: of the `count`, those the policy could not learn from."""

    state: BanditState
    through: Mark = BEGINNING
    count: int = 0
    left_out: int = 0
    version: int = 0

    def counted(self, settled: Iterable[Settled]) -> "Learned":
        """The next version, with those that come after `through`; the same where none does. Their order says nothing."""
        new = sorted({one.mark: one for one in settled if one.mark > self.through}.values())
        if not new:
            return self
        state, left_out = copy.deepcopy(self.state), self.left_out
        for one in new:
            try:
                state.observe(one.arm, one.features, one.reward)
            except ModelError:  # a context of another version's length
                left_out += 1
        return Learned(
            state=state,
            through=new[-1].mark,
            count=self.count + len(new),
            left_out=left_out,
            version=self.version + 1,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for orjson or json."""
        return {
            "version": self.version,
            "through": list(self.through),
            "count": self.count,
            "left_out": self.left_out,
            "state": self.state.to_json(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any], policy: Policy) -> "Learned":
        """Raises ModelError where `to_json` of this version did not write it, or of a policy whose sums are others."""
        try:
            due_ms, decision_id = document["through"]
            return cls(
                state=BanditState.from_json(document["state"]).under(policy),
                through=(int(due_ms), str(decision_id)),
                count=int(document["count"]),
                left_out=int(document["left_out"]),
                version=int(document["version"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"bandits: what was learned cannot be read, got {error!r}. Build it again") from error
