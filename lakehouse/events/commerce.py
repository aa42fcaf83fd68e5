"""What an order is worth, and whether an ecommerce event means anything, by the figures of its message. Source: Segment spec, V2 ecommerce events.

Only events that contracts.py names are held to it; `value` in somebody's own event may be anything. What cannot be read leaves its
field empty and is told, unless the worth of an order hangs on it: a refund of an amount nobody can read is not one of the whole order.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from lakehouse.config import EventsConfig
from lakehouse.events import reasons as R
from lakehouse.events.amounts import CENT, EXACT
from lakehouse.events.contracts import ORDER_COMPLETED, ORDER_REFUNDED, ORDER_UPDATED, names, names_by_need
from lakehouse.events.currencies import CURRENCIES
from lakehouse.events.document import is_nested, says_nothing
from lakehouse.events.fields import FieldColumns, Fields, Spoilt, Texts, lacking
from lakehouse.events.figures import LINE, Figures
from lakehouse.events.json_text import Objects
from lakehouse.events.schema import LINES, LINES_OF_REFUND
from lakehouse.events.traits import snake_case
from lakehouse.events.verdict import fault

PRODUCTS = LINES[0]
_NO_ARRAY = fault(R.WRONG_TYPE, "properties.products: array expected")
_UNKNOWN = fault(R.NOT_COUNTED, "event: the name of an order event expected, for it speaks of an order")
_UNKNOWN_RETURN = fault(
    R.RETURN_NOT_COUNTED, "event: the name of a refund or cancellation expected, for it speaks of one"
)
_NO_PRODUCT = fault(R.MISSING_FIELD, f"{LINE}.product_id")
_NO_LINES = fault(R.MISSING_FIELD, "properties.products")
_NO_PRICE = fault(R.MISSING_FIELD, f"{LINE}.price")
_TRANSACTION_IDS = ("transaction_id", "transactionId", "order_number", "orderNumber")  # as other trades name an order's
# Of a name in snake_case: a word that begins like these. A recorder is no order.
_LIKE_AN_ORDER = re.compile(r"(?:\A|_)(?:order|purchase|refund|transaction|checkout_?complete)")
_LIKE_A_RETURN = re.compile(r"(?:\A|_)(?:refund|cancel)")
_KNOWN = frozenset(names())
_WITH_VALUE = frozenset(names(lambda contract: contract.has_value))
_NEEDS_VALUE = frozenset(names(lambda contract: contract.needs_value))
_NEEDS = [(field, frozenset(needing)) for field, needing in names_by_need().items()]
_OF_ORDERS = _WITH_VALUE.union(*(needing for _, needing in _NEEDS))  # events that are worth something, or need a field
_READ = ("type", "event_name", "currency", "product_id", *(field for field, _ in _NEEDS))


def with_lines(texts: Texts, properties: Objects) -> Objects:
    """The properties of many messages, with the lines of what names an order under `products`, by whatever name they were sent."""
    told = zip(texts["type"], texts["order_id"], texts["event_name"], properties.sent, strict=True)
    renamed = {
        number: sent | {PRODUCTS: sent[name]}
        for number, (type_, order_id, event, sent) in enumerate(told)
        if order_id is not None and type_ == "track" and (name := name_of_lines(sent, event)) not in (None, PRODUCTS)
    }
    return properties.replaced(renamed) if renamed else properties


def name_of_lines(properties: Mapping[str, Any], event: str | None) -> str | None:
    """Under which name what names an order tells its lines; None = it tells none. A number of items is none, nor is a text."""
    names = LINES_OF_REFUND if event == ORDER_REFUNDED.name else LINES
    return next((name for name in names if _tells_lines(properties.get(name), name)), None)


def _tells_lines(sent: Any, name: str) -> bool:
    """Whatever stands where lines belong; under another name an array or object, also as a library writes it: as text."""
    if says_nothing(sent):
        return False
    return name == PRODUCTS or is_nested(sent) or (isinstance(sent, str) and sent.strip()[:1] in ("[", "{"))


class Order(NamedTuple):
    """worth: None = not known, or no money moves. faults: what was left empty. verdict: why the event means nothing; None = it does."""

    worth: Decimal | None = None
    currency: str | None = None
    faults: Sequence[str] = ()
    verdict: str | None = None


NO_ORDER = Order()  # of most events


class OrderReader:
    """Reads orders by one configuration. Thread-safe."""

    def __init__(self, config: EventsConfig) -> None:
        self._most = Decimal(config.max_amount)
        self._currency = config.default_currency

    def orders(
        self, fields: FieldColumns, figures: Sequence[Figures], properties: Sequence[Mapping[str, Any]]
    ) -> list[Order]:
        """`order` of many messages; of most there is nothing to say, and that is seen at once."""
        texts = fields.texts
        columns = zip(texts["event_name"], texts["order_id"], figures, properties, strict=True)
        return [
            NO_ORDER
            if event not in _OF_ORDERS and order_id is None and one.is_plain
            else self.order(*fields.row(number, _READ), one, sent)
            for number, (event, order_id, one, sent) in enumerate(columns)
        ]

    def order(self, fields: Fields, spoilt: Spoilt, figures: Figures, properties: Mapping[str, Any]) -> Order:
        """`properties`: as `with_lines` gives them. A page may have an order's name; it is none."""
        event = fields["event_name"]
        if fields["type"] != "track" or event not in _KNOWN:
            told = _speaks_of_an_order(fields, figures, properties)
            return NO_ORDER if told is None else Order(faults=(told,))
        worth = currency = None
        is_refund = event == ORDER_REFUNDED.name
        if event in _WITH_VALUE:
            worth = self._worth(figures, event)
            currency = fields["currency"] or (self._currency if event == ORDER_COMPLETED.name else None)
        faults = [*figures.amount_faults, *figures.line_faults]
        if is_refund:  # whose sign says no more than its name
            faults = [told for told in faults if not told.startswith(R.NEGATIVE_AMOUNT) or LINE in told]
        products = properties.get(PRODUCTS)
        if not says_nothing(products) and not isinstance(products, list):
            faults.append(_NO_ARRAY)
        if event in _WITH_VALUE and not is_refund and figures.said is None and worth is not None:
            faults += [_NO_PRICE for line in figures.lines if line.price is None]
        verdict = _verdict(fields, spoilt, figures, worth)
        if verdict is None and is_refund and worth is None:
            verdict = _unread_refund(fields, figures, faults)
        return Order(worth, currency, faults, verdict)

    def _worth(self, figures: Figures, event: str | None) -> Decimal | None:
        """What was said, else the sum of price x quantity of the lines that have a price, multiplied exactly and rounded once.

        Of lines with one that cannot be read the sum is not known, nor is it where the sender says another. A refund without an amount is priced by its order's lines.
        An update without one does not say that the order's total, with tax and shipping, is no more: its lines are held to that where the order is put together.
        """
        if event == ORDER_REFUNDED.name:
            return None if figures.given_back is None else abs(figures.given_back)
        if figures.said is not None or event == ORDER_UPDATED.name:
            return figures.said
        priced = [(line.price, line.quantity) for line in figures.lines if line.price is not None]
        if not priced or figures.line_faults or figures.is_unread:
            return None
        exact = sum((EXACT.multiply(price, quantity) for price, quantity in priced if quantity is not None), Decimal(0))
        total = exact.quantize(CENT, context=EXACT)
        return total if total <= self._most else None


