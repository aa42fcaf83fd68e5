"""How an action is done: what another system is told, what a letter says. Nothing is done that did not pass the gate."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from lakehouse.actions.action import Action
from lakehouse.actions.addresses import EmailAddresses
from lakehouse.actions.delivery import GiveUp, Result, Retry, Sent, Suppressed
from lakehouse.actions.mail import MailSender
from lakehouse.actions.templates import Templates
from lakehouse.actions.unsubscribe_links import UnsubscribeLinks
from lakehouse.decisions.gate import Permitted
from lakehouse.decisions.offers import Offer
from lakehouse.errors import ActionError, BrokerError, LakeError

Offers = Callable[[], Mapping[str, Offer]]


Perform = Callable[[Permitted[Action]], Result]
Send = Callable[[Permitted[Mapping[str, Any]], str], Result]
"""A body and the key of the action, the same for every attempt."""


def to_machine(send: Send, *, offers: Offers) -> Perform:
    """The whole action as JSON, with the profile that passed, and the offer's content."""

    def perform(permitted: Permitted[Action]) -> Result:
        action, profile = permitted.what, permitted.circumstances.visitor.profile
        body = {
            **{"decision_id": action.decision_id, "cause": action.cause, "name": action.name},
            "profile_id": None if profile is None else profile.profile_id,
            "identifiers": [{"type": type_, "token": token} for type_, token in action.identifiers],
            **{"purpose": action.purpose, "offer": _offer(action, offers), "items": action.items},
            **{"created_ms": action.created_ms, "detail": action.detail},
        }
        return send(permitted.put_as(body), action.id)

    return perform


def by_topic(tell: Callable[[str, str, bytes], None], topic: str) -> Send:
    """A record of a topic."""

    def send(body: Permitted[Mapping[str, Any]], key: str) -> Result:
        try:
            tell(topic, key, orjson.dumps(body.what))
        except BrokerError as error:
            return Retry(str(error))
        return Sent()

    return send


def to_mailbox(
    sender: MailSender,
    *,
    offers: Offers,
    addresses: EmailAddresses,
    templates: Templates,
    links: UnsubscribeLinks | None,
) -> Perform:
    """A letter to the address the person was last identified with, looked up now.

    Content blocks: `<offer>` and `items`, those the templates have. `features`: the person's online features, by name.
    """

    def perform(permitted: Permitted[Action]) -> Result:
        action, profile = permitted.what, permitted.circumstances.visitor.profile
        try:
            address = None if profile is None else addresses.latest(profile)
        except LakeError as error:
            return Retry(str(error), is_its_fault=False)
        if address is None:
            return Suppressed("no e-mail address")
        offer = _offer(action, offers)
        blocks = ([str(action.offer)] if offer else []) + (["items"] if action.items else [])
        url = None if links is None else links.url(address)
        values = {"offer": offer, "items": action.items, "name": action.name, "detail": action.detail}
        values |= {"features": dict(permitted.circumstances.features), "unsubscribe_url": url}
        try:
            letter = templates.letter(action.template or action.name, values, blocks=tuple(blocks))
        except ActionError as error:
            return GiveUp(str(error))
        return sender.send(permitted.put_as(replace(letter, unsubscribe_url=url)), address, action.id)

    return perform


def _offer(action: Action, offers: Offers) -> dict[str, Any] | None:
    offer = offers().get(action.offer or "")
    return None if offer is None else {"name": offer.name, "title": offer.title, "content": dict(offer.content)}
