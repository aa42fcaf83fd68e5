"""How an action is done: what another system is told, what a letter says."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from lakehouse.actions.action import Action
from lakehouse.actions.addresses import EmailAddresses
from lakehouse.actions.delivery import GiveUp, Result, Retry, Sent, Suppressed
from lakehouse.actions.mail import MailSender
from lakehouse.actions.templates import Templates
from lakehouse.decisions.offers import Offer
from lakehouse.errors import ActionError, BrokerError, LakeError, StoreError
from lakehouse.events.identifier import Identifier
from lakehouse.online.online_profile import OnlineProfile

Find = Callable[[tuple[Identifier, ...]], OnlineProfile | None]
Offers = Callable[[], Mapping[str, Offer]]


Send = Callable[[Mapping[str, Any], str], Result]
"""A body and the key of the action, the same for every attempt."""


def to_machine(send: Send, *, find: Find, offers: Offers) -> Callable[[Action], Result]:
    """The whole action as JSON, with the profile as it resolves now, and the offer's content."""

    def perform(action: Action) -> Result:
        try:
            profile = find(action.identifiers)
        except StoreError as error:
            return Retry(str(error), is_its_fault=False)
        body = {
            **{"decision_id": action.decision_id, "cause": action.cause, "name": action.name},
            "profile_id": None if profile is None else profile.profile_id,
            "identifiers": [{"type": type_, "token": token} for type_, token in action.identifiers],
            **{"purpose": action.purpose, "offer": _offer(action, offers), "items": action.items},
            **{"created_ms": action.created_ms, "detail": action.detail},
        }
        return send(body, action.id)

    return perform


def by_topic(tell: Callable[[str, str, bytes], None], topic: str) -> Send:
    """A record of a topic."""

    def send(body: Mapping[str, Any], key: str) -> Result:
        try:
            tell(topic, key, orjson.dumps(body))
        except BrokerError as error:
            return Retry(str(error))
        return Sent()

    return send


def to_mailbox(
    sender: MailSender, *, find: Find, offers: Offers, addresses: EmailAddresses, templates: Templates
) -> Callable[[Action], Result]:
    """A letter to the address the person was last identified with, looked up now.

    Content blocks: `<offer>` and `items`, those the templates have.
    """

    def perform(action: Action) -> Result:
        try:
            profile = find(action.identifiers)
            address = None if profile is None else addresses.latest(profile)
        except (StoreError, LakeError) as error:
            return Retry(str(error), is_its_fault=False)
        if profile is None or address is None:
            return Suppressed("no e-mail address")
        offer = _offer(action, offers)
        blocks = ([str(action.offer)] if offer else []) + (["items"] if action.items else [])
        values = {"offer": offer, "items": action.items, "name": action.name, "detail": action.detail}
        try:
            letter = templates.letter(action.template or action.name, values, blocks=tuple(blocks))
        except ActionError as error:
            return GiveUp(str(error))
        return sender.send(letter, address, action.id)

    return perform


def _offer(action: Action, offers: Offers) -> dict[str, Any] | None:
    offer = offers().get(action.offer or "")
    return None if offer is None else {"name": offer.name, "title": offer.title, "content": dict(offer.content)}
