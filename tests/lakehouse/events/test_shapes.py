"""Fields and their kinds, counted by event; a value is nowhere."""

import json

import pytest

from lakehouse.config import load
from lakehouse.events.shapes import MOST_FIELDS, OTHER, Shape, kind
from lakehouse.events.tokens import token

PRIVACY = load("dev", environ={}).privacy


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("tea", "text"),
        ("2026-03-01", "time"),
        ("2026-03-01T12:00:00Z", "time"),
        ("2026-03-01 is a day", "text"),
        (token(PRIVACY, "email", "ann@example.com"), "token"),
        (7, "whole number"),
        (7.5, "number"),
        (True, "true or false"),
    ],
)
def test_a_kind_is_what_a_person_would_say(value: object, said: str) -> None:
    assert kind(value) == said


def test_a_field_counts_once_an_event_and_only_where_it_says_something() -> None:
    shape = Shape()
    for properties in (
        {"lines": [{"sku": "a"}, {"sku": 7}], "coupon": ""},
        {"lines": [], "coupon": "TEA", "card": {"bin": None, "kind": "debit"}},
        None,
    ):
        shape.take(None if properties is None else json.dumps(properties))
    shape.take('{"n": 1e400}')
    assert shape.events == 4
    assert shape.filled == {"lines[].sku": 1, "coupon": 1, "card.kind": 1, "n": 1}
    assert shape.kinds["lines[].sku", "text"] == shape.kinds["lines[].sku", "whole number"] == 1
    for number in range(2 * MOST_FIELDS):
        shape.take(json.dumps({f"made-up-{number}": 1}))
    assert len(shape.filled) == MOST_FIELDS + 1
    assert shape.filled[OTHER] == MOST_FIELDS + 4
