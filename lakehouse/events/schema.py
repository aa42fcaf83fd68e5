"""Where each field of a Segment-spec message lies in its JSON.

Source: Segment spec, common fields and ecommerce events. Both camelCase and snake_case places are read.
"""

from dataclasses import dataclass

NO_LIMIT = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Text:
    """A field that must be text: its places, of which the first that holds something wins, and its longest length.

    is_id: brought into the one form of ids. is_held: a placeholder there is no id, see lakehouse/events/blocked_values.py; those
    of identifiers are dropped where identifiers are read.
    """

    places: tuple[str, ...]
    limit: int = NO_LIMIT
    is_id: bool = False
    is_held: bool = False


def _identifier(*places: str) -> Text:
    return Text(places=places, limit=200, is_id=True)


def _id(*places: str) -> Text:
    return Text(places=places, limit=200, is_id=True, is_held=True)


def _text(*places: str) -> Text:
    return Text(places=places)


TEXTS: dict[str, Text] = {
    "type": _text("type"),
    "message_id": Text(places=("messageId",), limit=100),
    "user_id": _identifier("userId"),
    "anonymous_id": _identifier("anonymousId"),
    "previous_id": _identifier("previousId"),
    "group_id": _id("groupId"),
    "event_name": _text("event"),
    "page_name": _text("name"),
    "original_timestamp": _text("originalTimestamp", "timestamp"),
    "sent_at": _text("sentAt"),
    "email": Text(
        places=("traits.email", "traits.Email", "context.traits.email", "context.traits.Email", "properties.email"),
        limit=400,
    ),
    "phone": Text(
        places=("traits.phone", "traits.Phone", "context.traits.phone", "context.traits.Phone", "properties.phone"),
        limit=200,
    ),
    "loyalty_id": _identifier(
        *("traits.loyalty_id", "traits.loyaltyId", "context.traits.loyalty_id", "context.traits.loyaltyId"),
        *("properties.loyalty_id", "properties.loyaltyId"),
    ),
    "device_id": _identifier("context.device.id"),
    "order_id": _id("properties.order_id", "properties.orderId"),
    "product_id": _id("properties.product_id", "properties.productId", "properties.sku"),
    "session_id": _id("properties.session_id", "properties.sessionId", "context.session_id", "context.sessionId"),
    "currency": Text(places=("properties.currency", "properties.currency_code", "properties.currencyCode"), is_id=True),
    "coupon": _text("properties.coupon", "properties.coupon_id", "properties.couponId", "properties.coupon_name"),
    "campaign": _text("context.campaign.name"),
    "channel": _text("channel", "context.channel"),
}
OBJECTS = ("context", "properties", "traits")
SAID = ("revenue", "total", "value")  # what an order is worth; the first that is said holds
# What a refund gave back has more names: one that nobody read would be a refund of the whole order. A name that can mean nothing else goes first, for
# `total` beside it may be the order's.
GIVEN_BACK = (
    *("refund_amount", "refundAmount", "refunded_amount", "amount_refunded", "refund_total", "refundTotal"),
    *("total_refunded", "totalRefunded"),
)
SAID_OF_REFUND = (*GIVEN_BACK, *SAID, "amount")
AMOUNTS = {name: f"properties.{name}" for name in (*SAID, "price", "quantity", *GIVEN_BACK, "amount")}
# The spec's name of an order's lines, and what other specs, shops and tills call them; the first that says something holds. A refund whose lines nobody read would be
# one of the whole order.
LINES = ("products", "items", "line_items", "lineItems", "order_items", "orderItems")
LINES_OF_REFUND = (
    *LINES,
    *("refund_line_items", "refundLineItems", "refunded_items", "refundedItems", "returned_items", "returnedItems"),
    *("refunded_products", "refundedProducts", "returned_products", "returnedProducts"),
)
# Of what an event tells in its properties only the declared events' address and telephone are the sender's own.
OF_DECLARED_EVENTS = ("properties.email", "properties.phone")
