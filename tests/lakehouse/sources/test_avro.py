"""Avro of any schema, in records and in files, held against fastavro's writer; evolution by a declared reader; and bytes that are no such record."""

import json
import random
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import fastavro
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lakehouse.config import load
from lakehouse.errors import SourceError
from lakehouse.schemas.avro_schema import parsed
from lakehouse.schemas.schema import Schema
from lakehouse.sources.avro import decoder
from lakehouse.sources.declaration import FileFormat
from lakehouse.sources.record import Record, canonical
from lakehouse.sources.record_files import records
from tests.avro_records import encoded, field, record

CONFIG = load("dev", environ={})
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}
MOMENT = datetime(2026, 6, 1, 8, 30, 0, 250_000, tzinfo=UTC)
LINE = record(field("sku", "string"), field("quantity", "int"), name="Line")
UNIT = {"type": "enum", "name": "Unit", "symbols": ["PIECE", "KILO", "METRE"]}


def avro(said: Any) -> Schema:
    return Schema(type="AVRO", text=json.dumps(said))


def read(written_by: Any, content: bytes, read_as: Any = None) -> Record:
    return decoder(avro(written_by), None if read_as is None else parsed(avro(read_as)))(content)


def logical(type_: Any, meaning: str, /, **more: Any) -> dict[str, Any]:
    return {"type": type_, "logicalType": meaning, **more}


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        (DECIMAL, Decimal("-1234567890123456.78"), Decimal("-1234567890123456.78")),
        (logical("fixed", "decimal", name="Money", size=9, precision=20, scale=4), Decimal("0.0500"), Decimal("0.0500")),
        (logical("long", "timestamp-millis"), MOMENT, "2026-06-01T08:30:00.250000+00:00"),
        (logical("long", "timestamp-micros"), MOMENT, "2026-06-01T08:30:00.250000+00:00"),
        (logical("long", "local-timestamp-millis"), MOMENT.replace(tzinfo=None), "2026-06-01T08:30:00.250000"),
        (logical("int", "date"), date(2026, 6, 1), "2026-06-01"),
        (logical("int", "time-millis"), time(8, 30), "08:30:00"),
        (logical("string", "uuid"), uuid.UUID(int=7), str(uuid.UUID(int=7))),
        (logical("string", "of nobody"), "a", "a"),
        (UNIT, "KILO", "KILO"),
        ("bytes", "Käse".encode(), "Käse"),
        ("bytes", b"\x00\x01", "0001"),
        ({"type": "fixed", "name": "Hash", "size": 2}, b"\xff\xfe", "fffe"),
        (["null", "string"], None, None),
        (["null", LINE], {"sku": "a", "quantity": 2}, {"sku": "a", "quantity": 2}),
        ({"type": "map", "values": {"type": "array", "items": "long"}}, {"a": [2**62, -1]}, {"a": [2**62, -1]}),
        ({"type": "array", "items": LINE}, [{"sku": "a", "quantity": 2}] * 2, [{"sku": "a", "quantity": 2}] * 2),
        ("double", float("nan"), None),
        ("boolean", True, True),
    ],
)  # fmt: skip
def test_every_type_has_a_plain_value(type_: Any, value: Any, expected: Any) -> None:
    schema = record(field("it", type_))
    found = read(schema, encoded(schema, {"it": value}))
    assert found == Record(1, {"it": expected})
    canonical(found.content)


class Typed(NamedTuple):
    """A schema, values of it, and what each is as a plain value."""

    schema: Any
    values: st.SearchStrategy[Any]
    plain: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


_WHOLE = st.integers(-(2**63), 2**63 - 1)
_LEAVES = st.sampled_from(
    [
        Typed("string", st.text(), _same),
        Typed("long", _WHOLE, _same),
        Typed("int", st.integers(-(2**31), 2**31 - 1), _same),
        Typed("double", st.floats(allow_nan=False, allow_infinity=False), _same),
        Typed("boolean", st.booleans(), _same),
        Typed(DECIMAL, st.decimals(-(10**15), 10**15, places=2), _same),
        Typed(logical("long", "timestamp-micros"), st.datetimes(timezones=st.just(UTC)), datetime.isoformat),
        Typed(logical("int", "date"), st.dates(), date.isoformat),
        Typed(logical("string", "uuid"), st.uuids(), str),
    ]
)


def _list(inner: Typed) -> Typed:
    return Typed(
        {"type": "array", "items": inner.schema},
        st.lists(inner.values, max_size=3),
        lambda many: [*map(inner.plain, many)],
    )


def _map(inner: Typed) -> Typed:
    values = st.dictionaries(st.text(max_size=5), inner.values, max_size=3)
    return Typed(
        {"type": "map", "values": inner.schema}, values, lambda many: {k: inner.plain(v) for k, v in many.items()}
    )


def _or_nothing(inner: Typed) -> Typed:
    values = st.none() | inner.values
    return Typed(["null", inner.schema], values, lambda one: None if one is None else inner.plain(one))


