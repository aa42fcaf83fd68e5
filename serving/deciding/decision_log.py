"""What is kept of a decision: the record its outcomes are told of, the log's messages, and that it was shown."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from lakehouse.decisions import decision_record, exposures
from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.online.store import Document
from serving.service import Service


def keep_decision(service: Service, decision: DecisionRecord, candidates: Sequence[str]) -> None:
    """Keep the decision until its outcomes are in, and log it. Neither is waited for.

    `candidates`: offers or products it was chosen from, the chosen ones among them.
    """
    service.pending.put([Document(decision_record.key(decision.decision_id), decision.at_ms, decision.encode())])
    log(service, [decision_record.decision_message(decision, candidates)])


def keep_exposure(service: Service, decision: DecisionRecord, at_ms: int, shown: str | None = None) -> None:
    """Write down that the decision was shown: in the log, and where caps look. `shown`: the offer, where another was shown."""
    log(service, decision_record.exposure_messages(decision, at_ms))
    offer = shown or decision.action if decision.kind == "offer" else None
    if decision.shown_on is not None:
        entries = exposures.entries(decision.decision_id, offer, decision.context.get("rule"), at_ms)
        service.pending.append((decision.shown_on, entry) for entry in entries)


def log(service: Service, messages: Sequence[Mapping[str, Any]]) -> None:
    """To the decision log. A message Kafka does not take is lost to the statistics and counted, never to the visitor."""
    for message in messages:
        service.log.tell(service.config.decision_log.topic, str(message["unit"]).encode(), orjson.dumps(message))
