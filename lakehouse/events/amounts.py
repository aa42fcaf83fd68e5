"""Numbers as senders write them -> decimals. Money is decimal(18,2), rounded half up, at most events.max_amount either side of zero.

A number may come as JSON number or as text (`"19.90"`). The pattern comes first: it bounds the exponent, for turning
1e-999999999 into a decimal would take Java hours.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import reasons as R
from lakehouse.events.verdict import fault_at, first
from lakehouse.tables.contract import MONEY, PRICE, QUANTITY

_NUMBER = r"\A[-+]?(?:[0-9]++[.]?[0-9]*+|[.][0-9]++)(?:[eE](?:[+]?[0-9]{1,2}|-[0-9]{1,3}))?\z"
_NO_NUMBER = r"\A(?:true\z|false\z|\{|\[)"


def amount(text: Column, most: int) -> Column:
    """Text -> money; null when it is absent, no number, or further than `most` from zero."""
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


def verdict(text: Column, parsed: Column, place: Column, most: int) -> Column:
    """First fault of one amount: boolean, object or array; no number or too large; negative. Null: absent or good."""
    is_unread = text.isNotNull() & parsed.isNull()
    expected = F.lit(f"number of at most {most} expected")
    return first(
        (is_unread & text.rlike(_NO_NUMBER), fault_at(R.WRONG_TYPE, place, F.lit("number expected"))),
        (is_unread, fault_at(R.INVALID_NUMBER, place, expected)),
        (parsed < 0, fault_at(R.NEGATIVE_AMOUNT, place, F.lit("zero or more expected"))),
    )
