"""One decision is one exposure, of its offer and of the rule that brought it; caps of both count the others."""

from datetime import UTC, datetime

from lakehouse.decisions import exposures
from lakehouse.decisions.offers import Offer
from lakehouse.online.recent_behaviour import recent_behaviour
from lakehouse.rules.book import Rule

NOW = datetime(2026, 11, 26, 20, 30, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
CAPS = {"caps": {"per_day": 1}}
OFFER = Offer.model_validate(
    {"name": "bundle", "title": "Bundle", "owner": "crm", "purpose": "marketing", "channels": ["web"], "value": 5}
    | CAPS
)
RULE = Rule.model_validate(
    {"name": "cart", "owner": "crm", "when": "true", "effect": "force", "offer": "bundle"} | CAPS
)


def caps_reached(decision_id: str, *shown: list[exposures.Entry]) -> tuple[str | None, str | None]:
    """Of offer and rule, when this decision is about to be said."""
    entries = exposures.of_others([entry for of_one in shown for entry in of_one], decision_id)
    seen = recent_behaviour(entries, NOW).exposures
    return exposures.offer_cap(OFFER, seen, NOW), exposures.rule_cap(RULE, seen, NOW)


def test_what_was_written_down_is_what_caps_count() -> None:
    reached = "shown 1 times in 24 hours, at most 1"
    assert caps_reached("d2", exposures.entries("d1", "bundle", "cart", NOW_MS)) == (reached, reached)
    assert caps_reached("d2", exposures.entries("d1", "bundle", None, NOW_MS)) == (reached, None)
    assert caps_reached("d2", exposures.entries("d1", None, "cart", NOW_MS)) == (None, reached)
    assert caps_reached("d2", exposures.entries("d1", "bundle", "cart", NOW_MS - 86_400_000)) == (None, None)


def test_a_decision_does_not_stand_in_its_own_way_and_counts_once() -> None:
    twice = [exposures.entries("d1", "bundle", "cart", NOW_MS + later) for later in (0, 5)]
    assert caps_reached("d1", *twice) == (None, None)
    assert caps_reached("d2", *twice)[0] == "shown 1 times in 24 hours, at most 1"
