"""Messages with the id of their schema before them: what is read of each, and what is said of those that are none."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse.config import Config
from lakehouse.errors import ConfigError, RegistryError
from lakehouse.schemas import registry
from lakehouse.schemas.known_schemas import KnownSchemas
from lakehouse.sources.declaration import FileFormat, read_declaration
from lakehouse.sources.record import Record
from lakehouse.sources.registered_records import RegisteredRecords
from tests import schema_registry
from tests.avro_records import encoded, field, framed, record
from tests.schema_registry import RunningRegistry

SALE = record(field("no", "int"))
ORDER = {"type": "object", "required": ["no"], "properties": {"no": {"type": "integer"}, "line": {"$ref": "line.json"}}}
LINE = {"type": "object", "properties": {"sku": {"type": "string"}}}


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningRegistry]:
    monkeypatch.setattr(registry, "FIRST_PAUSE_SECONDS", 0.0)
    with schema_registry.running() as made:
        yield made


@pytest.fixture
def at_registry(config: Config, running: RunningRegistry) -> Config:
    return dataclasses.replace(config, schema_registry=dataclasses.replace(config.schema_registry, url=running.url))


def reader(config: Config, type_: str = "avro", **format_: Any) -> RegisteredRecords:
    return RegisteredRecords(FileFormat.model_validate({"type": type_, **format_}), config, KnownSchemas(config))


def test_each_message_is_read_by_the_schema_it_names(running: RunningRegistry, at_registry: Config) -> None:
    wide = record(field("no", "long"), field("shop", "string"))
    first, second = running.register(SALE), running.register(wide)
    sales = reader(at_registry)
    for _ in range(3):
        assert sales.record(framed(first, encoded(SALE, {"no": 1}))) == Record(1, {"no": 1})
        assert sales.record(framed(second, encoded(wide, {"no": 2, "shop": "Bonn"}))).content == {
            "no": 2,
            "shop": "Bonn",
        }
    assert len(running.asked) == 2


def test_a_record_is_found_in_its_wrapping(running: RunningRegistry, at_registry: Config) -> None:
    wrapped = record(field("sale", SALE), field("shop", "string"), name="Wrapped")
    sale = framed(running.register(wrapped), encoded(wrapped, {"sale": {"no": 1}, "shop": "Bonn"}))
    assert reader(at_registry, records=["sale"], shared=["shop"]).record(sale).content == {"no": 1, "shop": "Bonn"}


def test_what_cannot_be_read_says_why_and_shows_its_bytes(running: RunningRegistry, at_registry: Config) -> None:
    sale, other = running.register(SALE), running.register('syntax = "proto3";', type_="PROTOBUF")
    node = running.register(record(field("next", ["null", "Receipt"])))
    no_id = "schema: a byte 0 and four of an id before the record expected"
    for value, fault in (
        (b"", no_id),
        (b"\0\0\0", no_id),
        (b"\1" + framed(sale, b"\2")[1:], no_id),
        (b'{"no":1}', no_id),
        (framed(17, b"\2"), "schema: got the id 17, expected one that the registry knows"),
        (framed(2**32 - 1, b"\2"), f"schema: got the id {2**32 - 1}, expected one that the registry knows"),
        (framed(sale, b""), "row: a whole record of its schema expected (EOFError)"),
        (framed(sale, b"\2\2"), "row: the end of the record expected, got 1 bytes more"),
        (framed(other, b"\2"), f"schema: got {other}, a schema of type PROTOBUF, expected one of avro to read by"),
        (
            framed(node, b"\0"),
            f"schema: got {node}, a schema in which Receipt holds itself, expected one of avro to read by",
        ),
    ):
        assert reader(at_registry).record(value) == Record(1, None, fault, value.hex())


def test_a_registry_that_is_away_judges_no_record(running: RunningRegistry, at_registry: Config) -> None:
    first, second = running.register(SALE), running.register(record(field("no", "long")))
    sales, message = reader(at_registry), encoded(SALE, {"no": 1})
    sales.record(framed(first, message))
    running.status = 503
    assert sales.record(framed(first, message)).content == {"no": 1}
    with pytest.raises(RegistryError):
        sales.record(framed(second, message))
    running.status = None
    assert sales.record(framed(second, message)).content == {"no": 1}


def test_the_declared_reader_is_a_version_of_the_registry_or_a_file(
    running: RunningRegistry, at_registry: Config, tmp_path: Path
) -> None:
    wanted = record(field("receipt", "long", aliases=["no"]), field("shop", "string", default="web"))
    sale = running.register(SALE, "sales-value")
    running.register(wanted, "sales-value")
    message = framed(sale, encoded(SALE, {"no": 1}))
    expected = {"receipt": 1, "shop": "web"}
    by_version = {"subject": "sales-value", "version": 2}
    assert reader(at_registry, reader=by_version).record(message).content == expected

    (tmp_path / "sale.avsc").write_text(json.dumps(wanted))
    declaration = tmp_path / "sales.yaml"
    needed = "fields: {receipt: text, at: time}\ntype: track\ntime: at\nidentifiers: {user_id: receipt}\n"
    declaration.write_text("format: {type: avro, reader: sale.avsc}\n" + needed)
    format_ = read_declaration(declaration).format
    (tmp_path / "sale.avsc").unlink()  # a worker has no such file
    assert RegisteredRecords(format_, at_registry, KnownSchemas(at_registry)).record(message).content == expected

    with pytest.raises(ConfigError, match=r"format.reader: version 9 of sales-value: the registry has none"):
        reader(at_registry, reader=by_version | {"version": 9}).record(message)
    running.register("{", "broken")
    with pytest.raises(ConfigError, match=r"version 1 of broken: got no Avro schema"):
        reader(at_registry, reader={"subject": "broken", "version": 1}).record(message)
    with pytest.raises(
        ConfigError, match=r"conf/sources/sales.yaml: format.reader: got 'sale.avsc', expected a file beside it"
    ):
        read_declaration(declaration)
    (tmp_path / "sale.avsc").write_text('"money"')
    with pytest.raises(ConfigError, match=r"format.reader: got no Avro schema .*money.*Mend it"):
        read_declaration(declaration)
    for other in ("{subject: a}", "{version: 1}", "{file: sale.avsc, text: a}", "{subject: a, version: latest}"):
        declaration.write_text(f"format: {{type: avro, reader: {other}}}\n" + needed)
        with pytest.raises(ConfigError, match=r"sales.yaml.format.reader"):
            read_declaration(declaration)
    declaration.write_text("format: {type: json_schema, reader: sale.avsc}\n" + needed)
    with pytest.raises(ConfigError, match="reader: belongs to Avro"):
        read_declaration(declaration)
    declaration.write_text("format: avro\n" + needed)
    assert read_declaration(declaration).format == FileFormat(type="avro")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b'{"no":1,"line":{"sku":"a"}}', {"no": 1, "line": {"sku": "a"}}),
        (b'{"line":{}}', "row.no: required expected, by its schema"),
        (b'{"no":"secret"}', "row.no: type integer expected, by its schema"),
        (b'{"no":1,"line":{"sku":5}}', "row.line.sku: type expected, by its schema"),
        (b'{"no":', "row: one JSON object expected (malformed_json)"),
        (b"", "row: one JSON object expected (malformed_json)"),
        (b'"secret"', "row: one JSON object expected (not_an_object)"),
    ],
)
def test_json_is_held_to_the_schema_it_names(
    running: RunningRegistry, at_registry: Config, sent: bytes, expected: Any
) -> None:
    running.register(LINE, "line", type_="JSON")
    number = running.register(ORDER, type_="JSON", references=(("line.json", "line", 1),))
    message = framed(number, sent)
    found = reader(at_registry, "json_schema").record(message)
    if isinstance(expected, dict):
        assert found == Record(1, expected)
    else:
        assert (found.content, found.fault) == (None, expected)
        assert found.sent


def test_a_place_in_another_schema_is_not_looked_up_in_this_one(running: RunningRegistry, at_registry: Config) -> None:
    running.register({"allOf": [{}, {"required": ["sku"]}]}, "line", type_="JSON")
    number = running.register({"allOf": [{"$ref": "line.json"}]}, type_="JSON", references=(("line.json", "line", 1),))
    assert (
        reader(at_registry, "json_schema").record(framed(number, b"{}")).fault
        == "row.sku: required expected, by its schema"
    )


def test_a_json_schema_that_is_none_and_one_of_avro(running: RunningRegistry, at_registry: Config) -> None:
    lost = running.register(ORDER, type_="JSON")
    sale = running.register(SALE)
    orders = reader(at_registry, "json_schema")
    assert "no JSON Schema" in str(orders.record(framed(lost, b"{}")).fault)
    assert "a schema of type AVRO" in str(orders.record(framed(sale, b"{}")).fault)
