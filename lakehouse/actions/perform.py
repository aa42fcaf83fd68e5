"""How an action is done: what a webhook is told, what a letter says."""

from collections.abc import Callable, Mapping
from typing import Any

from lakehouse.actions.action import Action
from lakehouse.actions.addresses import EmailAddresses
from lakehouse.actions.mail import MailSender
from lakehouse.actions.results import GiveUp, Result, Retry, Suppressed
from lakehouse.actions.templates import Templates
from lakehouse.actions.webhook import WebhookSender
from lakehouse.decisions.offers import Offer
from lakehouse.errors import ActionError, LakeError, StoreError
from lakehouse.identity.graph import Identifier
from lakehouse.online.profiles import OnlineProfile

Find = Callable[[tuple[Identifier, ...]], OnlineProfile | None]
Offers = Callable[[], Mapping[str, Offer]]


def to_webhook(sender: WebhookSender, *, find: Find, offers: Offers) -> Callable[[Action], Result]:
    """The whole action as JSON, with the profile as it resolves now, and the offer's content."""

    def perform(action: Action) -> Result:
        try:
            profile = find(action.identifiers)
        except StoreError as error:
            return Retry(str(error), is_its_fault=False)
        offer = _offer(action, offers)
        body = {
            **{"decision_id": action.decision_id, "cause": action.cause, "name": action.name},
            "profile_id": None if profile is None else profile.profile_id,
            "identifiers": [{"type": type_, "token": token} for type_, token in action.identifiers],
            **{"purpose": action.purpose, "offer": offer, "items": action.items, "detail": action.detail},
            "created_ms": action.created_ms,
        }
        return sender.send(body, action.id)

    return perform


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
