"""What is remembered of a decision until its outcomes are in, and the log's messages about it. Pure.

The log is what experiments and off-policy evaluation are computed from: what could have been chosen, what was, with
which probability, by which versions, and whether a rule overrode the choice (propensity 1, `is_forced`).
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from lakehouse.errors import StoreError


@dataclass(frozen=True, kw_only=True)
class DecisionRecord:
    """One decision. `unit`: the profile, or the visitor while there is none; `shown_on`: the timeline where it is noted that it was shown."""

    decision_id: str
    kind: str  # offer, products, or what was said without an offer: moment, rule
    unit: str
    at_ms: int
    action: str  # the offer, or the products, comma-separated, or moment:<name>
    propensity: float
    is_forced: bool
    policy: str
    policy_version: str
    shown_on: str | None
    experiments: Mapping[str, str]  # experiment -> arm; holdout -> its side of it
    rule: str | None = None  # that brought the offer: its caps count, too
    features: tuple[float, ...] = ()  # what the bandit saw; nothing where it had no say
    context: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # what the caller said: anything

    @property
    def is_explored(self) -> bool:
        """A policy chose this offer among those that were left, by a known chance."""
        return self.kind == "offer" and not self.is_forced and bool(self.features)

    def encode(self) -> bytes:
        """JSON, as `decode` reads it."""
        return orjson.dumps(self)  # orjson writes a dataclass itself, without the copies of asdict


def decode(value: bytes) -> DecisionRecord:
    """The decision that `encode` wrote.

    Raises:
        StoreError: it was not, or by another version.
    """
    try:
        fields = orjson.loads(value)
        return DecisionRecord(**(fields | {"features": tuple(fields["features"])}))
    except (orjson.JSONDecodeError, TypeError, KeyError) as error:
        raise StoreError(
            f"online store: a decision cannot be read ({error!r}), expected one of this version"
        ) from error


def key(decision_id: str) -> str:
    """Of the document in the online store."""
    return f"d:{decision_id}"


def answer_key(decision_id: str) -> str:
    """Of the document that keeps what was answered to a request, so that it is answered the same again."""
    return f"answer:{decision_id}"


def log_id(*parts: str) -> str:
    """32 hex digits that no other parts share: the log keeps one message of each."""
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:32]


def decision_message(decision: DecisionRecord, candidates: Sequence[str]) -> dict[str, Any]:
    """The log's message of the decision, with the arms of who was decided on: an arm that shows nothing is known by it alone.

    `candidates`: the offers or products that could have been chosen.
    """
    return _message(decision, "decision", log_id("decision", decision.decision_id), decision.at_ms) | {
        "propensity": decision.propensity,
        "context": orjson.dumps(
            {
                **decision.context,
                "kind": decision.kind,
                "rule": decision.rule,
                "is_forced": decision.is_forced,
                "candidates": list(candidates),
                "arms": decision.experiments,
            }
        ).decode(),
    }


def exposure_messages(
    decision: DecisionRecord, at_ms: int, teaches: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """That it was shown, and one message for each experiment: whoever is exposed twice is logged once.

    `teaches`: what a policy needs to learn from it; None = none does.
    """
    shown = _message(decision, "exposure", log_id("exposure", decision.decision_id), at_ms)
    context = {} if teaches is None else {"context": orjson.dumps({"teaches": teaches}).decode()}
    return [shown | context] + [
        _message(decision, "exposure", log_id("exposure", experiment, decision.unit), at_ms)
        | {"experiment": experiment, "arm": arm}
        for experiment, arm in decision.experiments.items()
    ]


def outcome_message(
    decision: DecisionRecord, metric: str, value: float, at_ms: int, *, is_late: bool = False
) -> dict[str, Any]:
    """The log's message of an outcome, one for each metric of a decision. `at_ms`: ms since 1970."""
    message = _message(decision, "outcome", log_id("outcome", decision.decision_id, metric), at_ms)
    return message | {"metric": metric, "value": value, "context": orjson.dumps({"is_late": is_late}).decode()}


def _message(decision: DecisionRecord, kind: str, id_: str, at_ms: int) -> dict[str, Any]:
    return {
        "log_id": id_,
        "kind": kind,
        "decision_id": decision.decision_id,
        "unit": decision.unit,
        "action": decision.action,
        "policy_version": decision.policy_version,
        "occurred_at": at_ms,
    }
