"""Which change of a plan passes, and which needs another version; and that what passes takes what was taken before."""

import random
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import pytest

from lakehouse.events.plan_changes import breaking
from lakehouse.events.tracking_plan import PlannedEvent, TrackingPlan

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def plan(*schemas: Any, **rest: Any) -> TrackingPlan:
    """Versions 1, 2, ... of one event."""
    return TrackingPlan(
        events=tuple(
            PlannedEvent(event="Quiz Done", version=n, owner="a", description="b", properties=schema, **rest)
            for n, schema in enumerate(schemas, 1)
        )
    )


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (of(), of(a={"type": "string"})),
        (None, of(a={"type": "string"})),
        (of(a={"type": "integer"}), of(a={"type": "number"})),
        (of(a={"type": "integer"}), of(a={"type": ["string", "number"], "title": "A"})),
        (of(a={"enum": [1, 2]}), of(a={"enum": [3, 2, 1]})),
        (of(a={"enum": [1]}), of(a={"type": "integer"})),
        (of(a={"const": 1}), of(a={"enum": [1, 2]})),
        (of(a={"minLength": 2, "maximum": 9}), of(a={"minLength": 1, "maximum": 10})),
        (of() | {"required": ["a"]}, of()),
        (of() | {"additionalProperties": False}, of(b={})),
        (of(a={"items": {"type": "integer"}}), of(a={"items": True})),
        (of(a={"anyOf": [{"type": "string"}]}), of(a={"anyOf": [{"type": "string"}], "description": "x"})),
    ],
)
def test_what_only_adds_passes(before: Any, after: Any) -> None:
    assert breaking(plan(before), plan(after), NOW) == []


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        (of(a={}), of(), "properties.a: got none"),
        (of(a={}), None, "properties.a: got none"),
        (of(a={"type": "number"}), of(a={"type": "integer"}), "properties.a.type"),
        (of(a={}), of(a={"type": "string"}), "properties.a.type"),
        (of(), of() | {"required": ["b"]}, "properties.b: got required"),
        (None, of() | {"required": ["b"]}, "properties.b: got required"),
        (of(a={"enum": ["x", "y"]}), of(a={"enum": ["x"]}), "properties.a.enum: got no 'y'"),
        (of(a={"enum": [1]}), of(a={"enum": [True]}), "properties.a.enum: got no 1"),
        (of(a={"type": "string"}), of(a={"enum": ["x"], "type": "string"}), "properties.a.enum"),
        (of(a={"maxLength": 9}), of(a={"maxLength": 8}), "properties.a.maxLength: got 8, expected 9"),
        (of(a={}), of(a={"minimum": 0}), "properties.a.minimum: got 0, expected none"),
        (of(a={}), of(a={"uniqueItems": True}), "properties.a.uniqueItems"),
        (of(), of() | {"additionalProperties": False}, "properties.*"),
        (of(a={"items": of(b={})}), of(a={"items": of()}), "properties.a[].b: got none"),
        (of(a={"pattern": "a"}), of(a={"pattern": "b"}), "properties.a.pattern"),
        (of(a={"anyOf": [{}]}), of(a={}), "properties.a.anyOf"),
    ],
)
def test_what_breaks_senders_or_readers_names_event_version_place_and_what_to_do(
    before: Any, after: Any, place: str
) -> None:
    (fault,) = breaking(plan(before), plan(after), NOW)
    assert fault.startswith(f"Quiz Done, version 1: {place}")
    assert fault.endswith("Leave version 1 as it was recorded, and declare this as version 2")
    assert breaking(plan(before), plan(before, after), NOW) == []  # another version may be anything


def test_a_version_goes_when_nobody_is_held_to_it_any_more() -> None:
    (fault,) = breaking(plan(of(a={}), of()), plan(of(a={})), NOW)
    assert fault.startswith("Quiz Done, version 2: got none, expected it to stay")
    assert breaking(plan(of(a={}), valid_to=NOW), TrackingPlan(), NOW) == []


def schema(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    pick = chance.randrange(5 if depth < 2 else 3)
    if pick == 0:
        return {
            "type": chance.choice(["string", "number", "integer", "boolean", ["integer", "null"], ["string", "number"]])
        }
    if pick == 1:
        return {"enum": chance.sample([1, 2, "x", "y", True], chance.randint(1, 4))}
    if pick == 2:
        return {"type": "number", chance.choice(["minimum", "maximum", "exclusiveMinimum"]): chance.randint(-1, 2)}
    if pick == 3:
        return {
            "type": "array",
            "items": schema(chance, depth + 1),
            chance.choice(["minItems", "maxItems"]): chance.randint(0, 2),
        }
    made: dict[str, Any] = of(
        a=schema(chance, depth + 1), b=schema(chance, depth + 1)
    )  # a name that is new passes, whatever was sent there
    return made | {"required": chance.sample("ab", chance.randint(0, 1)), "additionalProperties": chance.random() < 0.5}


def value(chance: random.Random, depth: int = 0) -> Any:
    pick = chance.randrange(4 if depth < 3 else 2)
    if pick < 2:
        return chance.choice([None, True, 0, 1, 2, 0.5, "x", "z"])
    if pick == 2:
        return [value(chance, depth + 1) for _ in range(chance.randint(0, 2))]
    return {name: value(chance, depth + 1) for name in chance.sample("ab", chance.randint(0, 2))}


def test_a_change_that_passes_refuses_nothing_that_was_taken() -> None:
    chance, passed = random.Random(5), 0
    for _ in range(4_000):
        before, after = ({"type": "object", "properties": {"a": schema(chance)}} for _ in range(2))
        if before == after or breaking(plan(before), plan(after), NOW):
            continue
        passed += 1
        took, takes = map(jsonschema_rs.validator_for, (before, after))
        for one in ({"a": value(chance)} for _ in range(60)):
            assert takes.is_valid(one) or not took.is_valid(one), (before, after, one)
    assert passed > 30
