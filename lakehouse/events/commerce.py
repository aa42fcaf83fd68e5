"""What a message says of money: its amounts, its lines, what an order is worth. Source: Segment spec, V2 ecommerce events.

Only events that contracts.py names are held to it; `value` in somebody's own event may be anything. What cannot be read leaves its
field empty and is told, unless the worth of an order hangs on it: a refund of an amount nobody can read is not one of the whole order.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from lakehouse.config import Config
from lakehouse.events import amounts, ids
from lakehouse.events import reasons as R
from lakehouse.events.amounts import CENT, EXACT, PRICE_STEP, QUANTITY_STEP
from lakehouse.events.blocked_values import blocked
from lakehouse.events.contracts import ORDER_COMPLETED, ORDER_REFUNDED, names, names_by_need
from lakehouse.events.currencies import CURRENCIES
from lakehouse.events.document import is_nested, says_nothing, text_of
from lakehouse.events.fields import FieldColumns, Fields, Spoilt, lacking
from lakehouse.events.json_text import Objects
from lakehouse.events.privacy import holds_address
from lakehouse.events.remembered import Kept, Remembered
from lakehouse.events.schema import AMOUNTS, SAID, SAID_OF_REFUND, TEXTS
from lakehouse.events.tokens import hidden
from lakehouse.events.traits import snake_case
from lakehouse.events.verdict import fault

_LINE = "properties.products[]"
_SAID_NAMES = frozenset(SAID)
_OF_MONEY = frozenset((*AMOUNTS, "products"))
_NO_ARRAY = fault(R.WRONG_TYPE, "properties.products: array expected")
_NO_OBJECT = fault(R.WRONG_TYPE, f"{_LINE}: object expected")
_UNKNOWN = fault(R.NOT_COUNTED, "event: the name of an order event expected, for it speaks of an order")
_UNKNOWN_RETURN = fault(
    R.RETURN_NOT_COUNTED, "event: the name of a refund or cancellation expected, for it speaks of one"
)
_NO_PRODUCT = fault(R.MISSING_FIELD, f"{_LINE}.product_id")
_NO_LINES = fault(R.MISSING_FIELD, "properties.products")
_NO_PRICE = fault(R.MISSING_FIELD, f"{_LINE}.price")
# What a product of a line may be called by: product_id as in the spec, sku where that is all there is, id as in its first version.
PRODUCT_IDS = ("product_id", "productId", "sku", "id", "item_id")
# And what the price of one piece, and the number of pieces: 2 pieces that nobody read would be one.
PRICES, QUANTITIES = ("price", "unit_price", "unitPrice"), ("quantity", "qty")
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
_ONE = Decimal(1)
_KEPT = frozenset((str, int, float))
_MOST_FIGURES = 10_000
_Number = tuple[Decimal | None, str | None]
_LONGEST_ID = TEXTS["product_id"].limit


def product_text(sent: Mapping[str, Any]) -> str | None:
    """What a line calls its product, in the one form of ids; None = nothing."""
    for name in PRODUCT_IDS:
        if not says_nothing(value := sent.get(name)):
            return ids.normalise((text_of(value) or "").strip(" ")) or None
    return None


class Line(NamedTuple):
    product_id: str | None
    name: str | None
    quantity: Decimal | None
    price: Decimal | None

    @property
    def is_telling(self) -> bool:
        return self.product_id is not None or self.name is not None or self.price is not None


class Figures(NamedTuple):
    """What a message says in numbers. Two messages may share one, which is nobody's to change.

    said: what the sender says it is worth: the first of SAID; given_back: what a refund says it gave back: of SAID_OF_REFUND. is_unread,
    is_refund_unread: such an amount was said, in digits or as an object, that nobody can read: the lines say another. lines: as sent; told_lines: those that say something,
    None = no lines. only_product: of an event with one line. is_plain: there are no lines, no fault and no word of what it is worth.
    """

    said: Decimal | None = None
    given_back: Decimal | None = None
    amount_faults: Sequence[str] = ()
    lines: Sequence[Line] = ()
    line_faults: Sequence[str] = ()
    told_lines: list[Line] | None = None
    is_unread: bool = False
    is_refund_unread: bool = False
    only_product: str | None = None
    is_plain: bool = True


_NO_FIGURES = Figures()  # of most events


class Order(NamedTuple):
    """worth: None = not known, or no money moves. faults: what was left empty. verdict: why the event means nothing; None = it does."""

    worth: Decimal | None = None
    currency: str | None = None
    faults: Sequence[str] = ()
    verdict: str | None = None


NO_ORDER = Order()  # of most events


class CommerceReader:
    """Reads figures and orders by one configuration. Thread-safe."""

    def __init__(self, config: Config) -> None:
        events = config.events
        self._privacy = config.privacy
        self._products = Remembered(self._shown_product)
        self._is_junk = blocked("", config.identity).holds
        self._most = Decimal(events.max_amount)
        self._currency = events.default_currency
        self._expected = f"number of at most {events.max_amount} expected"
        self._amounts = [(name, self._remembered(CENT, place)) for name, place in AMOUNTS.items()]
        self._prices = self._remembered(PRICE_STEP, f"{_LINE}.price")
        self._quantities = self._remembered(QUANTITY_STEP, f"{_LINE}.quantity")
        self._figures = Kept[bytes, Figures](most=_MOST_FIGURES)

    def figures(self, properties: Objects) -> list[Figures]:
        """Of many messages."""
        known, both = self._figures, zip(*properties, strict=True)
        return [known.get(text) or known.keep(text, self._figures_of(sent)) for sent, text in both]

    def _figures_of(self, properties: Mapping[str, Any]) -> Figures:
        if _OF_MONEY.isdisjoint(properties):
            return _NO_FIGURES
        amounts: dict[str, Decimal] = {}
        faults: list[str] = []
        unread = set[str]()
        for name, known in self._amounts:
            if (sent := properties.get(name)) is not None:
                read, told = known[sent] if sent.__class__ in _KEPT else known.answer(sent)
                if read is not None:
                    amounts[name] = read
                if told is not None:
                    faults.append(told)
                    if read is None and _holds_amount(sent):
                        unread.add(name)
        products = properties.get("products")
        lines, line_faults = self._lines(products) if isinstance(products, list) else ([], [])
        return Figures(
            said=_first(amounts, SAID),
            given_back=_first(amounts, SAID_OF_REFUND),
            amount_faults=faults,
            lines=lines,
            line_faults=line_faults,
            told_lines=[line for line in lines if line.is_telling] if lines else None,
            is_unread=not unread.isdisjoint(SAID),
            is_refund_unread=not unread.isdisjoint(SAID_OF_REFUND),
            only_product=lines[0].product_id if len(lines) == 1 else None,
            is_plain=not faults and _SAID_NAMES.isdisjoint(amounts) and "products" not in properties,
        )

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
        """`properties`: as sent. A page may have an order's name; it is none."""
        event = fields["event_name"]
        if fields["type"] != "track" or event not in _KNOWN:
            told = _speaks_of_an_order(fields, figures, properties)
            return NO_ORDER if told is None else Order(faults=(told,))
        worth = currency = None
        is_refund = event == ORDER_REFUNDED.name
        if event in _WITH_VALUE:
            worth = self._worth(figures, is_refund=is_refund)
            currency = fields["currency"] or (self._currency if event == ORDER_COMPLETED.name else None)
        faults = [*figures.amount_faults, *figures.line_faults]
        if is_refund:  # whose sign says no more than its name
            faults = [told for told in faults if not told.startswith(R.NEGATIVE_AMOUNT) or _LINE in told]
        products = properties.get("products")
        if not says_nothing(products) and not isinstance(products, list):
            faults.append(_NO_ARRAY)
        if event in _WITH_VALUE and not is_refund and figures.said is None and worth is not None:
            faults += [_NO_PRICE for line in figures.lines if line.price is None]
        verdict = _verdict(fields, spoilt, figures, worth)
        if verdict is None and is_refund and worth is None:
            verdict = _unread_refund(fields, figures, faults)
        return Order(worth, currency, faults, verdict)

    def _remembered(self, step: Decimal, place: str) -> Remembered[Any, _Number]:
        """`_number` of a place. Only values of the kinds _KEPT may be looked up: 1 and 1.0 are read alike, true is neither."""
        return Remembered(lambda sent: self._number(sent, step, place))

    def _number(self, sent: Any, step: Decimal, place: str) -> _Number:
        """The number, and what is wrong with it; None and None where nothing was sent."""
        if says_nothing(sent):
            return None, None
        if is_nested(sent):
            return None, fault(R.WRONG_TYPE, f"{place}: number expected")
        text = ids.normalise(text_of(sent) or "")
        if not text:
            return None, None
        read = amounts.number(text, step, self._most)
        if read is not None:
            return read, fault(R.NEGATIVE_AMOUNT, f"{place}: zero or more expected") if read < 0 else None
        if text in ("true", "false") or text[0] in "{[":  # a library may write an object as text
            return None, fault(R.WRONG_TYPE, f"{place}: number expected")
        return None, fault(R.INVALID_NUMBER, f"{place}: {self._expected}")

    def _lines(self, products: list[Any]) -> tuple[list[Line], list[str]]:
        lines, faults = [], []
        for sent in products:
            if not isinstance(sent, dict):
                lines.append(Line(None, None, _ONE, None))
                faults.append(_NO_OBJECT)
                continue
            price, price_fault = _looked_up(self._prices, _first_said(sent, PRICES))
            quantity, quantity_fault = _looked_up(self._quantities, _first_said(sent, QUANTITIES))
            if quantity is None and quantity_fault is None:
                quantity = _ONE
            lines.append(
                Line(
                    self._product_id(sent),
                    _without_address(text_of(sent.get("name"))),
                    _positive(quantity),
                    _positive(price),
                )
            )
            if (told := price_fault or quantity_fault) is not None:
                faults.append(told)
        return lines, faults

    def _product_id(self, sent: Mapping[str, Any]) -> str | None:
        """Hidden as an id of the message is, so that one product is one."""
        normal = product_text(sent)
        return None if normal is None else self._products[normal]

    def _shown_product(self, normal: str) -> str | None:
        is_id = len(normal) <= _LONGEST_ID and not self._is_junk(normal)
        return hidden(self._privacy, "product_id", normal) if is_id else None

    def _worth(self, figures: Figures, *, is_refund: bool) -> Decimal | None:
        """What was said, else the sum of price x quantity of the lines that have a price, multiplied exactly and rounded once.

        Of lines with one that cannot be read the sum is not known, nor is it where the sender says another. A refund without an amount is priced by its order's lines.
        """
        if is_refund:
            return None if figures.given_back is None else abs(figures.given_back)
        if figures.said is not None:
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


def _holds_amount(sent: Any) -> bool:
    """Whether what cannot be read says an amount: `1,299.00` does, `NaN` and `undefined` say nothing."""
    return is_nested(sent) or any(map(str.isdecimal, text_of(sent) or ""))


def _first(of: Mapping[str, Decimal], names: Sequence[str]) -> Decimal | None:
    return next((of[name] for name in names if name in of), None)


def _looked_up(known: Remembered[Any, _Number], sent: Any) -> _Number:
    return known[sent] if sent.__class__ in _KEPT else known.answer(sent)


def _first_said(sent: Mapping[str, Any], names: Sequence[str]) -> Any:
    for name in names:
        if (value := sent.get(name)) is not None and not says_nothing(value):
            return value
    return None


def _positive(number: Decimal | None) -> Decimal | None:
    return None if number is None or number < 0 else number


def _without_address(text: str | None) -> str | None:
    return None if text is None or holds_address(text) else text
