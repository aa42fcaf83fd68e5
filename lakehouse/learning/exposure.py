"""A decision that was shown: what is kept of it, for how long, and when a policy counts it. Pure.

    d:<decision_id>             the decision, for a window after it was made; shown or said to somebody, for KEPT_MS and a window
    shown:<decision_id>         the exposure and its decision, for KEPT_MS and a window
    o:<decision_id>:<metric>    an outcome, as long
    waiting                     the timeline of the exposures that are not counted yet, by when they are to be

Each is written once. The last three are kept where they survive a restart of the machine: see open_kept_store.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from lakehouse.bandits.learned import Settled
from lakehouse.config.declarations import DAY_MS
from lakehouse.decisions import decision_record
from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.errors import StoreError
from lakehouse.learning.reward import Outcome, Reward
from lakehouse.online.store import Document, Entry

WAITING = "waiting"
GRACE_MS = 3_600_000  # after the window: an outcome may take so long to be told
KEPT_MS = 28 * DAY_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """`at_ms`: when it was shown. `due_ms`: when it is counted. `shown`: the offer, where another than was decided on may have been."""

    decision: DecisionRecord
    at_ms: int
    due_ms: int
    shown: str | None = None

    @property
    def teaches(self) -> bool:
        """A policy chose what was shown, by a known chance, and learns from it."""
        return self.decision.is_explored and self.shown in (None, self.decision.action)

    def document(self, reward: Reward) -> Document:
        """Of one version: whoever writes it first has shown it."""
        return Document(exposure_key(self.decision.decision_id), 1, orjson.dumps(self), kept_until(self.due_ms, reward))

    def waiting(self) -> Entry:
        """On the timeline WAITING."""
        decision = self.decision
        return waiting(Settled(self.due_ms, decision.decision_id, decision.action, decision.features, 0.0))

    def lesson(self) -> dict[str, Any] | None:
        """What the decision log says of it for a policy: lakehouse/learning/logged_exposures.py reads it. None = no policy learns."""
        if not self.teaches:
            return None
        return {"due_ms": self.due_ms, "features": list(self.decision.features)}

    def is_late(self, at_ms: int, told_ms: int, reward: Reward) -> bool:
        """Of an outcome: after the window, or told only when the exposure is counted."""
        return at_ms > self.at_ms + reward.window_ms or told_ms >= self.due_ms


def exposed(decision: DecisionRecord, at_ms: int, told_ms: int, shown: str | None, reward: Reward) -> Exposure:
    """That the decision was shown, and never before it was made. `told_ms`: by our own clock."""
    return Exposure(
        decision=decision,
        at_ms=max(at_ms, decision.at_ms),
        due_ms=told_ms + reward.window_ms + GRACE_MS,
        shown=shown,
    )


def exposure_key(decision_id: str) -> str:
    """Of the document of the exposure."""
    return f"shown:{decision_id}"


def decode(value: bytes) -> Exposure:
    """Raises StoreError where `document` did not make it."""
    try:
        fields = orjson.loads(value)
        decision = decision_record.decode(orjson.dumps(fields["decision"]))
        return Exposure(**(fields | {"decision": decision}))
    except (orjson.JSONDecodeError, TypeError, KeyError) as error:
        raise StoreError(
            f"online store: an exposure cannot be read ({error!r}), expected one of this version"
        ) from error


def kept_until(at_ms: int, reward: Reward) -> int:
    """When what was shown is forgotten."""
    return at_ms + reward.window_ms + KEPT_MS


def waiting(exposure: Settled) -> Entry:
    """On the timeline WAITING; what it is worth is not known yet."""
    return Entry(exposure.due_ms, exposure.decision_id, orjson.dumps([exposure.arm, exposure.features]))


def settled(entry: Entry, outcome: Outcome | None, reward: Reward) -> Settled:
    """What is counted of an entry of WAITING. Raises StoreError where `waiting` did not make it."""
    try:
        arm, features = orjson.loads(entry.value)
        return Settled(entry.at_ms, entry.id, str(arm), tuple(map(float, features)), reward.worth(outcome))
    except (orjson.JSONDecodeError, TypeError, ValueError) as error:
        raise StoreError(
            f"online store: what waits to be counted of decision {entry.id} cannot be read ({error!r})"
        ) from error
