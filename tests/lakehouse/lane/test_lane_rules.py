"""The rule book as the lane sees it: the rules that wait for an event, and whether the file changed."""

from pathlib import Path

import yaml

from lakehouse.lane.lane_rules import lane_rules, text_version

RULE = {"owner": "crm", "effect": "force", "offer": "x", "when": "price > 1"}
WAITING = RULE | {"name": "waiting", "events": ["Product Viewed"]}


def rules_file(tmp_path: Path, *rules: dict[str, object]) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"rules": list(rules)}))
    return path


def test_only_enabled_rules_that_wait_for_an_event_concern_the_lane(tmp_path: Path) -> None:
    path = rules_file(tmp_path, WAITING, RULE | {"name": "asked_only"}, WAITING | {"name": "off", "is_enabled": False})
    rules = lane_rules(path)
    assert [(rule.name, rule.events) for rule in rules.rules] == [("waiting", ("Product Viewed",))]
    first = rules.version
    assert lane_rules(rules_file(tmp_path, WAITING | {"priority": 1})).version != first


def test_another_content_is_another_version(tmp_path: Path) -> None:
    path = rules_file(tmp_path, WAITING)
    first = text_version(path)
    path.write_text(path.read_text() + "\n")
    assert text_version(path) != first
    path.unlink()
    assert text_version(path) == ""
