"""Whose visit an event belongs to."""

import pytest

from lakehouse.events.enrichment.visitor import visitor_id
from lakehouse.events.identifier import Identifier

USER, DEVICE, COOKIE, CARD = ("user_id", "7"), ("device_id", "d"), ("anonymous_id", "before"), ("loyalty_id", "9")


@pytest.mark.parametrize(
    ("anonymous_id", "identifiers", "is_visit", "expected"),
    [
        ("a", [DEVICE, USER], True, "a"),
        ("a", [DEVICE, USER], False, "a"),
        (None, [DEVICE, USER], False, "device_id:d"),
        (None, [USER], True, "user_id:7"),
        (None, [USER], False, None),
        (None, [CARD, USER], True, "user_id:7"),
        (None, [COOKIE, USER], False, "anonymous_id:before"),
        (None, [("group", "g")], True, None),
        (None, [], True, None),
    ],
)
def test_a_browser_or_device_else_who_is_on_the_page(
    anonymous_id: str | None, identifiers: list[Identifier], is_visit: bool, expected: str | None
) -> None:
    assert visitor_id(anonymous_id, identifiers, is_visit=is_visit) == expected
