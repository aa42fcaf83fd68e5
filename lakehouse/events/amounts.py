"""Numbers as senders write them -> money, decimal(18,2), rounded half up.

A number may come as JSON number or as text (`"19.90"`). The pattern comes first: it bounds the exponent, for turning
1e-999999999 into a decimal would take Java hours.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.contracts.contract import MONEY
from lakehouse.events import reasons as R
from lakehouse.events.verdict import reject

_NUMBER = r"\A[-+]?(?:[0-9]++[.]?[0-9]*+|[.][0-9]++)(?:[eE](?:[+]?[0-9]{1,2}|-[0-9]{1,3}))?\z"


def amount(text: Column) -> Column:
    """Text -> decimal(18,2), half up; null when it is absent, no number, or has more than 16 digits before the point."""
    return F.when(text.rlike(_NUMBER), text.try_cast(MONEY))


def not_a_number(text: Column) -> Column:
    """Whether the text is of another JSON type than a number or a text that could be one."""
    return text.isin("true", "false") | text.startswith("{") | text.startswith("[")


def verdict(text: Column, parsed: Column, place: str) -> Column:
    """First fault of one amount; null when it is absent or good."""
    is_unread = text.isNotNull() & parsed.isNull()
    return F.coalesce(
        reject(is_unread & not_a_number(text), R.WRONG_TYPE, f"{place}: number expected"),
        reject(is_unread, R.INVALID_NUMBER, f"{place}: number of at most 16 digits before the point expected"),
        reject(parsed < 0, R.NEGATIVE_AMOUNT, f"{place}: zero or more expected"),
    )
