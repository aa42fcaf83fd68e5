"""What an event of a name needs, one declaration a name. Source: Segment spec, V2 ecommerce events.

Only the track events named here are held to the rules of lakehouse/events/commerce.py; anything may stand in somebody's own
event. To add a name, declare it here: parse, quarantine, silver and docs follow. A name is known in any spelling: case, blanks,
dashes and underscores say nothing, and older names are those of conf/base.toml, [events.names].
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import ids
from lakehouse.events.remembered import Remembered

_BETWEEN_WORDS = (
    r"[\s_.:/\u00a0\u1680\u2000-\u200a\u2010-\u2015\u2028\u2029\u202f\u205f\u3000-]++"  # blanks and dashes of any kind
)


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
ORDER_UPDATED = EventContract(name="Order Updated", needs=("order_id",), has_value=True)
ORDER_CANCELLED = EventContract(name="Order Cancelled", needs=("order_id",))  # what it was worth no longer matters
ORDER_REFUNDED = EventContract(name="Order Refunded", needs=("order_id",), has_value=True)
PRODUCTS_SEARCHED = EventContract(name="Products Searched", keeps_query=True)
PRODUCT_VIEWED = EventContract(name="Product Viewed")
PRODUCT_ADDED = EventContract(name="Product Added")
UNSUBSCRIBED = EventContract(name="Unsubscribed")  # of letters, as tools that send them tell it
MARKED_AS_SPAM = EventContract(name="Email Marked as Spam")

CONTRACTS = (
    ORDER_COMPLETED,
    ORDER_UPDATED,
    ORDER_CANCELLED,
    ORDER_REFUNDED,
    PRODUCTS_SEARCHED,
    PRODUCT_VIEWED,
    PRODUCT_ADDED,
    UNSUBSCRIBED,
    MARKED_AS_SPAM,
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


def is_of_order(type_: str | None, name: str | None) -> bool:
    """Whether an event, its name in our spelling, says something of an order: completed, changed, cancelled or refunded."""
    return type_ == "track" and name in _OF_ORDERS


def names_by_need() -> dict[str, tuple[str, ...]]:
    """Field -> names of the events that need it, in the order of the contracts."""
    fields = dict.fromkeys(field for contract in CONTRACTS for field in contract.needs)
    return {field: tuple(contract.name for contract in CONTRACTS if field in contract.needs) for field in fields}


TAKE_BACK = frozenset((UNSUBSCRIBED.name, MARKED_AS_SPAM.name))
"""Track events that say that somebody wants no letters any more."""
_OF_ORDERS = frozenset(names_by_need()["order_id"])


def spellings(older: Mapping[str, str]) -> dict[str, str]:
    """How a name may be spelled, in `spelling` -> the name. `older`: names of other specs -> ours, events.names."""
    return {spelling(name): name for name in names()} | {spelling(said): name for said, name in older.items()}


def spelling(name: str) -> str:
    """A name without what its spellings differ in: `ORDER_COMPLETED`, `orderCompleted` and `Order  Completed` are one."""
    return _SPELLINGS[name]


_SPELLINGS = Remembered[str, str](lambda name: re.sub(_BETWEEN_WORDS, "", ids.normalise(name).lower(), flags=re.ASCII))


def canonical(sent: Column, older: Mapping[str, str]) -> Column:
    """The name of a track event: ours where it is one of its spellings, else as sent; null stays null.

    Looked up by plain string functions: a map would be planned anew, entry by entry, in every micro-batch.
    """
    table = "".join(f"|{said}={name}" for said, name in sorted(spellings(older).items())) + "|"
    key = F.concat(F.lit("|"), F.regexp_replace(F.lower(ids.normalised(sent)), _BETWEEN_WORDS, ""), F.lit("="))
    name = F.substring_index(F.split_part(F.lit(table), key, F.lit(2)), "|", 1)
    return F.when(name != "", name).otherwise(sent)
