"""What the API answers, as documented in its OpenAPI page; tests hold every answer to these models."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Rung = Literal["model", "cached", "popularity"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StepAnswer(_Answer):
    step: str
    outcome: str
    subject: str | None = None


class EventsAnswer(_Answer):
    """Of the events that came inside the request: how many, how many Kafka has acknowledged, and `withheld` as of the collector's answer."""

    received: int
    acknowledged: int
    withheld: int | None = None


class _Decision(_Answer):
    """`degraded`: something the answer should have been made from was missing; `rung`: what it was made from instead."""

    decision_id: str
    profile_id: str | None
    profile_version: int | None
    rung: Rung
    degraded: bool
    degraded_because: list[str]
    silent_because: str | None = None
    model_version: str | None
    policy_version: str
    rules_version: str
    experiments: dict[str, str]
    events: EventsAnswer
    explain: list[StepAnswer] | None = None


class ItemAnswer(_Answer):
    product_id: str
    rank: int
    score: float
    reason: str


class RecommendationAnswer(_Decision):
    items: list[ItemAnswer]


class OfferAnswer(_Answer):
    """`propensity`: probability with which this offer came first; null for the others."""

    name: str
    title: str
    rank: int
    score: float
    reason: str
    propensity: float | None
    content: dict[str, Any]


class DecisionAnswer(_Decision):
    """`action`: the first offer's name, or none."""

    action: str
    offers: list[OfferAnswer]


class ProfileAnswer(_Answer):
    """What is known of a person, without personal data: identifiers as tokens where they are personal.

    `features`: those of conf/features.yaml that are online, windows ending now. `withheld`: why `profile`, `features` and `recent` are empty: nothing personal may be told of them; null = it is told.
    """

    profile_id: str | None
    version: int | None
    degraded: bool
    identifiers: list[list[str]]
    profile: dict[str, Any]
    features: dict[str, Any]
    recent: dict[str, Any]
    consent: dict[str, bool | None]
    withheld: str | None


class ExposureAnswer(_Answer):
    decision_id: str
    logged: bool
    duplicate: bool


class OutcomeAnswer(_Answer):
    """`late`: after serving.exposure_days; it is recorded, nothing learns from it."""

    decision_id: str
    recorded: bool
    duplicate: bool
    late: bool


class RefusedAnswer(_Answer):
    """`index`: which message of the batch, from 0."""

    index: int
    reason: str


class CollectedAnswer(_Answer):
    """`refused`: what was not taken while the others were; sending it again is of no use. `withheld`: of how many of those acknowledged nothing is kept but what they
    say of consent: their person refused `consent.storage`.
    """

    success: bool
    acknowledged: int
    refused: list[RefusedAnswer] | None = None
    withheld: int | None = None


class WebhookAnswer(_Answer):
    """`acknowledged`: records that Kafka has by now; 0 of a body that only asked whether anybody is there."""

    success: bool
    acknowledged: int


class AvailabilityAnswer(_Answer):
    product_ids: list[str]
    is_available: bool


class SuppressionAnswer(_Answer):
    is_suppressed: bool


class FeedbackAnswer(_Answer):
    """suppressed: addresses that are left alone now. ignored: what said nothing of an address, or named none."""

    suppressed: int
    ignored: int


class PageTokenAnswer(_Answer):
    """`token`: null where nobody could be known by the identifier."""

    token: str | None
    expires_at: datetime


class HealthAnswer(_Answer):
    """The process runs."""

    status: Literal["ok"]


class StatusAnswer(_Answer):
    """What is there, what is faulty, and sums since this process began. `spooled_bytes`: on disk, waiting for Kafka."""

    kafka: Literal["connected", "away"]
    online_store: Literal["lmdb", "redis"]
    recommender: str
    rules: str
    faults: list[str]
    decisions: int
    by_rung: dict[Rung, int]
    degraded: int
    events: int
    outcomes: int
    listeners: int
    spooled_bytes: int
    pushed: int
    decision_log_lost: int
    newest_behaviour_dropped: int
    late_milliseconds: float
    now: datetime


class ReadyAnswer(_Answer):
    """`waits_for`: each part that is not there, and why. Answered with 503 unless it is empty."""

    ready: bool
    waits_for: dict[str, str]


class Fault(_Answer):
    """Every refusal: where, what was wrong, what was expected. The same in `message`, where Segment's libraries read it."""

    detail: str
    code: str
    message: str
    refused: list[RefusedAnswer] | None = None
