"""What mail systems report of letters: which addresses must not be written to any more.

Three shapes are read:

- ours: {"events": [{"type": "bounce" | "complaint" | "unsubscribe", "email": "...", "is_permanent": true}]}; a bounce is for good
  unless it says is_permanent: false
- Amazon SES by way of SNS, bare or in SNS's envelope, whose signature is verified. Source:
  https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
- SendGrid's Event Webhook. Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from serving.messages import sns_signature
from serving.messages.collector import Refused

MOST_EVENTS = 5_000
_EVENTS = {"type": "array", "items": {"type": "object"}, "maxItems": MOST_EVENTS}
SCHEMA: Mapping[str, Any] = {
    "anyOf": [
        {"type": "object", "required": ["events"], "properties": {"events": _EVENTS}},
        *({"type": "object", "required": [kind]} for kind in ("notificationType", "eventType")),
        _EVENTS,
    ]
}
"""The shapes as JSON Schema, SNS's envelope around the second apart."""
_EXPECTED = "expected events of ours, a notification of Amazon SES, or a list of SendGrid's events. See docs/how-to/add-a-destination.md"
# Tuples: what was sent may be an object or a list, which no set can be asked for.
_OURS = ("complaint", "unsubscribe")
_SENDGRID = ("spamreport", "unsubscribe", "group_unsubscribe")
_SENDGRID_DROPPED = ("bounced address", "spam reporting address", "unsubscribed address", "invalid")


@dataclass(frozen=True, kw_only=True)
class MailFeedback:
    """addresses: to be left alone, each once, in order. ignored: how many other things were reported, such as a delivery.

    is_subscription: whether SNS asks to confirm a new subscription. confirm_at: where the owner does; None = not by an address of Amazon's.
    """

    addresses: tuple[str, ...] = ()
    ignored: int = 0
    is_subscription: bool = False
    confirm_at: str | None = None


def mail_feedback(body: bytes, verify: Callable[[Mapping[str, Any]], None]) -> MailFeedback:
    """Read one report. `verify`: raises where an envelope of SNS is not Amazon's; nothing in it is read before.

    Raises:
        Refused: it is none of the shapes. Never tells what was sent: it is personal.
    """
    document = _json(body)
    if sns_signature.is_of_sns(document):
        verify(document)
        if document["Type"] == sns_signature.SUBSCRIPTION:
            return MailFeedback(is_subscription=True, confirm_at=sns_signature.subscribe_url(document))
        if document["Type"] == sns_signature.ENDED:
            return MailFeedback(ignored=1)
        document = _json(document["Message"].encode("utf-8", "surrogatepass"))
    if isinstance(document, dict) and isinstance(document.get("events"), list):
        found = [_ours(event) for event in _events(document["events"])]
    elif isinstance(document, dict) and ("notificationType" in document or "eventType" in document):
        found = [_ses(document)]
    elif isinstance(document, list):
        found = [_sendgrid(event) for event in _events(document)]
    else:
        raise Refused(f"body: a report of no known shape, {_EXPECTED}")
    addresses = dict.fromkeys(address for of_event in found for address in of_event)
    return MailFeedback(addresses=tuple(addresses), ignored=sum(not of_event for of_event in found))


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise Refused(f"body: no JSON, {_EXPECTED}") from error


def _events(sent: list[Any]) -> Iterator[Mapping[str, Any]]:
    if len(sent) > MOST_EVENTS:
        raise Refused(f"body: got {len(sent)} events, expected at most {MOST_EVENTS}. Send them in parts")
    for number, event in enumerate(sent):
        if not isinstance(event, dict):
            raise Refused(f"body[{number}]: no object, {_EXPECTED}")
        yield event


def _ours(event: Mapping[str, Any]) -> list[str]:
    is_bounce = event.get("type") == "bounce" and event.get("is_permanent", True) is not False
    return _address(event.get("email")) if is_bounce or event.get("type") in _OURS else []


def _ses(document: Mapping[str, Any]) -> list[str]:
    """A bounce that is not permanent says nothing of the address: a full mailbox, say."""
    kind = document.get("notificationType") or document.get("eventType")
    bounce, complaint = document.get("bounce"), document.get("complaint")
    recipients: Any = []
    if kind == "Bounce" and isinstance(bounce, dict) and bounce.get("bounceType") == "Permanent":
        recipients = bounce.get("bouncedRecipients")
    elif kind == "Complaint" and isinstance(complaint, dict):
        recipients = complaint.get("complainedRecipients")
    listed = recipients if isinstance(recipients, list) else []
    return [address for one in listed if isinstance(one, dict) for address in _address(one.get("emailAddress"))]


def _sendgrid(event: Mapping[str, Any]) -> list[str]:
    """A bounce of type `blocked` is for now. What was dropped names why: because of what was reported before, or of the owner's limits."""
    kind = event.get("event")
    is_bounce = kind == "bounce" and event.get("type") != "blocked"
    is_dropped = kind == "dropped" and str(event.get("reason", "")).lower().startswith(_SENDGRID_DROPPED)
    return _address(event.get("email")) if is_bounce or is_dropped or kind in _SENDGRID else []


def _address(sent: Any) -> list[str]:
    return [sent.strip()] if isinstance(sent, str) and sent.strip() else []
