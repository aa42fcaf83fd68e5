"""What conf/rules.yaml may say of destinations, and that every fault of it is told with its place."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse.actions.destinations import declared_names
from lakehouse.config.paths import DESTINATIONS, OFFERS, RULES
from lakehouse.decisions.offers import read_catalogue
from lakehouse.errors import ConfigError
from lakehouse.rules.book import RuleBook, read_rules

GOOD = {
    **{"name": "cart", "owner": "crm", "when": "price >= 50", "effect": "force", "offer": "welcome"},
    **{"events": ["Product Added"], "destinations": ["crm"]},
}


def book(folder: Path, *rules: dict[str, Any]) -> RuleBook:
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"rules": list(rules)}))
    return read_rules(path, ["welcome"], ["crm"])


def test_what_is_shipped_is_sound_and_names_destinations_that_are_enabled() -> None:
    names = declared_names(DESTINATIONS)
    assert names == ["journal"]
    found = read_rules(RULES, read_catalogue(OFFERS).offers, names)
    assert any(rule.destinations for rule in found.by_name.values())


def test_a_rule_says_how_it_is_acted_on(tmp_path: Path) -> None:
    rule = book(tmp_path, GOOD | {"valid_for": "90 s", "template": "cart_letter"}).by_name["cart"]
    assert (rule.destinations, rule.valid_for, rule.template) == (("crm",), 90_000, "cart_letter")
    plain = book(tmp_path, GOOD).by_name["cart"]
    assert (plain.valid_for, plain.template, plain.respects_quiet_hours) == (86_400_000, None, True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"destinations": ["nowhere"]}, "rules[0].destinations: no destination 'nowhere', expected one of crm"),
        ({"events": []}, "destinations: only a rule of the stream"),
        ({"effect": "forbid"}, "destinations: only a rule of the stream that offers something"),
        ({"valid_for": "soon"}, "valid_for: got 'soon'"),
        ({"destinatons": ["crm"]}, "did you mean 'destinations'"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        book(tmp_path, GOOD | changes)
    assert told in str(caught.value)
