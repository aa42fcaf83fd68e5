"""Figures, dates and codes in words."""

import math
from datetime import datetime
from decimal import Decimal

from lakehouse.events.reasons import FAULTS, REASONS


def count(value: float) -> str:
    """A whole number with thousands separated.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{value:,.0f}"


def plural(value: int, one: str, many: str | None = None) -> str:
    """A number and its noun.

    >>> plural(1, "profile"), plural(1200, "profile"), plural(0, "identity", "identities")
    ('1 profile', '1,200 profiles', '0 identities')
    """
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def short(value: float) -> str:
    """At most four characters of figure, for axes and cells.

    >>> [short(v) for v in (0, 0.25, 7, 7.25, 999, 1234, 25600, 1_250_000, 3e9)]
    ['0', '0.25', '7', '7.2', '999', '1.2k', '26k', '1.2M', '3B']
    """
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 0.9995:
            return _trim(value / size) + suffix
    return f"{value:.2f}" if 0 < abs(value) < 1 and round(value, 1) != value else _trim(value)


def _trim(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.1f}"


def share(part: float, whole: float) -> str:
    """Percent of a whole; a part that would round to 0 or 100 without being it says so.

    >>> share(1, 8), share(0, 8), share(1, 100000), share(99999, 100000), share(0, 0)
    ('12.5%', '0%', '<0.1%', '>99.9%', '0%')
    """
    if not whole or not part:
        return "0%"
    percent = 100 * part / whole
    if percent < 0.1:
        return "<0.1%"
    if 99.9 < percent < 100:
        return ">99.9%"
    return f"{percent:.1f}".removesuffix(".0") + "%"


def money(value: Decimal | float, currency: str) -> str:
    """An amount with its currency.

    >>> money(Decimal("2500315.63"), "USD"), money(-3, "EUR")
    ('USD 2,500,315.63', 'EUR -3.00')
    """
    return f"{currency} {value:,.2f}"


def seconds(value: float | None) -> str:
    """A duration.

    >>> [seconds(v) for v in (None, 0.084, 2.345, 59.96, 75, 3661)]
    ['unknown', '0.08 s', '2.3 s', '60 s', '1 min 15 s', '61 min 1 s']
    """
    if value is None or math.isnan(value):
        return "unknown"
    if value < 1:
        return f"{value:.2f} s"
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    return f"{whole} s" if whole <= 60 else f"{whole // 60} min {whole % 60} s"


def moment(value: datetime) -> str:
    """A UTC time to the minute.

    >>> moment(datetime(2026, 3, 1, 8, 5))
    '2026-03-01 08:05 UTC'
    """
    return f"{value:%Y-%m-%d %H:%M} UTC"


def plain(code: str) -> str:
    """A code as words: the fallback where no sentence explains it.

    >>> plain("timestamp_out_of_range")
    'Timestamp out of range'
    """
    words = code.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def meaning(reason: str) -> str:
    """What a quarantine reason means for the person who sends the events.

    >>> meaning("null_value"), meaning("added_later")
    ('The record has no value (a tombstone).', 'Added later')
    """
    said = (REASONS | FAULTS).get(reason)
    return plain(reason) if said is None else said[0].upper() + said[1:] + "."
