"""What a record says under names of its own, in each way that tools write it."""

from typing import Any

import pytest

from lakehouse.sources.own_names import own_names


@pytest.mark.parametrize(
    ("found", "own"),
    [
        ([{"plan": "gold", "seats": 3, "note": "", "none": None, "tags": ["a"]}], {"plan": "gold", "seats": 3, "tags": ["a"]}),
        ([[{"key": "plan", "value": {"string_value": "gold", "int_value": None}}]], {"plan": "gold"}),
        ([[{"key": "n", "value": {"string_value": None, "int_value": "12"}}, {"key": "x", "value": {"double_value": 1.5}}]], {"n": 12, "x": 1.5}),
        ([[{"key": "x", "value": {"float_value": "-2.5"}}, {"key": "odd", "value": {"int_value": "many"}}]], {"x": -2.5, "odd": "many"}),
        ([[{"key": "when", "value": {"set_timestamp_micros": "1"}}, {"key": "plan", "value": {"string_value": "(not set)"}}]], {}),
        ([[{"name": "gift", "value": "yes"}, {"name": 3, "value": "no name"}, "no pair", {"key": "no value"}]], {"gift": "yes"}),
        ([{"a": 1}, {"a": 2, "b": 3}, "text", None], {"a": 1, "b": 3}),
    ],
)  # fmt: skip
def test_every_name_is_found_once_with_what_it_says(found: list[Any], own: dict[str, Any]) -> None:
    assert own_names(found, ()) == own


def test_a_name_that_is_taken_keeps_its_value() -> None:
    assert own_names([{"a": 1, "b": 2}], {"a": 0}) == {"b": 2}
