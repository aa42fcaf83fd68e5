"""What is kept of a decision: the record its outcomes are told of, the log's messages, and that it was shown."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from lakehouse.decisions import decision_record, exposures
from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.learning.exposure import kept_until
from lakehouse.learning.lifetime import remember_for_life
from lakehouse.online.recent_entries import Placed
from lakehouse.online.store import Document
from serving.service import Service


def keep_decision(
    service: Service, decision: DecisionRecord, candidates: Sequence[str], *, is_shown: bool = False
) -> None:
    """Keep the decision until it is shown, or for a window; shown already, until its outcomes are in. Log it. Neither is waited for.

    `candidates`: offers or products it was chosen from, the chosen ones among them.
    """
    reward, at_ms = service.policy.reward, decision.at_ms
    ends_ms = kept_until(at_ms, reward) if is_shown else at_ms + reward.window_ms
    service.pending.put([Document(decision_record.key(decision.decision_id), at_ms, decision.encode(), ends_ms)])
    log(service, [decision_record.decision_message(decision, candidates)])


def keep_exposure(
    service: Service,
    decision: DecisionRecord,
    at_ms: int,
    shown: str | None = None,
    teaches: Mapping[str, Any] | None = None,
) -> None:
    """Write down that the decision was shown: in the log, and where caps look.

    `shown`: the offer, where another was shown. `teaches`: what a policy needs to learn from it.
    """
    log(service, decision_record.exposure_messages(decision, at_ms, teaches))
    service.pending.append(_placed(decision, at_ms, shown))


def keep_for_life(service: Service, decision: DecisionRecord, at_ms: int, shown: str | None = None) -> None:
    """Write down that it was shown where caps for life look, if it has one. Blocks. Raises StoreError."""
    catalogue, book = service.catalogue.current, service.rules.current
    caps = exposures.lifetimes(
        () if catalogue is None else catalogue.offers.values(), () if book is None else book.by_name.values()
    )
    remember_for_life(service.kept, _placed(decision, at_ms, shown), caps)


def _placed(decision: DecisionRecord, at_ms: int, shown: str | None) -> list[Placed]:
    if decision.shown_on is None:
        return []
    offer = shown or decision.action if decision.kind == "offer" else None
    entries = exposures.entries(decision.decision_id, offer, decision.rule, at_ms)
    return [(decision.shown_on, entry) for entry in entries]


def log(service: Service, messages: Sequence[Mapping[str, Any]]) -> None:
    """To the decision log. A message Kafka does not take is lost to the statistics and counted, never to the visitor."""
    for message in messages:
        service.log.tell(service.config.decision_log.topic, str(message["unit"]).encode(), orjson.dumps(message))
