"""What the words of a column of events mean, where they are words that many shops use: names of the tracking plan, and the orders among them."""

import re

from lakehouse.adoption.column_names import folded
from lakehouse.adoption.draft import Draft, Question
from lakehouse.adoption.money import currency, numbers_of
from lakehouse.adoption.table import Column
from lakehouse.events import contracts

_CART = r"(?:cart|basket|bag|warenkorb)"
_OF_PRODUCTS = {
    contracts.PRODUCT_VIEWED.name: re.compile(r"(?:product_?|item_?)?view(?:ed)?(?:_?(?:product|item))?"),
    contracts.PRODUCT_ADDED.name: re.compile(rf"{_CART}|add(?:ed)?_?(?:to)?_?{_CART}|{_CART}_?add(?:ed)?"),
    "Product Removed": re.compile(rf"removed?_?(?:from)?_?{_CART}|{_CART}_?removed?"),
}
_OF_ORDERS = re.compile(
    r"purchased?|purchase_completed|checkout_completed|transactions?|orders?|order_(?:placed|completed)|buy|bought|kauf|bestellung"
)


def name_events(draft: Draft, event: Column) -> None:
    """Put our names beside the words that are known, and have what such an event needs. Any other word stays a name of the sender's own."""
    said = {text.lower(): folded(text) for text in event.values}
    names: dict[str, str] = {}
    if "product_id" in draft.sections.get("properties", {}):
        names = {
            text: name
            for text, word in said.items()
            for name, pattern in _OF_PRODUCTS.items()
            if pattern.fullmatch(word)
        }
    orders = sorted(text for text, word in said.items() if _OF_ORDERS.fullmatch(word))
    if orders and (why := _no_orders(draft, orders)) is not None:
        draft.assumed.append(f"{', '.join(orders)} stays an event of its own, and is no order: {why}")
    elif orders:
        _count_orders(draft, orders)
        names |= dict.fromkeys(orders, contracts.ORDER_COMPLETED.name)
    if names:
        draft.sections["names"] = names
        draft.assumed.append("; ".join(f"{text} is {name}" for text, name in sorted(names.items())))


def _no_orders(draft: Draft, words: list[str]) -> str | None:
    """Why rows of these words cannot be orders; None = they are."""
    properties = draft.sections.get("properties", {})
    if not {"revenue", "price"} & properties.keys():
        return "no column says what one is worth"
    numbers = [field.column for field in draft.fields.values() if field.goes_to == "properties.order_id"]
    if numbers:
        runs = draft.facts.together.runs.get(numbers[0].place)
        is_of_one_row = runs is not None and not runs.several and not runs.apart
        return (
            None if is_of_one_row else f"several rows have one {numbers[0].name}, and each would replace the one before"
        )
    question = Question(
        id="orders",
        text=f"Is each row that says {', '.join(words)} an order of its own?",
        why="no column numbers orders, so it may be one line of several",
        choices=("yes", "no"),
    )
    answer = draft.ask(question)
    return None if answer == "yes" else "as was answered" if answer else "nobody said that each row is one"


def _count_orders(draft: Draft, words: list[str]) -> None:
    """Such a row is an order under its number, or under one made of what it says; it is worth its amount, or price times quantity. Other rows say what they said."""
    properties, event = draft.sections["properties"], draft.sections["name"]
    is_order = f"lower({event}) IN ({', '.join(_quoted(word) for word in words)})"
    price, quantity = properties.get("price"), properties.get("quantity")
    made = f"{price} * coalesce({quantity}, 1)" if price and quantity else price
    for name, instead in (("order_id", "record_id"), ("revenue", made)):
        told = properties.get(name)
        either = f"coalesce({told}, {instead})" if told and instead else told or instead
        properties[name] = f"CASE WHEN {is_order} THEN {either}{f' ELSE {told}' if told else ''} END"
    amounts = [
        field.column for field in draft.fields.values() if field.goes_to in ("properties.revenue", "properties.price")
    ]
    currency(draft, numbers_of(amounts))


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"
