"""Rows that are orders, or lines of orders: their number, their money, and whether they were called off."""

import re

from lakehouse.adoption.column_names import folded
from lakehouse.adoption.draft import Draft, Question
from lakehouse.adoption.money import number_field, numbers_of
from lakehouse.adoption.order_key import OrderKey, varies
from lakehouse.adoption.table import Column
from lakehouse.adoption.worth import worth

_MOST_WORDS = 200  # of a status
# As column_names.folded has them.
_CANCELLED = re.compile(r"cancell?ed|storniert|void(?:ed)?|cancelad[oa]|annul(?:ee?|lat[oa])|geannuleerd")
_OPEN = re.compile(
    r"(?:partially_)?refunded|returned|failed|pending(?:_payment)?|awaiting_payment|payment_(?:review|error)|draft|expired|on_hold|holded|unpaid|declined|fraud"
    r"|closed|abandoned|offen|retourniert|erstattet|abgebrochen|rembourse|en_attente|erreur_de_paiement|pendiente|reembolsado|rimborsato|in_attesa"
)


def orders(draft: Draft, key: OrderKey) -> bool:
    """Put order number, money and lines into the draft; whether what an order is worth is known."""
    if key.column is None:
        draft.put("properties", "order_id", "record_id")
        draft.assumed.append(
            "each row is an order of its own, under a number made of what it says: no column numbers orders"
        )
    else:
        draft.put(
            "properties", "order_id", draft.add("order_number", "text", key.column, "properties.order_id", key.evidence)
        )
    is_known = worth(draft, key)
    for role, goes_to in (("tax", "tax"), ("shipping", "shipping"), ("discount", "discount")):
        columns = [one for one in numbers_of(draft.best(role)) if not varies(draft, key, one)]
        if (
            len(columns) == 1
            and (made := number_field(draft, role, columns[0], f"properties.{goes_to}", "by its name")) is not None
        ):
            draft.put("properties", goes_to, made)
    coupons = [one for one in draft.best("coupon") if not varies(draft, key, one)]
    if len(coupons) == 1:
        draft.put("properties", "coupon", draft.add("coupon", "text", coupons[0], "properties.coupon", "by its name"))
    draft.sections["name"] = _name(draft)
    return is_known


def _name(draft: Draft) -> str:
    """The event: an order, unless its row says that it was called off."""
    conditions = []
    columns = [one for one in draft.named("cancelled") if one.times is not None]
    if len(columns) == 1 and columns[0].times is not None and columns[0].times.unsure is None:
        name = draft.add(
            "cancelled_at",
            "text",
            columns[0],
            "name",
            "by its name, and it holds times: an order that has one was called off",
        )
        conditions.append(f"{name} IS NOT NULL")
    for column in draft.named("status"):
        said = {text.lower() for text in column.values} if column.distinct <= _MOST_WORDS else set()
        known = sorted(text for text in said if _CANCELLED.fullmatch(folded(text)))
        if (strange := sorted(text for text in said if _OPEN.fullmatch(folded(text)))) and not _all_count(
            draft, column, strange
        ):
            continue
        if known:
            words = ", ".join(f"'{word}'" for word in known)
            name = draft.add("status", "text", column, "name", f"it says {', '.join(known)} in some rows")
            conditions.append(f"lower({name}) IN ({words})")
    if not conditions:
        return "'Order Completed'"
    return f"CASE WHEN {' OR '.join(conditions)} THEN 'Order Cancelled' ELSE 'Order Completed' END"


def _all_count(draft: Draft, column: Column, words: list[str]) -> bool:
    """Whether somebody said that rows of these words are orders as any other."""
    question = Question(
        id="status",
        text=f"{column.name}: are rows that say {', '.join(words)} orders that count?",
        why="nobody can tell what they are worth",
        choices=("yes", "no"),
        is_needed=True,
    )
    answer = draft.ask(question)
    if answer == "no":
        draft.refused = f"{column.name}: orders that do not count need a source of your own. Declare it by hand"
    return answer == "yes"
