"""Declared properties: what each type reads, what it refuses, and what is wrong with a file that declares them."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse.config import load
from lakehouse.config.paths import EVENTS
from lakehouse.errors import ConfigError, ContractError
from lakehouse.events.declared_properties import DeclaredProperty, check_stored, read_declared, with_declared
from lakehouse.events.event_row import EventReader
from lakehouse.events.tokens import token
from lakehouse.tables.events import SILVER_EVENTS

CONFIG = load("dev", environ={})
NOON_US = 1_772_366_400_000_000


def declared(type_: str, **rest: Any) -> DeclaredProperty:
    return DeclaredProperty.model_validate({"name": "x", "type": type_, "description": "what it is"} | rest)


def read(one: DeclaredProperty, event: str = "Seen", **properties: Any) -> tuple[Any, list[str] | None]:
    """The value of its column, and what is told."""
    sent = {"type": "track", "event": event, "messageId": "m", "anonymousId": "a", "properties": properties}
    row = EventReader(CONFIG, [one]).read(orjson.dumps(sent), NOON_US, NOON_US)
    assert row.declared is not None
    return row.declared[0], row.faults


# type -> what is sent -> what its column has; ... = nothing, and that is told
READ: dict[str, list[tuple[Any, Any]]] = {
    "string": [("a", "a"), (" a ", " a "), (1, "1"), (True, "true"), (1.5, "1.5"), ("", None), ([], None), ({"a": 1}, ...)],
    "number": [
        *((1, Decimal(1)), (1.5, Decimal("1.5")), ("-2.50", Decimal("-2.5")), (orjson.Fragment("1e3"), Decimal(1000))),
        *((orjson.Fragment("0.12345678905"), Decimal("0.1234567891")), (None, None), ("1,5", ...), (True, ...), (orjson.Fragment("1e30"), ...)),
    ],
    "integer": [(7, 7), ("7", 7), (7.0, 7), (2**63 - 1, 2**63 - 1), (2**63, ...), (7.5, ...), ("seven", ...), ([7], ...)],
    "boolean": [(True, True), (False, False), ("TRUE", True), ("false", False), (1, ...), ("yes", ...), (" ", None)],
    "timestamp": [
        *(("2026-03-01T12:00:00Z", NOON_US), ("2026-03-01T13:00:00+01:00", NOON_US), (1_772_366_400, NOON_US)),
        *((1_772_366_400_000, NOON_US), ("noon", ...), (True, ...), (None, None)),
    ],
}  # fmt: skip
CASES = [(type_, sent, held) for type_, cases in READ.items() for sent, held in cases]


@pytest.mark.parametrize(
    ("type_", "sent", "held"),
    CASES,
    ids=[
        f"{t}={s!s:.30}" if isinstance(s, str | int | float | None) else f"{t}, {type(s).__name__}" for t, s, _ in CASES
    ],
)
def test_a_value_is_read_as_its_type_or_left_empty_and_told(type_: str, sent: Any, held: Any) -> None:
    value, faults = read(declared(type_), x=sent)
    if held is ...:
        assert (value, faults) == (None, [f"wrong_type|properties.x: {type_} expected"])
    else:
        assert (value, faults) == (held, None)
        assert value.__class__ is held.__class__


def test_a_property_is_of_the_events_it_names_in_any_spelling_and_lies_where_its_path_says() -> None:
    slot = declared("string", path="delivery.slot", events=["order-completed"])
    sent = {"delivery": {"slot": "8-10"}, "order_id": "o", "revenue": 1}
    assert [read(slot, event, **sent)[0] for event in ("Order Completed", "Completed Order", "Seen")] == [
        "8-10",
        "8-10",
        None,
    ]
    assert read(slot, "Order Completed", delivery="8-10", order_id="o", revenue=1)[0] is None


def test_what_is_personal_is_a_token_in_its_column() -> None:
    hidden = token(CONFIG.privacy, "email", "ann@example.com")
    assert read(declared("string"), x="Ann@Example.com") == (hidden, None)


def test_the_contract_gains_a_column_for_each() -> None:
    table = with_declared(SILVER_EVENTS, [declared("number", name="weight"), declared("boolean", name="is_gift")])
    assert table.columns[: len(SILVER_EVENTS.columns)] == SILVER_EVENTS.columns
    gained = table.columns[len(SILVER_EVENTS.columns) :]
    assert [(c.name, c.type, c.nullable) for c in gained] == [
        ("p_weight", "decimal(38,10)", True),
        ("p_is_gift", "boolean", True),
    ]
    check_stored(table, {"p_weight": "decimal(38,10)"})
    with pytest.raises(ContractError, match=r"weight: got decimal\(38,10\), expected string.*another name"):
        check_stored(table, {"p_weight": "string"})


def test_the_file_that_is_shipped_declares_nothing() -> None:
    assert read_declared(EVENTS, CONFIG.privacy) == ()


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ("[{name: x, type: text, description: d}]", r"properties\[0\]\.type: .*'string'"),
        ("[{name: X, type: string, description: d}]", r"properties\[0\]\.name"),
        ("[{name: x, type: string}]", r"properties\[0\]\.description"),
        ("[{name: x, type: string, description: d, pth: y}]", r"unknown key 'pth'; did you mean 'path'"),
        ("[{name: x, type: string, description: d}, {name: x, type: string, description: d}]", r"'x' is there already"),
        ("[{name: x, type: integer, description: d, path: customer.phone}]", r"'phone' is personal.*plain_fields"),
        ("3", "expected a list"),
    ],
)
def test_what_cannot_be_declared_is_told_by_place(tmp_path: Path, entries: str, told: str) -> None:
    path = tmp_path / "events.yaml"
    path.write_text(f"properties: {entries}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        read_declared(path, CONFIG.privacy)
