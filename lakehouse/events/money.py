"""Amounts in one currency: the rule for revenue that was paid in another."""

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.tables.contract import MONEY


def in_default_currency(amount: Column, currency: Column, rates: Mapping[str, str]) -> Column:
    """`amount` times the configured rate of `currency`, half up to cents; face value where no rate is configured.

    Null amount stays null. Rates are text so that they stay exact decimals.
    """
    rate = F.lit("1")
    for code, value in sorted(rates.items()):
        rate = F.when(currency == code, F.lit(value)).otherwise(rate)
    return (amount * rate.cast("decimal(18,8)")).cast(MONEY)
