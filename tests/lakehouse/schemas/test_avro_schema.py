"""Which schemas are read by, and which would end or stop the process that reads by them."""

import json
from typing import Any

import pytest

from lakehouse.schemas.avro_schema import UnusableSchemaError, parsed
from lakehouse.schemas.schema import Schema


def record(*types: Any, name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": f"f{n}", "type": one} for n, one in enumerate(types)]}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def avro(said: Any, **references: Any) -> Schema:
    return Schema(
        type="AVRO", text=json.dumps(said), references={name: json.dumps(one) for name, one in references.items()}
    )


def fixed(size: int) -> dict[str, Any]:
    return {"type": "fixed", "name": "F", "size": size}


NESTED = record(
    array(["null", "string"]), {"type": "map", "values": record("null", "int", name="Inner")}, "Inner", array("Inner")
)


@pytest.mark.parametrize(
    "said", ["string", {"type": "string"}, NESTED, record(array(fixed(1)), "F"), ["null", record("int")]]
)
def test_it_is_read_by(said: Any) -> None:
    parsed(avro(said))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (record(["null", "R"]), "R holds itself"),
        (record(["null", record(array("R"), name="Inner")]), "R holds itself"),
        (record({"type": "map", "values": "R"}), "R holds itself"),
        (record(array("null")), "takes no bytes"),
        (record(array(record("null", record(name="Empty"), name="Nothing"))), "takes no bytes"),
        (record(fixed(0), array("F")), "takes no bytes"),
        (record("money"), "no Avro schema .UnknownType: money"),
        ({"type": "record"}, "no Avro schema .SchemaParseException"),
        (5, "no Avro schema"),
    ],
)
def test_it_is_not_read_by(said: Any, why: str) -> None:
    with pytest.raises(UnusableSchemaError, match=why):
        parsed(avro(said))


def test_a_text_that_is_no_json_and_a_schema_of_another_kind() -> None:
    with pytest.raises(UnusableSchemaError, match=r"no Avro schema .JSONDecodeError"):
        parsed(Schema(type="AVRO", text="{"))
    with pytest.raises(UnusableSchemaError, match="a schema of type PROTOBUF"):
        parsed(Schema(type="PROTOBUF", text='syntax = "proto3";'))


def test_references_are_known_by_their_names_and_looked_into() -> None:
    line = record("string", name="shop.Line")
    parsed(avro(record(array("shop.Line"), name="shop.Order"), **{"shop.Line": line}))
    empty = record("null", name="shop.Line")
    with pytest.raises(UnusableSchemaError, match="takes no bytes"):
        parsed(avro(record(array("shop.Line"), name="shop.Order"), **{"shop.Line": empty}))


def doubled(levels: int, held: Any) -> dict[str, Any]:
    """A record that holds one of the level below twice."""
    made = record(held, name="R0")
    for level in range(1, levels):
        made = record(made, f"R{level - 1}", name=f"R{level}")
    return made


def test_of_no_bytes_come_ten_thousand_values_at_most() -> None:
    parsed(avro(doubled(12, "null")))
    parsed(avro(doubled(60, "int")))
    parsed(avro(record(doubled(12, "null"), "int", name="Top")))
    for said in (doubled(60, "null"), record(doubled(12, "null"), "int", "R11", name="Top"), doubled(60, fixed(0))):
        with pytest.raises(UnusableSchemaError, match="10,000 values that take no bytes"):
            parsed(avro(said))


def deep(levels: int, held: Any = "string") -> Any:
    for _ in range(levels):
        held = array(held)
    return held


def test_a_schema_is_of_a_hundred_levels_at_most_by_whatever_names() -> None:
    parsed(avro(record(deep(99))))
    chain = record(record(deep(50), name="Below"), deep(50, "Below"))
    for said in (record(deep(100)), record(deep(400)), chain):
        with pytest.raises(UnusableSchemaError, match="a schema of more than 100 levels"):
            parsed(avro(said))
    with pytest.raises(UnusableSchemaError):
        parsed(Schema(type="AVRO", text='{"type":"array","items":' * 5000 + '"int"' + "}" * 5000))
