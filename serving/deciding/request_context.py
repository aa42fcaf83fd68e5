"""What every request of the API is answered from: who asks, under what circumstances, which events came along."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from lakehouse.decisions.circumstances import Circumstances, circumstances_of
from lakehouse.decisions.trace import Trace
from lakehouse.decisions.visitor import Visitor
from lakehouse.errors import StoreError
from lakehouse.events.reader import text
from lakehouse.online.recent_entries import entries_of_many
from serving.deciding.storage_consent import storable
from serving.kafka.producer import Overloaded, acknowledged
from serving.messages import collector
from serving.messages.request_models import VisitorRequest
from serving.service import Service

if TYPE_CHECKING:
    import asyncio

_FIELDS = {"user_id": "userId", "anonymous_id": "anonymousId"}
_TRAITS = ("email", "phone", "loyalty_id")
ACKNOWLEDGE_SECONDS = 0.5  # longest an answer waits for Kafka to take the events that came with the request


@dataclass(kw_only=True)
class RequestContext:
    """One request, ready to be decided on.

    here: what the request says of where the visitor is.
    sent: of the events that came along, those on their way to Kafka. withheld, left_out: how many of them are not to be stored, and of how many nothing at all is
    (storage_consent.py). missing: what the answer should have been made from and was not, in words; it grows while the answer is made.
    """

    decision_id: str
    request: VisitorRequest
    here: Mapping[str, Any]
    circumstances: Circumstances
    is_pressed: bool
    sent: "list[asyncio.Future[None]]"
    withheld: int
    left_out: int
    missing: list[str]

    @property
    def visitor(self) -> Visitor:
        """Whom it is about."""
        return self.circumstances.visitor

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self.circumstances.now.timestamp() * 1000)

    def answer(
        self,
        service: Service,
        rung: str,
        trace: Trace,
        events: Mapping[str, int],
        model_version: str | None,
        policy_version: str,
        silence: str | None = None,
    ) -> dict[str, Any]:
        """What every decision's answer begins with: serving/messages/answer_models.py."""
        profile = self.visitor.profile
        service.counters.degraded += bool(self.missing)
        service.counters.by_rung[rung] += 1
        common = {
            "decision_id": self.decision_id,
            "profile_id": None if profile is None else profile.profile_id,
            "profile_version": None if profile is None else profile.version,
            "rung": rung,
            "degraded": bool(self.missing),
            "degraded_because": self.missing,
            "silent_because": silence,
            "model_version": model_version,
            "policy_version": policy_version,
            "rules_version": self.circumstances.rules_version,
            "experiments": self.circumstances.arm_names,
            "events": events,
        }
        return common | ({"explain": [asdict(step) for step in trace.steps]} if trace.is_wanted else {})


async def read_context(service: Service, request: VisitorRequest, *, is_pressed: bool) -> RequestContext:
    """Read the visitor and what holds for them. The events that came along are on their way to Kafka, and counted.

    Under pressure nothing is read: what is left is an answer for anybody.
    """
    now, here = service.clock(), request.context.said()
    identifier = service.visitors.identifier(*request.typed_identifier)
    brought = await _send_events(service, request, now)
    visitor = service.visitors.unread(identifier, now) if is_pressed else await service.visitors.find(identifier, now)
    circumstances = circumstances_of(
        visitor, service.inputs(), now=now, here=here, event=brought.newest, segment=request.segment
    )
    remember_unit(service, circumstances)
    return RequestContext(
        decision_id=decision_id_of(request),
        request=request,
        here=here,
        circumstances=circumstances,
        is_pressed=is_pressed,
        sent=brought.sent,
        withheld=brought.withheld,
        left_out=brought.left_out,
        missing=list(circumstances.missing),
    )


def remember_unit(service: Service, circumstances: Circumstances) -> None:
    """Keep as whom experiments count the visitor: the arm that is told now stays."""
    if circumstances.is_counted:
        visitor, at_ms = circumstances.visitor, int(circumstances.now.timestamp() * 1000)
        service.facts.put(visitor.units.to_tell(visitor.unit, at_ms))


class _Brought(NamedTuple):
    """The events of a request; the fields are those of RequestContext. newest: the last of them, in the vocabulary of rules."""

    sent: "list[asyncio.Future[None]]"
    newest: Mapping[str, Any] | None
    withheld: int = 0
    left_out: int = 0


async def _send_events(service: Service, request: VisitorRequest, now: datetime) -> _Brought:
    """Hand the events to Kafka and to the visitor's newest behaviour."""
    if not request.events:
        return _Brought([], None)
    sent_events = [
        event.model_dump(mode="json", exclude_defaults=True) | {"type": event.type} for event in request.events
    ]
    records = collector.of_request(sent_events, _identity(*request.typed_identifier), now)
    topic, sent = service.config.kafka.events_topic, []
    try:
        kept, withheld = await storable(service, records, now)
        left_out = len(records) - len(kept)
    except StoreError:  # nobody knows what they refused: nothing is kept, and none of it is told as acknowledged
        kept, withheld, left_out = [], 0, 0
    for record in kept:
        try:
            sent.append(service.out.send(topic, record.key, record.value))
        except Overloaded:
            break  # those that were not taken are told as not acknowledged
    count_events(service, [record.event for record in kept], now)
    return _Brought(sent, vocabulary_of(records[-1].event), withheld, left_out)


def count_events(service: Service, events: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Let events count at once for whoever they are about."""
    service.counters.events += len(events)
    service.pending.append(entries_of_many(events, service.reader, arrived_at=now))


def vocabulary_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event, in the vocabulary of rules; a value of another type than the vocabulary's is as good as absent."""
    properties = event.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    return {
        "event_type": event.get("type"),
        "event_name": _text(event.get("event") or event.get("name")),
        "product_id": text(event, "product_id"),
        "category": _text(properties.get("category")),
        "price": _number(properties.get("price")),
    }


def _number(value: Any) -> float | None:
    """None, too, for whole numbers that no float reaches."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _identity(type_: str, value: str) -> dict[str, Any]:
    """The identifier of the request as an event carries it. Source: Segment spec, common fields."""
    if type_ in _FIELDS:
        return {_FIELDS[type_]: value}
    if type_ in _TRAITS:
        return {"context": {"traits": {type_: value}}}
    if type_ == "device_id":
        return {"context": {"device": {"id": value}}}
    return {"context": {"externalIds": [{"type": type_, "id": value}]}}


def decision_id_of(request: VisitorRequest) -> str:
    """The same for a request that is sent again under its `request_id`; else of this one alone."""
    if not request.request_id:
        return token_hex(16)
    cause = [type(request).__name__, *request.typed_identifier, request.request_id]
    return hashlib.sha256(orjson.dumps(cause)).hexdigest()[:32]


async def await_events(context: RequestContext) -> dict[str, int]:
    """Wait, not long, for Kafka to take the events that came along: EventsAnswer. There is nothing to wait for of one that is left out."""
    received = len(context.request.events)
    taken = context.left_out + await acknowledged(context.sent, ACKNOWLEDGE_SECONDS)
    if taken < received:
        context.missing.append(f"kafka: {received - taken} of {received} events not acknowledged. Send them again")
    told = {"received": received, "acknowledged": taken}
    return told | ({"withheld": context.withheld} if context.withheld else {})
