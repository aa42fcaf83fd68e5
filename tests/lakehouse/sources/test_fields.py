"""Fields of a record as the types of the rules' language; what is none of its type is spoilt, and never guessed."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from lakehouse.sources.fields import Declarations, FieldReader, FieldValues, first_found
from lakehouse.sources.place import place

SPOILT = object()


def read(declared: Any, value: Any, decimal: str | None = None) -> Any:
    """What the one field of a record is."""
    values = fields({"it": declared}, {"it": value}, decimal)
    return SPOILT if "it" in values.spoilt else values.values["it"]


def fields(declared: dict[str, Any], record: Any, decimal: str | None = None) -> FieldValues:
    return FieldReader(TypeAdapter(Declarations).validate_python(declared), decimal).read(record)


def micros(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("decimal", "sent", "number"),
    [
        (None, "12.50", 12.5), (None, 12, 12.0), (None, " -3 ", -3.0), (None, "1e3", 1000.0), (None, "", None), (None, None, None),
        (None, "12,50", SPOILT), (None, "1,234.50", SPOILT), (None, "$5", SPOILT), (None, True, SPOILT), (None, "NaN", SPOILT),
        (None, [1], SPOILT), (None, "1e999", SPOILT), (None, 10**400, SPOILT),
        (".", "1,234.50", 1234.5), (".", "1'234'567", 1234567.0), (".", "1 234.5", 1234.5), (".", "12,34", SPOILT), (".", "1,23,456", SPOILT),
        (",", "1.234,50", 1234.5), (",", "12,50", 12.5), (",", "1\u00a0234,50", 1234.5), (",", "12.50", SPOILT), (",", "7", 7.0),
    ],
)  # fmt: skip
def test_a_number_is_read_by_its_declared_mark_or_not_at_all(decimal: str | None, sent: Any, number: Any) -> None:
    assert read("number", sent, decimal) == number


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        ("$1,234.50", 1234.5), ("$ 3", 3.0), ("3 $", 3.0), ("-$5", -5.0), ("$-5", -5.0), ("($5.00)", -5.0), ("7", 7.0), (7, 7.0), ("", None),
        ("€5", SPOILT), ("$", SPOILT), ("$$5", SPOILT), ("5 $ 3", SPOILT), ("(5)", SPOILT),
    ],
)  # fmt: skip
def test_what_stands_beside_a_number_is_taken_off_where_it_is_declared(sent: Any, number: Any) -> None:
    assert read({"type": "number", "unit": "$", "decimal": "."}, sent) == number


@pytest.mark.parametrize(
    ("declared", "sent", "moment"),
    [
        ({}, "2025-03-01T10:00:00+01:00", "2025-03-01T09:00:00"),
        ({}, "2025-03-01 10:00:00 +0100", "2025-03-01T09:00:00"),
        ({}, "2025-03-01", "2025-03-01T00:00:00"),
        ({}, 1740823200, "2025-03-01T10:00:00"),
        ({}, "1740823200000000", "2025-03-01T10:00:00"),
        ({"zone": "Europe/Berlin"}, "2025-07-01 12:00:00", "2025-07-01T10:00:00"),
        ({"zone": "Europe/Berlin"}, "2025-07-01 12:00:00 UTC", "2025-07-01T12:00:00"),
        ({"zone": "Europe/Berlin"}, "2025-07-01T12:00:00-05:00", "2025-07-01T17:00:00"),
        ({"zone": "Europe/Berlin"}, "1740823200.5", "2025-03-01T10:00:00.500"),
        ({"format": "%d.%m.%Y %H:%M"}, "31.12.2024 23:30", "2024-12-31T23:30:00"),
        ({"format": "%m/%d/%Y", "zone": "America/New_York"}, "12/31/2024", "2024-12-31T05:00:00"),
    ],
)
def test_a_time_is_a_moment(declared: dict[str, Any], sent: Any, moment: str) -> None:
    assert read({"type": "time", **declared}, sent) == micros(moment)


@pytest.mark.parametrize(
    ("declared", "sent"), [({}, "yesterday"), ({}, "31.12.2024"), ({"format": "%Y"}, "x"), ({}, {})]
)
def test_what_is_no_time_is_spoilt(declared: dict[str, Any], sent: Any) -> None:
    assert read({"type": "time", **declared}, sent) in (SPOILT, None)
    assert read({"type": "time", **declared}, "nor this") is SPOILT


def test_a_date_of_zeros_is_none() -> None:
    assert read("time", "0000-00-00 00:00:00") is None


def test_texts_and_booleans() -> None:
    assert read("text", 90071992547409931) == "90071992547409931"
    assert read("text", " x ") == "x"
    assert read("text", {"a": 1}) is SPOILT
    assert [read("boolean", sent) for sent in (True, "Yes", "0", "off", "perhaps")] == [
        True,
        True,
        False,
        False,
        SPOILT,
    ]
    assert read("texts", ["a", 1, None]) == ("a", "1")


def test_the_first_place_that_says_something_counts() -> None:
    declared = {"email": {"type": "text", "path": ["email", "customer.email"]}}
    assert fields(declared, {"email": "", "customer": {"email": "x"}}).values == {"email": "x"}


def test_a_record_is_read_alike_whatever_was_read_before() -> None:
    """Names that come together again say where to look, and not what stands there."""
    declared = TypeAdapter(Declarations).validate_python(
        {
            "id": {"type": "text", "path": ["id", "a.id", "a[0].id", "[].id", "b*"]},
            "sum": {"type": "number", "path": ["n", "lines[].n"], "take": "sum"},
            "many": {"type": "number", "path": "lines[].n", "take": "count"},
            "words": {"type": "text", "path": ["`a.id`", "c"], "take": "joined"},
        }
    )
    chance, reader = Random(3), FieldReader(declared, None)
    values: list[Any] = [None, "", "x", 7, "?", {}, {"id": "y"}, '{"id": "z"}', [{"n": 1}, {"n": "2"}], [{"id": 3}], []]
    names = ("id", "a", "a.id", "b", "bb", "c", "n", "lines", "other")
    records: list[Any] = [
        {name: chance.choice(values) for name in chance.sample(names, chance.randint(0, 4))} for _ in range(2_000)
    ]
    records += ["text", None, [{"id": "w"}]]
    read = [reader.read(record) for record in records]
    assert read == [FieldReader(declared, None).read(record) for record in records]
    for record, one in zip(records, read, strict=True):
        assert list(one.values) == list(declared)
        held = {name: first_found([place(path) for path in field.path], record) for name, field in declared.items()}
        assert one.values["many"] == len(held.pop("many"))
        assert {name: one.values[name] is not None or name in one.spoilt for name in held} == {
            name: bool(found) for name, found in held.items()
        }


def test_several_things_are_one_as_declared() -> None:
    record = {"lines": [{"n": "1.10"}, {"n": 2}, {"n": None}]}
    taken = {take: {"type": "number", "path": "lines[].n", "take": take} for take in ("first", "last", "sum", "count")}
    assert fields(taken, record).values == {"first": 1.1, "last": 2.0, "sum": 3.1, "count": 2.0}
    assert fields(taken, {"lines": [{"n": 1}, {"n": "?"}]}).spoilt == {"last": "?", "sum": "?"}
    joined = {"words": {"type": "text", "path": "words[]", "take": "joined"}}
    assert fields(joined, {"words": ["red", "bag"]}).values == {"words": "red bag"}


@pytest.mark.parametrize(
    "declared",
    [{"type": "text", "zone": "UTC"}, {"type": "text", "take": "sum"}, {"type": "number", "take": "joined"}, {"type": "money"}, "date",
     {"type": "time", "zone": "Mars/Base"}, {"type": "text", "pth": "x"}],
)  # fmt: skip
def test_a_declaration_that_means_nothing_is_refused(declared: Any) -> None:
    with pytest.raises(ValidationError):
        fields({"it": declared}, {})
