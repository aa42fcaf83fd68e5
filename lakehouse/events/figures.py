"""What a message says of money in numbers: its amounts, and its lines. What they make of an order: commerce.py. Source: Segment spec, V2 ecommerce events.

What cannot be read leaves its field empty and is told.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from lakehouse.config import Config
from lakehouse.events import amounts, ids
from lakehouse.events import reasons as R
from lakehouse.events.amounts import CENT, PRICE_STEP, QUANTITY_STEP
from lakehouse.events.blocked_values import blocked
from lakehouse.events.document import is_nested, says_nothing, text_of
from lakehouse.events.json_text import Objects
from lakehouse.events.privacy import holds_address
from lakehouse.events.remembered import Kept, Remembered
from lakehouse.events.schema import AMOUNTS, SAID, SAID_OF_REFUND, TEXTS
from lakehouse.events.tokens import hidden
from lakehouse.events.verdict import fault

LINE = "properties.products[]"
_SAID_NAMES = frozenset(SAID)
_OF_MONEY = frozenset((*AMOUNTS, "products"))
_NO_OBJECT = fault(R.WRONG_TYPE, f"{LINE}: object expected")
# What a product of a line may be called by: product_id as in the spec, sku where that is all there is, id as in its first version.
PRODUCT_IDS = ("product_id", "productId", "sku", "id", "item_id")
# And what the price of one piece, and the number of pieces: 2 pieces that nobody read would be one.
PRICES, QUANTITIES = ("price", "unit_price", "unitPrice"), ("quantity", "qty")
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


class FigureReader:
    """Reads figures by one configuration. Thread-safe."""

    def __init__(self, config: Config) -> None:
        events = config.events
        self._privacy = config.privacy
        self._products = Remembered(self._shown_product)
        self._is_junk = blocked("", config.identity).holds
        self._most = Decimal(events.max_amount)
        self._expected = f"number of at most {events.max_amount} expected"
        self._amounts = [(name, self._remembered(CENT, place)) for name, place in AMOUNTS.items()]
        self._prices = self._remembered(PRICE_STEP, f"{LINE}.price")
        self._quantities = self._remembered(QUANTITY_STEP, f"{LINE}.quantity")
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
