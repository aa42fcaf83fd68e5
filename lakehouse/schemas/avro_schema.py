"""A registered Avro schema, ready for fastavro; or why nothing is read by it.

Four kinds of schema it cannot be given. One that holds itself: a few bytes nest as deep as they like, past the end of the C stack, and the
process is gone. One whose records nest deeper than anything here can walk through. A list of what takes no bytes: a few bytes count a million million of them.
One with many values that take none: each record that holds one of the next twice doubles them.
"""

import json
from typing import Any, NamedTuple

from fastavro import parse_schema
from fastavro.types import Schema as Parsed

from lakehouse.schemas.schema import AVRO, MOST_LEVELS, Schema

_PRIMITIVES = ("boolean", "int", "long", "float", "double", "bytes", "string")
_LONGEST = 120
_MOST_EMPTY = 10_000


class UnusableSchemaError(Exception):
    """Why nothing is read by a schema, in words of the schema."""


def parsed(schema: Schema) -> Parsed:
    """Raises UnusableSchemaError: it is no Avro schema, or none that can be read by safely."""
    if schema.type != AVRO:
        raise UnusableSchemaError(f"a schema of type {schema.type}")
    named: dict[str, Any] = {}
    try:
        for text in schema.references.values():
            parse_schema(json.loads(text), named)
        ready = parse_schema(json.loads(schema.text), named)
        refuse_unsafe(ready, named)
    except UnusableSchemaError:
        raise
    except Exception as error:  # of a text that may be any JSON, or none: fastavro's own, and Python's
        raise UnusableSchemaError(f"no Avro schema ({type(error).__name__}{because(error)})") from error
    return ready


def refuse_unsafe(schema: Any, named: dict[str, Any]) -> None:
    """Raises UnusableSchemaError. `named`: the types that it names, by their full names."""
    _Sizes(named).of(schema)


def because(error: Exception) -> str:
    """What a short message says of a schema, to be added to words of ours; nothing of one that has a whole schema in it."""
    words = " ".join(str(error).replace("|", "/").split())
    return f": {words}" if words and len(words) <= _LONGEST and "{" not in words else ""


class _Size(NamedTuple):
    """Of the values of a schema: least = the least bytes of one, 0 or 1; levels = the most of records, maps and arrays in each other;
    empty = the most values in one that take no bytes, itself among them, where no list counts them.
    """

    least: int
    levels: int = 0
    empty: int = 0


class _Sizes:
    """Told on a walk through all of a schema."""

    def __init__(self, named: dict[str, Any]) -> None:
        self._named = named
        self._done: dict[str, _Size] = {}
        self._open: set[str] = set()

    def of(self, schema: Any) -> _Size:
        if isinstance(schema, list):
            choices = [self.of(one) for one in schema]
            return _Size(
                1, max((one.levels for one in choices), default=0), max((one.empty for one in choices), default=0)
            )
        if isinstance(schema, str):
            return self._of_name(schema)
        match schema["type"]:
            case "record" | "error" | "fixed" | "enum":
                return self._of_type(schema)
            case "array":
                items = self.of(schema["items"])
                if items.least == 0:
                    raise UnusableSchemaError("a schema with a list of what takes no bytes")
                return _holder(1, items, empty=items.empty)
            case "map":
                values = self.of(schema["values"])
                return _holder(1, values, empty=values.empty)
            case inner:
                return self.of(inner)

    def _of_name(self, name: str) -> _Size:
        if name in _PRIMITIVES:
            return _Size(1)
        if name == "null":
            return _Size(0, empty=1)
        if name in self._open:
            raise UnusableSchemaError(f"a schema in which {name} holds itself")
        return self._done[name] if name in self._done else self.of(self._named[name])

    def _of_type(self, schema: Any) -> _Size:
        name = schema["name"]
        size = _Size(1)
        if schema["type"] == "fixed":
            size = _Size(min(schema["size"], 1), empty=int(schema["size"] == 0))
        elif schema["type"] != "enum":
            self._open.add(name)
            fields = [self.of(field["type"]) for field in schema["fields"]]
            least = max((field.least for field in fields), default=0)
            size = _holder(least, *fields, empty=sum(field.empty for field in fields) + (least == 0))
            self._open.remove(name)
        self._done[name] = size
        return size


def _holder(least: int, *held: _Size, empty: int) -> _Size:
    levels = 1 + max((one.levels for one in held), default=0)
    if levels > MOST_LEVELS:
        raise UnusableSchemaError(f"a schema of more than {MOST_LEVELS} levels")
    if empty > _MOST_EMPTY:
        raise UnusableSchemaError(f"a schema of more than {_MOST_EMPTY:,} values that take no bytes")
    return _Size(least, levels, empty)
