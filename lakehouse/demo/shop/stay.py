"""A visit under way: composes the Segment messages of one person on one device and hands them on.

Messages are built as text from prepared parts: five times faster than encoding dictionaries, and money stays exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from lakehouse.demo.shop.catalogue import Product, ShopCatalogue
from lakehouse.demo.shop.clock import SECOND_MS, iso
from lakehouse.demo.shop.devices import uuid
from lakehouse.demo.shop.people import BARGAIN, Shopper
from lakehouse.demo.shop.visits import Visit
from lakehouse.demo.truth import Truth
from lakehouse.kafka.message import routing_key

Emit = Callable[[int, bytes, bytes, str], None]  # received_ms, key, value, message_id

SERVER_CONTEXT = '"library":{"name":"analytics-java","version":"3.5.2"}'
_CAMPAIGNS = ("autumn_sale", "newsletter_34", "winback", "brand_search")
_MEDIUMS = ("email", "cpc", "social", "push")


@dataclass(frozen=True, slots=True)
class World:
    """What every visit shares. `order_count` counts up through `next_order_id`."""

    rng: Random
    catalogue: ShopCatalogue
    truth: Truth
    emit: Emit
    order_count: list[int]

    def next_order_id(self) -> str:
        self.order_count[0] += 1
        return f"o{self.order_count[0]:08d}"


@dataclass(frozen=True, slots=True)
class Personal:
    """Identifiers a message carries in traits, as the truth knows them; null = not carried."""

    email: str | None = None
    phone: str | None = None
    loyalty_id: str | None = None


NOTHING = Personal()


class Stay:
    """One visit while it is rendered: who, on what, what is in the cart, what time it is."""

    def __init__(self, world: World, visit: Visit) -> None:
        self.world = world
        self.visit = visit
        self.person: Shopper = visit.person
        self.is_known = visit.is_known
        self.at = visit.start
        self.cart: list[tuple[Product, int]] = []
        self.viewed: Product | None = None
        self.coupon: str | None = None
        self.last_order: str = ""  # properties of the visit's order, for the server's echo
        device = visit.device
        if device is not None:
            consent = "" if device.channel == "kiosk" else self.person.consent
            session = f',"sessionId":"{world.rng.getrandbits(48):012x}"'
            self._context = device.context + consent + session + self._campaign()

    def _campaign(self) -> str:
        rng = self.world.rng
        if rng.random() > (0.35 if self.person.behaviour is BARGAIN else 0.12):
            return ""
        n = int(rng.random() * len(_CAMPAIGNS))
        return f',"campaign":{{"name":"{_CAMPAIGNS[n]}","source":"shop","medium":"{_MEDIUMS[n]}"}}'

    def pick(self) -> Product:
        return self.world.catalogue.pick(self.world.rng, self.person.favourite, self.person.behaviour.tier)

    def web(self, head: str, body: str, *, traits: str = "", page: str = "", personal: Personal = NOTHING) -> None:
        """Send from the visit's device. `head`: fields after messageId; `traits`: context.traits; `page`: its path."""
        visit, device = self.visit, self.visit.device
        assert device is not None
        user_id = self.person.user_id if self.is_known else None
        head += f',"anonymousId":"{visit.anonymous_id}"' + (f',"userId":"{user_id}"' if user_id else "")
        context = self._context + _page(page) + (f',"traits":{{{traits}}}' if traits else "")
        bundle = (user_id, personal.email, personal.phone, personal.loyalty_id, device.device_id, visit.anonymous_id)
        self._send(head, device.channel, context, body, bundle, device.skew_ms)

    def alias(self) -> None:
        """The old id and the new one, no anonymousId, as the alias call is specified; it carries both identifiers."""
        device, user_id = self.visit.device, self.person.user_id
        assert device is not None
        head = f'"type":"alias","previousId":"{self.visit.anonymous_id}","userId":"{user_id}"'
        bundle = (user_id, None, None, None, device.device_id, self.visit.anonymous_id)
        self._send(head, device.channel, self._context, '"integrations":{"All":true}', bundle, device.skew_ms)

    def server(
        self,
        head: str,
        body: str,
        channel: str,
        *,
        user_id: str | None = None,
        traits: str = "",
        personal: Personal = NOTHING,
    ) -> None:
        """Send from a till, a call centre or the back office: no device, no anonymousId."""
        head += f',"userId":"{user_id}"' if user_id else ""
        context = SERVER_CONTEXT + (f',"traits":{{{traits}}}' if traits else "")
        bundle = (user_id, personal.email, personal.phone, personal.loyalty_id, None, None)
        self._send(head, channel, context, body, bundle, 0)

    def _send(
        self,
        head: str,
        channel: str,
        context: str,
        body: str,
        bundle: tuple[str | None, str | None, str | None, str | None, str | None, str | None],
        skew_ms: int,
    ) -> None:
        rng, late = self.world.rng, self.visit.late_ms
        message_id = uuid(rng)
        sent = max(self.visit.start + late, self.at) if late else self.at + int(rng.random() * 2.5 * SECOND_MS)
        received = sent + 20 + int(rng.random() * 400)
        text = (
            f'{{"messageId":"{message_id}",{head},"channel":"{channel}","originalTimestamp":"{iso(self.at + skew_ms)}",'
            f'"sentAt":"{iso(sent + skew_ms)}","receivedAt":"{iso(received)}","context":{{{context}}},{body}}}'
        )
        self.world.truth.add_message(message_id, self.person.person_id, bundle, self.at)
        user_id, email, phone, loyalty_id, device_id, anonymous_id = bundle
        key = routing_key(anonymous_id, user_id, loyalty_id, email, phone, device_id)
        self.world.emit(received, key, text.encode(), message_id)


def _page(path: str) -> str:
    return f',"page":{{"path":"{path}","url":"https://shop.example{path}?ref=nav","title":"Shop"}}' if path else ""
