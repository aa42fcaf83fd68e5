"""Numbers as senders write them -> money, decimal(18,2), rounded half up.

A number may come as JSON number or as text (`"19.90"`). The pattern comes first: it bounds the exponent, for turning
1e-999999999 into a decimal would take Java hours.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import reasons as R
from lakehouse.events.verdict import fault_at, first
from lakehouse.tables.contract import MONEY

_NUMBER = r"\A[-+]?(?:[0-9]++[.]?[0-9]*+|[.][0-9]++)(?:[eE](?:[+]?[0-9]{1,2}|-[0-9]{1,3}))?\z"
_NO_NUMBER = r"\A(?:true\z|false\z|\{|\[)"


def amount(text: Column) -> Column:
    """Text -> decimal(18,2), half up; null when it is absent, no number, or has more than 16 digits before the point."""
    return F.when(text.rlike(_NUMBER), text.try_cast(MONEY))


def verdict(text: Column, parsed: Column, place: Column) -> Column:
    """First fault of one amount: boolean, object or array; no number or too many digits; negative. Null: absent or good."""
    is_unread = text.isNotNull() & parsed.isNull()
    digits = F.lit("number of at most 16 digits before the point expected")
    return first(
        (is_unread & text.rlike(_NO_NUMBER), fault_at(R.WRONG_TYPE, place, F.lit("number expected"))),
        (is_unread, fault_at(R.INVALID_NUMBER, place, digits)),
        (parsed < 0, fault_at(R.NEGATIVE_AMOUNT, place, F.lit("zero or more expected"))),
    )
