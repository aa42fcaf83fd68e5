"""What an event is held to, what is told where it breaks that, and that nothing of the sender's is told with it."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse.config import load
from lakehouse.config.paths import EVENTS
from lakehouse.errors import ConfigError
from lakehouse.events.event_row import EventReader
from lakehouse.events.tracking_plan import UNPLANNED, read_plan

CONFIG = load("dev", environ={})
NOON_US = 1_772_366_400_000_000  # 2026-03-01
PLAN = """
properties: []
sources: {web: block}
events:
  - event: order_completed
    owner: checkout
    description: an order
    properties:
      required: [payment]
      properties:
        payment: {enum: [card, 'a|b: c']}
        weight: {type: number, maximum: 5}
        lines: {type: array, items: {$ref: '#/$defs/line'}}
        labels: {additionalProperties: {type: integer}}
      $defs: {line: {additionalProperties: false, required: [id], properties: {id: {type: string}}}}
    context: {properties: {items: {properties: {items: {type: string}}}}}
  - {event: Order Completed, version: 2, owner: checkout, description: of today, properties: {required: [method]}}
  - {event: Order Completed, version: 3, owner: checkout, description: soon, valid_from: 2026-03-02}
  - {event: Order Completed, version: 4, owner: checkout, description: gone, valid_to: 2026-03-01T12:00:00}
  - {type: page, owner: web, description: any page, properties: {required: [url]}}
  - {type: page, event: Home, owner: web, description: the first page}
  - {type: identify, owner: crm, description: who it is, traits: {properties: {email: {format: email}}}}
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> EventReader:
    path = Path(tmp_path_factory.mktemp("plan"), "events.yaml")
    path.write_text(PLAN)
    return EventReader(CONFIG, (), read_plan(path))


def sent(properties: Any = None, context: Any = None, **rest: Any) -> bytes:
    message = {"type": "track", "event": "orderCompleted", "messageId": "m", "anonymousId": "a", "context": context}
    return orjson.dumps(
        message | {"properties": {"order_id": "o", "revenue": 3} | (properties or {"payment": "card"})} | rest
    )


def version(said: Any) -> dict[str, Any]:
    return {"protocols": {"event_version": said}}


KNOWN = "one of 1, 2 expected"


@pytest.mark.parametrize(
    ("value", "faults"),
    [
        (sent(), []),
        (sent({"payment": "x"}), ["properties.payment: enum ['card', 'a/b:c'] expected, version 1"]),
        (sent({"total": 1}), ["properties.payment: required expected, version 1"]),
        (sent({"payment": "card", "weight": 5.5}), ["properties.weight: maximum 5 expected, version 1"]),
        (
            sent({"payment": "card", "lines": [{"id": 1}, {"id": 2}, {"ann@example.com": 1}]}),
            [f"properties.lines[]{what} expected, version 1" for what in (".id: type string", ": additionalProperties False")],
        ),
        (sent({"payment": "card", "labels": {"ann": "x"}}), ["properties.labels.*: type integer expected, version 1"]),
        (sent(context={"items": {"items": 1}}), ["context.items.items: type string expected, version 1"]),
        (sent(context=version("2.0.1")), ["properties.method: required expected, version 2"]),
        (sent({"method": "card"}, version(2)), []),
        *((sent(context=version(said)), [f"context.protocols.event_version: {KNOWN}"]) for said in (3, 4, "two", "-1")),
        (sent(event="Nobody Planned It"), []),
        (sent(type="page", event=None, name="Order Completed"), ["properties.url: required expected, version 1"]),
        (sent(type="page", event=None, name="Home"), []),
        (sent(type="screen", event=None, name="Home"), []),
        (sent(type="identify", traits={"email": "none"}), ["traits.email: format email expected, version 1"]),
        (sent(type="identify", traits=[]), []),
    ],
)  # fmt: skip
def test_what_breaks_the_version_it_is_held_to_is_told_in_words_of_the_schema(
    reader: EventReader, value: bytes, faults: list[str]
) -> None:
    row = reader.read(value, NOON_US, NOON_US)
    assert row.verdict is None
    told = [text.removeprefix("breaks_plan|") for text in row.faults or () if text.startswith("breaks_plan")]
    assert sorted(told) == sorted(faults)


def test_a_source_that_is_blocked_has_it_rejected_when_nothing_worse_is_wrong(reader: EventReader) -> None:
    broken = sent({"payment": "x"}, channel="web")
    assert (reader.read(broken, NOON_US, NOON_US).verdict or "").startswith("breaks_plan|properties.payment: enum")
    assert reader.read(sent(channel="web"), NOON_US, NOON_US).verdict is None
    assert reader.read(sent({"payment": "x", "order_id": ""}, channel="web"), NOON_US, NOON_US).verdict == (
        "missing_field|properties.order_id"
    )
    assert EventReader(CONFIG).read(broken, NOON_US, NOON_US).verdict is None


def test_a_number_of_any_size_fails_nobody(reader: EventReader) -> None:
    for number in (b"1e400", b"9" * 4000, b"-1e-400", b"1.10"):
        value = sent({"payment": "card", "weight": 0}).replace(b'"weight":0', b'"weight":' + number)
        row = reader.read(value, NOON_US, NOON_US)
        assert row.verdict is None
        assert bool(row.faults) == number.startswith((b"1e", b"9"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("events: [{owner: a, description: b}]", r"events\[0\]: event: got none, expected the name"),
        ("events: [{type: group, event: x, owner: a, description: b}]", "a message of type group has no name"),
        ("events: [{event: x, owner: a, description: b, propertys: {}}]", "did you mean 'properties'"),
        ("events: [{event: x, owner: a, description: b, properties: {type: strng}}]", "x, version 1: no JSON Schema"),
        (
            "events: [{event: x, owner: a, description: b, properties: {$ref: 'http://127.0.0.1:9/x'}}]",
            "references to elsewhere",
        ),
        ("events: [{event: x, owner: a, description: b, properties: {pattern: '('}}]", "no JSON Schema"),
        (
            "events: [{event: order_completed, owner: a, description: b}, {event: Order Completed, owner: a, description: b}]",
            "'Order Completed, version 1' is there already",
        ),
        ("sources: {web: stop}", r"sources\.web: Input"),
        ("sources: [web]", "sources: Input"),
        ("events: {a: {}}", "expected a list"),
    ],
)
def test_a_plan_with_a_fault_is_refused_with_its_place(tmp_path: Path, text: str, fault: str) -> None:
    (path := tmp_path / "events.yaml").write_text(f"properties: []\n{text}\n")
    with pytest.raises(ConfigError, match=rf"^events\.yaml: .*{fault}"):
        read_plan(path)


def test_the_shipped_file_plans_nothing() -> None:
    assert read_plan(EVENTS) == UNPLANNED
