"""Where each field of a Segment-spec message lies in its JSON, and the one Spark SQL type that reads them all at once.

Source: Segment spec, common fields and ecommerce events. Both camelCase and snake_case places are read.
"""

from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

# field -> places, the first that holds something wins
PLACES: dict[str, tuple[str, ...]] = {
    "type": ("type",),
    "message_id": ("messageId",),
    "user_id": ("userId",),
    "anonymous_id": ("anonymousId",),
    "previous_id": ("previousId",),
    "group_id": ("groupId",),
    "event_name": ("event",),
    "page_name": ("name", "properties.name"),
    "original_timestamp": ("originalTimestamp", "timestamp"),
    "sent_at": ("sentAt",),
    "received_at_sent": ("receivedAt",),
    "email": ("traits.email", "context.traits.email", "properties.email"),
    "phone": ("traits.phone", "context.traits.phone", "properties.phone"),
    "loyalty_id": tuple(
        f"{place}.{name}"
        for place in ("traits", "context.traits", "properties")
        for name in ("loyalty_id", "loyaltyId")
    ),
    "device_id": ("context.device.id",),
    "order_id": ("properties.order_id", "properties.orderId"),
    "product_id": ("properties.product_id", "properties.productId"),
    "session_id": (
        "properties.session_id",
        "properties.sessionId",
        "context.session_id",
        "context.sessionId",
    ),
    "revenue": ("properties.revenue",),
    "total": ("properties.total",),
    "amount_value": ("properties.value",),
    "price": ("properties.price",),
    "quantity": ("properties.quantity",),
    "currency": ("properties.currency",),
    "query": ("properties.query",),
    "coupon": ("properties.coupon", "properties.coupon_id", "properties.couponId"),
    "page_url": ("context.page.url", "properties.url"),
    "campaign": ("context.campaign.name",),
    "channel": ("channel", "context.channel"),
    "user_agent": ("context.userAgent",),
    "street": ("traits.address.street",),
    "city": ("traits.address.city",),
    "region": ("traits.address.region", "traits.address.state"),
    "postal_code": ("traits.address.postal_code", "traits.address.postalCode"),
    "country": ("traits.address.country",),
}

# An object or array here breaks the contract; elsewhere it only means that there is no such text.
TEXT_FIELDS = (
    "type",
    "message_id",
    "user_id",
    "anonymous_id",
    "previous_id",
    "group_id",
    "event_name",
    "original_timestamp",
    "sent_at",
    "email",
    "phone",
    "loyalty_id",
    "device_id",
    "order_id",
    "product_id",
    "session_id",
    "currency",
)
OBJECTS = ("context", "properties", "traits")

# Places that are not one text.
_OTHERS: dict[str, str] = {
    "properties.products": "array<struct<product_id:string,productId:string,name:string,quantity:string,price:string>>",
    "context.externalIds": "array<struct<type:string,id:string>>",
    "context.consent.categoryPreferences": "struct<analytics:boolean,personalization:boolean,marketing:boolean>",
}


def ddl() -> str:
    """The Spark SQL type of the whole message: every place of PLACES as text, and the few that are not text."""
    tree: dict[str, Any] = {}
    leaves = {place: "string" for places in PLACES.values() for place in places} | _OTHERS
    for place, type_ in leaves.items():
        *parents, leaf = place.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = type_
    return _render(tree)


def _render(node: Any) -> str:
    if isinstance(node, str):
        return node
    return "struct<" + ",".join(f"{name}:{_render(child)}" for name, child in node.items()) + ">"


def text(field: str, message: str) -> Column:
    """The field as sent, without spaces around it; null = absent, null or blank. Numbers and booleans come as text."""
    return F.coalesce(*(F.nullif(F.trim(F.col(f"{message}.{place}")), F.lit("")) for place in PLACES[field]))


def is_nested(document: Column, place: str) -> Column:
    """Whether `place` holds an object or array. Exact but slow: a text may start with a brace, too."""
    return F.coalesce(_kind(document, place).rlike("^(OBJECT|ARRAY)<"), F.lit(False))


def is_other_than_object(document: Column, place: str) -> Column:
    """Whether `place` holds something, and that is no object."""
    return F.coalesce(~_kind(document, place).rlike("^(OBJECT<|VOID$)"), F.lit(False))


def is_other_than_null(document: Column, place: str) -> Column:
    """Whether `place` holds anything."""
    return F.coalesce(_kind(document, place) != "VOID", F.lit(False))


def _kind(document: Column, place: str) -> Column:
    """The Spark SQL type of what `place` holds; null = it is not there."""
    return F.schema_of_variant(F.try_variant_get(document, f"$[0].{place}", "variant"))
