"""Consent as tools name it."""

from typing import Any

import pytest

from lakehouse.config import load
from lakehouse.events.consent import consent

CATEGORIES = load("dev", environ={}).consent.categories

# preferences -> analytics, personalization, marketing
SAID: list[tuple[dict[str, Any], tuple[bool | None, ...]]] = [
    ({}, (None, None, None)),
    ({"analytics": True}, (True, None, None)),
    ({"Analytics": False}, (False, None, None)),
    ({"C0001": True, "C0002": False, "C0003": False, "C0004": False}, (False, False, False)),
    ({"C0001": True}, (None, None, None)),
    ({"Advertising": False, "Analytics": False, "Functional": True}, (False, True, False)),
    ({"ad_storage": "denied", "analytics_storage": "granted"}, (True, None, False)),
    ({"marketing": "false"}, (None, None, False)),
    ({"marketing": 0, "analytics": 1}, (True, None, False)),
    ({"marketing": "no", "analytics": " YES "}, (True, None, False)),
    ({"marketing": "perhaps"}, (None, None, False)),
    ({"marketing": None}, (None, None, None)),
    ({"targeting": True, "advertising": False}, (None, None, False)),
    ({"our own category": False}, (False, False, False)),
    ({"our own category": False, "analytics": True}, (True, False, False)),
    ({"our own category": True}, (None, None, None)),
]


@pytest.mark.parametrize(("preferences", "expected"), SAID)
def test_what_was_said_of_each_purpose(preferences: dict[str, Any], expected: tuple[bool | None, ...]) -> None:
    assert tuple(consent(preferences, CATEGORIES).values()) == expected
