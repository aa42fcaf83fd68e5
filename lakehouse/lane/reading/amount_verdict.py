"""What is wrong with an amount, as a column."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import reasons as R
from lakehouse.lane.reading.verdict import fault_at, first

_NO_NUMBER = r"\A(?:true\z|false\z|\{|\[)"


def verdict(text: Column, parsed: Column, place: Column, most: int) -> Column:
    """First fault of one amount: boolean, object or array; no number or too large; negative. Null: absent or good."""
    is_unread = text.isNotNull() & parsed.isNull()
    expected = F.lit(f"number of at most {most} expected")
    return first(
        (is_unread & text.rlike(_NO_NUMBER), fault_at(R.WRONG_TYPE, place, F.lit("number expected"))),
        (is_unread, fault_at(R.INVALID_NUMBER, place, expected)),
        (parsed < 0, fault_at(R.NEGATIVE_AMOUNT, place, F.lit("zero or more expected"))),
    )
