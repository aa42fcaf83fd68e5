"""Columns without their values: what is far out, what cannot be a time, and shapes that tell nobody."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.sources.column_profile import OTHER, Column, Measure, far_out, shape

NOW = 1_780_000_000_000_000


def test_a_number_far_from_all_others_stands_out_and_moves_nothing() -> None:
    measure = Measure()
    for row, number in enumerate([*range(100), 10**9, -(10**9)], start=1):
        measure.take(float(number), row)
    assert measure.outliers() == [101, 102], "a mean and a deviation would be moved by the two"


def test_where_most_are_the_same_the_few_that_are_far_stand_out() -> None:
    assert far_out(np.array([5.0] * 60 + [6.0, 4.0, 400.0])).tolist()[-1] is True
    assert not far_out(np.array([5.0] * 60)).any()
    assert not far_out(np.array([1.0, 2.0, 10**9])).any(), "of a handful nothing stands out"


@given(st.lists(st.floats(-1e6, 1e6), min_size=10, max_size=40), st.floats(0.5, 100), st.floats(-1e5, 1e5))
def test_the_unit_and_the_zero_of_a_number_change_nothing(numbers: list[float], scale: float, shift: float) -> None:
    made = np.round(np.array(numbers), 2)
    distances = np.abs(made - np.median(made))
    bound = 3.5 * (np.median(distances) * 1.4826 or np.mean(distances) * 1.2533)
    if np.min(np.abs(distances - bound)) > 1e-3 * max(bound, 1):  # on the bound itself rounding decides
        assert (far_out(made * scale + shift) == far_out(made)).all()


@pytest.mark.parametrize(
    ("value", "is_told"),
    [
        ("1899-12-31", True),
        ("1900-01-01", False),
        ("2026-05-29", False),
        ("2027-01-01", True),
        ("0001-01-01", True),
        ("soon", False),
    ],
)
def test_a_time_before_1900_or_ahead_is_told(value: str, is_told: bool) -> None:
    column = Column()
    column.take(value, 7, NOW)
    assert (column.implausible, column.filled) == ([7] if is_told else [], 1)


def test_a_shape_shows_no_letter_and_no_digit_of_the_value() -> None:
    column = Column()
    for row, value in enumerate(["Ann", "Öz-Li", "a1@b2.de", "", None, 12, True, 1.5, {"a": 1}], start=1):
        column.take(value, row, NOW)
    assert column.filled == 7
    assert dict(column.shapes) == {
        **{"A": 1, "A-A": 1, "A9@A9.A": 1, "whole number": 1, "true or false": 1, "number": 1, "object": 1}
    }
    assert len(shape("a1" * 99)) == 24


def test_a_column_of_ever_new_shapes_fills_no_memory() -> None:
    column = Column()
    for row in range(1000):
        column.take("-" * (row % 23) + "." * (row // 23), row, NOW)
    assert len(column.shapes) == 201
    assert column.shapes[OTHER] > 0