def _record(parts: list[Typed], number: int) -> Typed:
    names = [f"f{place}" for place in range(len(parts))]
    schema = record(*(field(name, part.schema) for name, part in zip(names, parts, strict=True)), name=f"R{number}")
    values = st.fixed_dictionaries({name: part.values for name, part in zip(names, parts, strict=True)})
    return Typed(
        schema, values, lambda one: {name: part.plain(one[name]) for name, part in zip(names, parts, strict=True)}
    )


_NUMBERS = st.integers(0, 10**9)
_TYPES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        inner.map(_list),
        inner.map(_map),
        inner.filter(lambda one: not isinstance(one.schema, list)).map(_or_nothing),
        st.builds(_record, st.lists(inner, min_size=1, max_size=3), _NUMBERS),
    ),
    max_leaves=6,
)


@hypothesis_settings(max_examples=60, deadline=None)
@given(data=st.data(), parts=st.lists(_TYPES, min_size=1, max_size=4))
def test_whatever_fastavro_writes_is_read_as_it_was(data: st.DataObject, parts: list[Typed]) -> None:
    typed = _record(parts, 10**9 + 1)
    try:
        content = encoded(typed.schema, value := data.draw(typed.values))
    except fastavro.schema.SchemaParseException:  # two records of one name
        return
    assert read(typed.schema, content).content == typed.plain(value)
    assert read(typed.schema, content[:-1]).fault is not None


def test_a_writer_that_changed_is_read_as_the_declared_schema() -> None:
    first = record(
        field("no", "int"),
        field("shop", "string"),
        field("gross", "float"),
        field("lines", {"type": "array", "items": LINE}),
    )
    wanted = record(
        field("receipt", "long", aliases=["no"]),
        field("gross", "double"),
        field("currency", "string", default="EUR"),
        field("unit", ["null", UNIT | {"default": "PIECE"}], default=None),
        field(
            "lines",
            {
                "type": "array",
                "items": record(field("sku", "string"), field("price", ["null", DECIMAL], default=None), name="Line"),
            },
        ),
    )
    second = record(
        field("receipt", "long"),
        field("gross", "double"),
        field("unit", UNIT | {"symbols": ["PIECE", "LITRE"]}),
        field("lines", {"type": "array", "items": LINE}),
    )
    lines = [{"sku": "a", "quantity": 2}]
    as_first = encoded(first, {"no": 17, "shop": "Bonn", "gross": 2.5, "lines": lines})
    as_second = encoded(second, {"receipt": 2**40, "gross": 2.5, "unit": "LITRE", "lines": lines})
    told = {"gross": 2.5, "currency": "EUR", "lines": [{"sku": "a", "price": None}]}
    assert read(first, as_first, wanted).content == told | {"receipt": 17, "unit": None}
    assert read(second, as_second, wanted).content == told | {"receipt": 2**40, "unit": "PIECE"}


@pytest.mark.parametrize(
    ("written", "wanted", "value", "expected"),
    [
        ("int", "long", 5, 5),
        ("int", "double", 5, 5.0),
        ("long", "double", 2**50, 2.0**50),
        ("float", "double", 0.5, 0.5),
        ("bytes", "string", b"a", "a"),
        ("int", ["null", "long"], 5, 5),
        (["null", "int"], "int", 5, 5),
        (DECIMAL, DECIMAL | {"precision": 20}, Decimal("1.25"), Decimal("1.25")),
        (
            "long",
            "int",
            5,
            "what the declared reader can read expected (SchemaResolutionError: Schema mismatch: long is not int)",
        ),
        ("string", "double", "5", "Schema mismatch: string is not double"),
        (["null", "int"], "int", None, "what the declared reader can read expected"),
        (UNIT, UNIT | {"symbols": ["PIECE"]}, "KILO", "KILO not found"),
    ],
)
def test_types_that_widen_are_read_and_others_say_so(written: Any, wanted: Any, value: Any, expected: Any) -> None:
    one, other = record(field("it", written)), record(field("it", wanted))
    found = read(one, encoded(one, {"it": value}), other)
    if found.content is None:
        assert isinstance(expected, str)
        assert expected in (found.fault or "")
    else:
        assert found.content == {"it": expected}


def test_a_field_that_nobody_gave_a_value_and_a_record_of_another_name() -> None:
    one = record(field("it", "int"))
    content = encoded(one, {"it": 5})
    assert "No default value for field more" in str(
        read(one, content, record(field("it", "int"), field("more", "int"))).fault
    )
    assert read(one, content, record(field("it", "int"), name="Invoice")).fault is not None
    assert read(one, content, record(field("it", "int"), name="Invoice", aliases=["Receipt"])).content == {"it": 5}


