"""What an event of a name needs, one declaration a name. Source: Segment spec, V2 ecommerce events.

Only the track events named here are held to the rules of lakehouse/events/commerce.py; anything may stand in somebody's own
event. To add a name, declare it here: parse, quarantine, silver and docs follow.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EventContract:
    """What a track event needs so that it means something.

    needs: fields of schema.TEXTS without one of which the event is rejected. has_value: it moves money, so its amount and
    currency are kept. needs_value: rejected without an amount. keeps_query: its search text is kept.
    """

    name: str
    needs: tuple[str, ...] = ()
    has_value: bool = False
    needs_value: bool = False
    keeps_query: bool = False


ORDER_COMPLETED = EventContract(name="Order Completed", needs=("order_id",), has_value=True, needs_value=True)
ORDER_REFUNDED = EventContract(name="Order Refunded", needs=("order_id",), has_value=True)
PRODUCTS_SEARCHED = EventContract(name="Products Searched", keeps_query=True)
PRODUCT_VIEWED = EventContract(name="Product Viewed")
PRODUCT_ADDED = EventContract(name="Product Added")

CONTRACTS = (
    ORDER_COMPLETED,
    ORDER_REFUNDED,
    PRODUCTS_SEARCHED,
    PRODUCT_VIEWED,
    PRODUCT_ADDED,
    EventContract(name="Order Updated"),
    EventContract(name="Order Cancelled"),
    EventContract(name="Product List Viewed"),
    EventContract(name="Product List Filtered"),
    EventContract(name="Product Clicked"),
    EventContract(name="Product Removed"),
    EventContract(name="Product Added to Wishlist"),
    EventContract(name="Product Removed from Wishlist"),
    EventContract(name="Wishlist Product Added to Cart"),
    EventContract(name="Cart Viewed"),
    EventContract(name="Checkout Started"),
    EventContract(name="Checkout Step Viewed"),
    EventContract(name="Checkout Step Completed"),
    EventContract(name="Payment Info Entered"),
    EventContract(name="Coupon Entered"),
    EventContract(name="Coupon Applied", needs=("coupon",)),
    EventContract(name="Coupon Denied"),
    EventContract(name="Coupon Removed"),
    EventContract(name="Promotion Viewed"),
    EventContract(name="Promotion Clicked"),
    EventContract(name="Product Shared"),
    EventContract(name="Cart Shared"),
    EventContract(name="Product Reviewed"),
)


def names(is_wanted: Callable[[EventContract], bool] = lambda _: True) -> tuple[str, ...]:
    """Names of the events whose contract is wanted."""
    return tuple(contract.name for contract in CONTRACTS if is_wanted(contract))


def names_by_need() -> dict[str, tuple[str, ...]]:
    """Field -> names of the events that need it, in the order of the contracts."""
    fields = dict.fromkeys(field for contract in CONTRACTS for field in contract.needs)
    return {field: tuple(one.name for one in CONTRACTS if field in one.needs) for field in fields}
