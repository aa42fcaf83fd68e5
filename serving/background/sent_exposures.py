"""An action that was sent has been shown: it counts for caps, is in the decision log, and outcomes can be told of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from lakehouse.actions.action import Action
from lakehouse.decisions import decision_record, exposures
from lakehouse.decisions.decide import CERTAIN
from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.learning.exposure import kept_until
from lakehouse.learning.lifetime import remember_for_life
from lakehouse.learning.reward import Reward
from lakehouse.online.recent_entries import EXPOSED, key_of, remember
from lakehouse.online.store import Document, OnlineStore
from serving.background.people import People


@dataclass(frozen=True, kw_only=True)
class SentExposures:
    """`caps`: for life, by subject, as they are now. `tell`: topic, key and value of a record; returns once the broker has it. `topic`: the decision log's."""

    store: OnlineStore
    kept: OnlineStore
    caps: Callable[[], Mapping[str, int]]
    reward: Reward
    people: People
    topic: str
    tell: Callable[[str, str, bytes], None]

    def note(self, action: Action, now: datetime) -> None:
        """Write it down; the same again, or through another destination, changes nothing.

        Raises:
            StoreError: the store does not answer.
            BrokerError: the broker does not take it.
        """
        at_ms = int(now.timestamp() * 1000)
        decision = self._decision(action, now)
        ends_ms = kept_until(at_ms, self.reward)
        self.store.put([Document(decision_record.key(action.decision_id), decision.at_ms, decision.encode(), ends_ms)])
        shown = exposures.entries(action.decision_id, action.offer, decision.rule, at_ms)
        placed = [(key_of(EXPOSED, action.identifiers[0]), entry) for entry in shown]
        remember(self.store, placed)
        remember_for_life(self.kept, placed, self.caps())
        candidates = [] if action.offer is None else [action.offer]
        for message in (
            decision_record.decision_message(decision, candidates),
            *decision_record.exposure_messages(decision, at_ms),
        ):
            self.tell(self.topic, decision.unit, orjson.dumps(message))

    def _decision(self, action: Action, now: datetime) -> DecisionRecord:
        who = self.people.who(action.identifiers, now)
        return DecisionRecord(
            decision_id=action.decision_id,
            kind=action.cause if action.offer is None else "offer",
            unit=who.unit,
            at_ms=action.created_ms,
            action=f"{action.cause}:{action.name}" if action.offer is None else action.offer,
            propensity=CERTAIN,
            is_forced=True,
            policy=f"{action.cause}s",
            policy_version=str(action.detail.get("rules_version") or f"{action.cause}s"),
            shown_on=who.shown_on,
            experiments={},
            rule=action.name if action.cause == "rule" else None,
            context={action.cause: action.name},
        )