RECEIPT = record(
    field("no", "long"), field("at", logical("long", "timestamp-millis")), field("who", ["null", "string"]), field("gross", DECIMAL),
    field("id", logical("string", "uuid")), field("tags", {"type": "map", "values": "string"}), field("lines", {"type": "array", "items": LINE}),
)  # fmt: skip
SOLD = {
    "no": 17, "at": MOMENT, "who": "c-1", "gross": Decimal("12.50"), "id": uuid.UUID(int=7), "tags": {"a": "b"},
    "lines": [{"sku": "a", "quantity": 2}] * 2,
}  # fmt: skip


def test_no_bytes_make_it_fail_and_none_are_read_by_half() -> None:
    whole = encoded(RECEIPT, SOLD)
    decode = decoder(avro(RECEIPT), None)
    assert all(decode(whole[:end]).fault for end in range(len(whole)))
    assert decode(whole + b"\0").fault == "row: the end of the record expected, got 1 bytes more"
    chance = random.Random(20)
    for _ in range(3000):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 5)):
            broken[chance.randrange(len(whole))] = chance.randrange(256)
        found = decode(bytes(broken))
        assert (found.content is None) != (found.fault is None)
        assert "c-1" not in str(found.fault)


def test_a_record_of_one_list_called_list_is_a_record() -> None:
    for elements in ([], [{"element": 1}]):
        only = record(field("list", {"type": "array", "items": record(field("element", "int"), name="Inner")}))
        assert read(only, encoded(only, {"list": elements})).content == {"list": elements}


def test_a_decimal_of_as_many_bytes_as_a_message_may_have_is_none() -> None:
    schema = record(field("it", DECIMAL))
    of_many = {"logicalType": "decimal", "precision": 20_000, "scale": 2}
    for long in (DECIMAL, {"type": "bytes", **of_many}, {"type": "fixed", "name": "Long", "size": 10_000, **of_many}):
        found = read(record(field("it", long)), encoded(record(field("it", long)), {"it": b"\x7f" * 10_000}))
        assert found.fault == "row: a whole record of its schema expected (ValueError)"
    assert read(schema, encoded(schema, {"it": b"\0" * 15 + b"\x7f"})).content == {"it": Decimal("1.27")}


def test_what_is_no_record_is_no_event() -> None:
    assert read("string", encoded("string", "a")).fault == "row: a record of Avro expected"


def file_of(path: Path, codec: str = "null", schema: Any = RECEIPT, count: int = 50) -> Path:
    with path.open("wb") as file:
        fastavro.writer(
            file, fastavro.parse_schema(schema), ({**SOLD, "no": n} for n in range(count)), codec, sync_interval=100
        )
    return path


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"])
def test_a_file_is_read_however_it_is_packed(tmp_path: Path, codec: str) -> None:
    found = list(records(file_of(tmp_path / "orders.dat", codec), FileFormat(), CONFIG))
    assert [one.row for one in found] == list(range(1, 51))
    assert found[49].content == read(RECEIPT, encoded(RECEIPT, {**SOLD, "no": 49})).content


def test_a_file_is_read_as_the_declared_schema(tmp_path: Path) -> None:
    wanted = json.dumps(record(field("receipt", "long", aliases=["no"]), field("shop", "string", default="web")))
    path = file_of(tmp_path / "orders.avro", count=2)
    found = list(records(path, FileFormat.model_validate({"reader": {"text": wanted}}), CONFIG))
    assert [one.content for one in found] == [{"receipt": 0, "shop": "web"}, {"receipt": 1, "shop": "web"}]
    other = json.dumps(record(field("missing", "long")))
    with pytest.raises(
        SourceError, match=r"orders.avro: cannot be read .record 1 is not what .*No default value for field missing"
    ):
        list(records(path, FileFormat.model_validate({"reader": {"text": other}}), CONFIG))


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda whole: whole[:-20], "record 5[0-9]?|record 4"),
        (lambda whole: whole[:30], "its head"),
        (lambda whole: whole.replace(b"snappy", b"brotli"), "its head|record 1"),
        (lambda whole: whole[:-700] + b"\xff" * 30 + whole[-670:], "record [0-9]+: "),
    ],
)
def test_a_file_that_is_broken_says_where(tmp_path: Path, broken: Callable[[bytes], bytes], why: str) -> None:
    path = file_of(tmp_path / "orders.avro", "snappy")
    path.write_bytes(broken(path.read_bytes()))
    with pytest.raises(SourceError, match=rf"orders.avro: cannot be read \(({why})") as told:
        list(records(path, FileFormat(), CONFIG))
    assert "c-1" not in str(told.value)


def test_a_file_whose_schema_holds_itself_is_not_read(tmp_path: Path) -> None:
    node = record(field("next", ["null", "Receipt"]))
    file = BytesIO()
    fastavro.writer(file, fastavro.parse_schema(node), [{"next": None}])
    (tmp_path / "nodes.avro").write_bytes(file.getvalue())
    with pytest.raises(SourceError, match="Receipt holds itself"):
        list(records(tmp_path / "nodes.avro", FileFormat(), CONFIG))
