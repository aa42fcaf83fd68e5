"""Numbers as senders write them -> decimals. Money is decimal(18,2), rounded half up, at most events.max_amount either side of zero.

A number may come as JSON number or as text (`"19.90"`). The pattern comes first: it bounds the exponent, for turning
1e-999999999 into a decimal would take Java hours.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.tables.contract import MONEY, PRICE, QUANTITY

_NUMBER = r"\A[-+]?(?:[0-9]++[.]?[0-9]*+|[.][0-9]++)(?:[eE](?:[+]?[0-9]{1,2}|-[0-9]{1,3}))?\z"
_READ = re.compile(_NUMBER.removeprefix(r"\A").removesuffix(r"\z"))
CENT, PRICE_STEP, QUANTITY_STEP = (
    Decimal("0.01"),
    Decimal("0.00000001"),
    Decimal("0.000001"),
)  # of MONEY, PRICE, QUANTITY
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


def number(text: str, step: Decimal, most: Decimal) -> Decimal | None:
    """Text -> a decimal in whole `step`s; None when it is no number, or further than `most` from zero."""
    if not _READ.fullmatch(text):
        return None
    try:
        read = Decimal(text).quantize(step, context=EXACT)
    except InvalidOperation:  # too large for any amount
        return None
    return read if abs(read) <= most else None


def amount(text: Column, most: int) -> Column:
    """The same as a column. Text -> money; null when it is absent, no number, or further than `most` from zero."""
    return _within(text, MONEY, most)


def price(text: Column, most: int) -> Column:
    """Text -> the price of one piece: prices below a cent are prices."""
    return _within(text, PRICE, most)


def quantity(text: Column, most: int) -> Column:
    """Text -> number of pieces, or of what else is counted: weighed and cut goods have fractions."""
    return _within(text, QUANTITY, most)


def _within(text: Column, type_: str, most: int) -> Column:
    read = F.when(text.rlike(_NUMBER), text.try_cast(type_))
    return F.when(F.abs(read) <= F.lit(most), read)
