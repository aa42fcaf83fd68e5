"""What texts can be read as: what two readings fit is not told apart."""

from datetime import UTC, datetime

import pytest

from lakehouse.adoption import shapes


def numbers(*texts: str) -> shapes.Numbers | None:
    return shapes.numbers(dict.fromkeys(texts, 1))


def times(*texts: str) -> shapes.Times | None:
    return shapes.times(dict.fromkeys(texts, 1))


@pytest.mark.parametrize(
    ("texts", "decimal"),
    [
        (("12.50", "3"), "."),
        (("12,50", "3"), ","),
        (("1.234,50", "1.234"), ","),
        (("1,234.50", "1,234"), "."),
        (("0.125",), "."),
        (("1234.567",), "."),
        (("1'234.50",), "."),
        (("1 234,5", "7"), ","),
        (("1.234.567",), ","),
        (("1e+05",), "."),
        (("12", "-3"), None),
    ],
)
def test_the_mark_is_told_by_a_text_that_only_one_fits(texts: tuple[str, ...], decimal: str | None) -> None:
    found = numbers(*texts)
    assert found is not None
    assert (found.decimal, found.unsure) == (decimal, None)


@pytest.mark.parametrize("texts", [("1.234", "12"), ("1,234",), ("1.50", "1,50"), ("1.234", "5,678")])
def test_a_mark_that_two_readings_fit_is_unsure(texts: tuple[str, ...]) -> None:
    found = numbers(*texts)
    assert found is not None
    assert found.decimal is None
    assert found.unsure


@pytest.mark.parametrize(
    "texts", [("12", "none"), ("$12.50", "€3.00"), ("12 kg",), ("12-3",), ("1.2.3",), ("--1",), ("1,23,4",)]
)
def test_what_is_no_number_is_none(texts: tuple[str, ...]) -> None:
    assert numbers(*texts) is None


@pytest.mark.parametrize(
    ("texts", "format_", "first"),
    [
        (("13/02/2024", "01/02/2024"), "%d/%m/%Y", datetime(2024, 2, 1, tzinfo=UTC)),
        (("02/13/2024 9:05", "02/01/2024 10:05"), "%m/%d/%Y %H:%M", datetime(2024, 2, 1, 10, 5, tzinfo=UTC)),
        (("13.02.24", "14.03.25"), "%d.%m.%y", datetime(2024, 2, 13, tzinfo=UTC)),
        (("2/13/2024 9:05:01 PM",), "%m/%d/%Y %I:%M:%S %p", datetime(2024, 2, 13, 21, 5, 1, tzinfo=UTC)),
        (("19970101", "19981231"), "%Y%m%d", datetime(1997, 1, 1, tzinfo=UTC)),
        (("2024/02/01",), "%Y/%m/%d", datetime(2024, 2, 1, tzinfo=UTC)),
        (("1 Feb 2024",), "%d %b %Y", datetime(2024, 2, 1, tzinfo=UTC)),
        (("February 1, 2024",), "%B %d, %Y", datetime(2024, 2, 1, tzinfo=UTC)),
        (("2024-02-01 10:00:00",), None, datetime(2024, 2, 1, 10, tzinfo=UTC)),
        (("1706781600",), None, datetime(2024, 2, 1, 10, tzinfo=UTC)),
        (("1706781600000",), None, datetime(2024, 2, 1, 10, tzinfo=UTC)),
    ],
)
def test_a_format_is_told_by_evidence(texts: tuple[str, ...], format_: str | None, first: datetime) -> None:
    found = times(*texts)
    assert found is not None
    assert (found.format, found.unsure, found.first) == (format_, None, first)


def test_day_and_month_are_told_apart_by_one_above_twelve_and_by_nothing_else() -> None:
    found = times("01/02/2024", "03/04/2024")
    assert found is not None
    assert found.unsure
    assert found.formats == ("%d/%m/%Y", "%m/%d/%Y")
    both = times("13/02/2024", "02/13/2024")
    assert both is not None
    assert both.unsure


def test_units_and_offsets_are_told() -> None:
    seconds, milliseconds = times("1706781600"), times("1706781600000")
    assert seconds is not None
    assert milliseconds is not None
    assert ("milliseconds" in milliseconds.evidence, "milliseconds" in seconds.evidence) == (True, False)
    mixed = times("1706781600", "1706781600000")
    assert mixed is not None
    assert mixed.unsure
    with_offset, without = times("2024-02-01T10:00:00+01:00"), times("2024-02-01")
    assert with_offset is not None
    assert without is not None
    assert (with_offset.has_offset, without.has_offset, without.has_clock) == (True, False, False)
    assert times("12", "13") is None
    assert times("20243101", "not a day") is None


@pytest.mark.parametrize(
    ("texts", "unit", "decimal", "negative"),
    [
        (("$1,234.50", "$3.00", "7"), "$", ".", 0),
        (("12,00 €", "1.234,00 €"), "€", ",", 0),
        (("USD 12.50", "USD 3"), "USD", ".", 0),
        (("-$5.25", "($1.00)", "$-2.00", "$3.10"), "$", ".", 3),
        (("R$ 12,50",), "R$", ",", 0),
    ],
)
def test_one_currency_beside_numbers_is_taken_off_them(
    texts: tuple[str, ...], unit: str, decimal: str, negative: int
) -> None:
    found = numbers(*texts)
    assert found is not None
    assert (found.unit, found.decimal, found.negative) == (unit, decimal, negative)
