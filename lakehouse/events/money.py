"""Amounts in one currency, and sums of them: the rules for revenue that was paid in another, and for what no sum may exceed."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.tables.contract import MONEY, RATE

EXACT = "decimal(38,10)"  # an amount times a rate, and sums of such: 28 digits before the point
_MOST = "9999999999999999.99"
_CENT = Decimal("0.01")


def rate(currency: Column, rates: Mapping[str, str]) -> Column:
    """Units of the default currency for one of `currency`; 1, face value, where none is configured, or `currency` is null.

    Rates are text so that they stay exact decimals.
    """
    found = F.lit("1")
    for code, value in sorted(rates.items()):
        found = F.when(currency == code, F.lit(value)).otherwise(found)
    return found.cast(RATE)


def in_default_currency(amount: Column, currency: Column, rates: Mapping[str, str]) -> Column:
    """`amount` times the rate of `currency`, half up to cents. Null amount stays null."""
    return money((amount * rate(currency, rates)).cast(EXACT))


def money(exact: Column) -> Column:
    """A sum or product as money, half up to cents; one beyond the type is its bound, for no sum may stop a query. Null stays null."""
    most = F.lit(_MOST).cast(EXACT)
    return F.when(exact.isNotNull(), F.greatest(F.least(exact, most), -most).cast(MONEY))


def money_of(exact: Decimal) -> Decimal:
    """The same of one number in plain Python.

    >>> money_of(Decimal("2.345")), money_of(Decimal("1e40"))
    (Decimal('2.35'), Decimal('9999999999999999.99'))
    """
    most = Decimal(_MOST)
    return max(min(exact, most), -most).quantize(_CENT, ROUND_HALF_UP)
