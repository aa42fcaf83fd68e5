"""The loyalty tier: the lake and the newest behaviour read one and the same, whatever the spelling and the place."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config import load
from lakehouse.events.event_row import EventReader
from lakehouse.events.reader import Reader
from lakehouse.events.traits import told_traits
from lakehouse.online.recent_behaviour import recent_behaviour
from lakehouse.online.recent_entries import entries

CONFIG = load("dev", environ={})
NOW = datetime(2026, 11, 27, 10, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1_000_000)
NAMES = ("loyalty_tier", "loyaltyTier", "Loyalty Tier", "loyalty-tier", "tier")
words = st.sampled_from(["gold", " blue ", "", " ", None, 3, True, ["gold"], {"a": 1}])
traits = st.dictionaries(st.sampled_from(NAMES), words) | words


@pytest.mark.parametrize(
    ("sent", "context", "tier"),
    [
        ({"loyalty_tier": "gold"}, None, "gold"),
        ({"loyaltyTier": " gold "}, None, "gold"),
        (None, {"loyaltyTier": "gold"}, "gold"),
        ({"Loyalty Tier": "blue"}, {"loyalty_tier": "gold"}, "blue"),
        ({"loyalty_tier": None}, {"loyalty_tier": "gold"}, None),
    ],
)
def test_the_traits_word_is_the_last_and_the_contexts_is_heard(sent: Any, context: Any, tier: str | None) -> None:
    told = told_traits({"traits": sent, "context": {"traits": context}})
    assert told is not None
    assert told["loyalty_tier"] == tier


def test_who_is_identified_in_the_context_alone_has_traits_too() -> None:
    beside = {"firstName": "Bea", "lastname": "Moor", "address": {"city": "Graz"}}
    assert told_traits({"context": {"traits": beside}}) == {"first_name": "Bea", "last_name": "Moor", "city": "Graz"}
    assert told_traits({"traits": {"first_name": "Ann"}, "context": {"traits": beside}}) == {"first_name": "Ann"}


@given(st.sampled_from(["identify", "track", "page"]), traits, traits)
def test_the_lake_and_the_newest_behaviour_agree(type_: str, sent: Any, context: Any) -> None:
    message = {
        "messageId": "m", "type": type_, "userId": "ann", "event": "x", "name": "x", "timestamp": "2026-11-27T09:00:00Z",
        "traits": sent, "context": {"traits": context},
    }  # fmt: skip
    row = EventReader(CONFIG).read(orjson.dumps(message), NOW_US, NOW_US)
    in_lake = (row.traits or {}).get("loyalty_tier", "not told")
    placed = entries(message, Reader(CONFIG), arrived_at=NOW)
    lately = recent_behaviour([entry for _, entry in placed], NOW).columns()
    assert lately.get("loyalty_tier", "not told") == in_lake
