import json
from collections import defaultdict
from random import Random
from typing import Any

import pytest

from lakehouse.demo.shop.faults import BLOCKED, DEPTH, FAULTS, OVERSIZED_BYTES, Planted, plant
from lakehouse.demo.truth import Truth


@pytest.fixture(scope="module")
def planted() -> dict[str, list[Planted]]:
    """Five records of every kind."""
    records = list(plant(Random("faults"), Truth(seed=0), 5))
    found = defaultdict(list)
    for kind, record in zip([kind for kind in FAULTS for _ in range(5)], records, strict=True):
        found[kind].append(record)
    return found


def test_what_is_no_json_cannot_be_read(planted: dict[str, list[Planted]]) -> None:
    for record in planted["not_json"]:
        with pytest.raises(json.JSONDecodeError):
            json.loads(record.value or b"")
    for record in planted["invalid_utf8"]:
        with pytest.raises(UnicodeDecodeError):
            (record.value or b"").decode()
    assert all(b":NaN" in (record.value or b"") for record in planted["nan"])
    assert all(not isinstance(json.loads(record.value or b""), dict) for record in planted["not_an_object"])


def test_null_keys_and_values_are_null(planted: dict[str, list[Planted]]) -> None:
    assert all(record.key is None and record.value is not None for record in planted["null_key"])
    assert all(record.value is None and record.key is not None for record in planted["null_value"])


def test_the_oversized_have_forty_kilobytes_and_the_deep_two_hundred_levels(planted: dict[str, list[Planted]]) -> None:
    assert {len(record.value or b"") for record in planted["oversized"]} == {OVERSIZED_BYTES}
    for record in planted["too_deep"]:
        node, depth = json.loads(record.value or b"")["properties"]["nested"], 0
        while isinstance(node, dict):
            node, depth = node["a"], depth + 1
        assert depth == DEPTH


def test_duplicate_keys_are_really_twice_in_one_object(planted: dict[str, list[Planted]]) -> None:
    for record in planted["duplicate_json_keys"]:
        pairs = json.loads(record.value or b"", object_pairs_hook=list)
        assert len(pairs) == len(dict(pairs)) + 1


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("missing_message_id", ("messageId",), {None}),
        ("missing_type", ("type",), {None}),
        ("unknown_type", ("type",), {"purchase"}),
        ("track_without_event", ("event",), {None}),
        ("unknown_currency", ("properties", "currency"), {"ZZZ"}),
        ("order_without_id", ("properties", "order_id"), {None}),
        ("negative_price", ("properties", "price"), {-12.99}),
        ("negative_order", ("properties", "revenue"), {-12.99}),
        ("sent_before_it_happened", ("originalTimestamp",), {"2999-06-15T12:00:00.000Z"}),
        ("blocked_value_beside_good", ("userId",), {"null"}),
        ("year_1969", ("originalTimestamp",), {"1969-06-15T12:00:00.000Z"}),
        ("year_2999", ("originalTimestamp",), {"2999-06-15T12:00:00.000Z"}),
    ],
)
def test_the_fault_is_in_its_field(
    planted: dict[str, list[Planted]], kind: str, path: tuple[str, ...], expected: set[Any]
) -> None:
    seen = set()
    for record in planted[kind]:
        node: Any = json.loads(record.value or b"")
        for name in path:
            node = node.get(name)
        seen.add(node)
    assert seen == expected


def test_the_only_identifier_of_a_blocked_record_is_a_blocked_value(planted: dict[str, list[Planted]]) -> None:
    events = [json.loads(record.value or b"") for record in planted["blocked_identifier"]]
    assert all(("anonymousId" in event) + ("userId" in event) == 1 for event in events)
    assert {event.get("anonymousId") or event["userId"] for event in events} == set(BLOCKED)


def test_accepted_kinds_enter_the_truth_as_strangers_and_others_do_not() -> None:
    truth = Truth(seed=0)
    records = list(plant(Random("faults"), truth, 2))
    assert len(records) == 2 * len(FAULTS)
    assert {kind for kind, fault in truth.faults.items() if fault.reason is None} == {
        "null_key",
        "blocked_value_beside_good",
        "sent_before_it_happened",
        "negative_price",
    }
    assert len(truth.unit_of) == len(truth.units) == 8
    assert set(truth.behaviours.values()) == {"visitor"}