def _verdict(fields: Fields, spoilt: Spoilt, figures: Figures, worth: Decimal | None) -> str | None:
    """First fault that takes the meaning from an event that contracts.py names."""
    event = fields["event_name"]
    for field, needing in _NEEDS:
        if event in needing and fields[field] is None:
            return lacking(field, spoilt)
    if event in _NEEDS_VALUE and worth is None:
        if figures.amount_faults:
            return min(figures.amount_faults)
        if figures.line_faults:
            return figures.line_faults[0]
        is_priced = any(line.price is not None for line in figures.lines)
        return (
            fault(R.INVALID_NUMBER, "sum of properties.products")
            if is_priced
            else fault(R.MISSING_FIELD, "properties.revenue")
        )
    if event in _WITH_VALUE:
        if worth is not None and worth < 0:
            return min(figures.amount_faults)
        if "currency" in spoilt:
            return spoilt["currency"]
        if fields["currency"] is not None and fields["currency"] not in CURRENCIES:
            return fault(R.UNKNOWN_CURRENCY, "properties.currency: ISO 4217 code expected")
    return None


def _unread_refund(fields: Fields, figures: Figures, faults: Sequence[str]) -> str | None:
    """Why a refund that says no amount is not known to be one of its lines, or of the whole order; None where it is.

    One that names a product beside its lines, where the spec has none, is of that product.
    """
    if figures.line_faults:
        return figures.line_faults[0]
    if figures.amount_faults and (figures.is_refund_unread or not figures.told_lines):
        return min(figures.amount_faults)
    if figures.told_lines:
        return None
    if _NO_ARRAY in faults:
        return _NO_ARRAY
    if figures.lines:
        return _NO_PRODUCT
    return None if fields["product_id"] is None else _NO_LINES


def _speaks_of_an_order(fields: Fields, figures: Figures, properties: Mapping[str, Any]) -> str | None:
    """The fault of an event that has no order's name and seems to be one: it would be missing from revenue without a trace."""
    has_id = fields["order_id"] is not None
    if figures.said is None:
        return _UNKNOWN_RETURN if has_id and _LIKE_A_RETURN.search(_name(fields)) else None
    is_named = has_id or any(not says_nothing(properties.get(one)) for one in _TRANSACTION_IDS)
    return _UNKNOWN if is_named or _LIKE_AN_ORDER.search(_name(fields)) else None


def _name(fields: Fields) -> str:
    return snake_case(fields["event_name"] or "") if fields["type"] == "track" else ""
