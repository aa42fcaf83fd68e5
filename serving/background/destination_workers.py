"""The workers of the declared destinations, put together from configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from lakehouse.actions.action import Action
from lakehouse.actions.addresses import DeltaEmailAddresses
from lakehouse.actions.deliverer import Deliverer, dead_message
from lakehouse.actions.delivery import Result
from lakehouse.actions.destinations import Known, Topic, Webhook
from lakehouse.actions.mail import MailSender
from lakehouse.actions.pace import Breaker, Bucket
from lakehouse.actions.performers import Offers, Perform, by_topic, to_machine, to_mailbox
from lakehouse.actions.recipient_zones import RecipientZones
from lakehouse.actions.templates import Templates
from lakehouse.actions.turns import Turns
from lakehouse.actions.unsubscribe_links import links_of
from lakehouse.actions.webhook import WebhookSender
from lakehouse.actions.worker import Worker
from lakehouse.config import ActionsConfig, Config
from lakehouse.config.declarations import QuietHours
from lakehouse.decisions.gate import Permitted
from lakehouse.decisions.visitor import everybody_with
from lakehouse.errors import ConfigError
from lakehouse.online.store import OnlineStore
from serving.background.people import People
from serving.background.send_permission import SendPermission
from serving.background.sent_exposures import SentExposures
from serving.telemetry import Span

Destinations = Mapping[str, Known]
Tell = Callable[[str, str, bytes], None]
"""Topic, key and value of a record; returns once the broker has it."""


@dataclass(frozen=True, kw_only=True)
class DestinationWorkers:
    """What every worker needs. `store`: one that survives."""

    config: Config
    store: OnlineStore
    people: People
    zones: RecipientZones
    send_permission: SendPermission
    shown: SentExposures
    offers: Offers
    templates: Path
    clock: Callable[[], datetime]
    tell: Tell
    span: Span

    turns: Turns = field(default_factory=Turns)

    def deliverer(self, destinations: Destinations) -> Deliverer:
        """A worker for each destination, and what hands them their actions; not started."""
        return Deliverer(
            self.store,
            [self._worker(destination) for destination in destinations.values()],
            bury=lambda key, value: self.tell(self.config.actions.dead_topic, key, value),
            now_ms=lambda: int(self.clock().timestamp() * 1000),
        )

    def _worker(self, destination: Known) -> Worker:
        settings = self.config.actions
        perform = self._perform(destination)

        def spanned(permitted: Permitted[Action]) -> Result:
            action = permitted.what
            with self.span("action", destination=destination.name, cause=action.cause, cause_name=action.name):
                return perform(permitted)

        return Worker(
            destination=destination.name,
            store=self.store,
            settings=settings,
            quiet=destination.quiet_hours or quiet_hours(settings),
            offer_quiet=self._offer_quiet,
            zone=self._zone,
            retries_unknown=destination.retries_unknown,
            bucket=Bucket(destination.per_second or settings.per_second),
            breaker=Breaker(most_seconds=settings.backoff_max_seconds),
            clock=self.clock,
            turn=lambda action: self.turns.of(action.decision_id, self.send_permission.capped(action, self.clock())),
            perform=spanned,
            permit=lambda action: self.send_permission.permit(action, self.clock()),
            note=lambda action: self.shown.note(action, self.clock()),
            give_up=lambda action, reason: self.tell(settings.dead_topic, action.id, dead_message(action, reason)),
        )

    def _zone(self, action: Action) -> str | None:
        return self.zones.of(everybody_with(action.identifiers, (self.people.find(action.identifiers),)))

    def _offer_quiet(self, action: Action) -> QuietHours | None:
        offer = self.offers().get(action.offer or "")
        return None if offer is None else offer.quiet_hours

    def _perform(self, destination: Known) -> Perform:
        seconds = self.config.actions.timeout_seconds
        if isinstance(destination, Webhook):
            sender = WebhookSender(destination, timeout_seconds=seconds, clock=self.clock)
            return to_machine(sender.send, offers=self.offers)
        if isinstance(destination, Topic):
            return to_machine(by_topic(self.tell, destination.topic), offers=self.offers)
        return to_mailbox(
            MailSender(destination, timeout_seconds=seconds),
            offers=self.offers,
            addresses=DeltaEmailAddresses(self.config),
            templates=Templates(self.templates),
            links=links_of(self.config, is_private=destination.allow_private),
        )


def quiet_hours(settings: ActionsConfig) -> QuietHours | None:
    """None where they begin when they end.

    Raises:
        ConfigError: no such time zone.
    """
    if settings.quiet_from == settings.quiet_to:
        return None
    hours = {"from": settings.quiet_from, "to": settings.quiet_to, "zone": settings.time_zone}
    try:
        return QuietHours.model_validate(hours)
    except ValidationError as error:
        raise ConfigError(
            f"actions.time_zone: got '{settings.time_zone}', expected a time zone such as Europe/Berlin. Mend it"
        ) from error
