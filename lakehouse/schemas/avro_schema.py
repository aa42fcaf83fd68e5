"""A registered Avro schema, ready for fastavro; or why nothing is read by it.

Two kinds of schema it cannot be given. One that holds itself: a few bytes nest as deep as they like, past the end of the C stack, and the
process is gone. A list of what takes no bytes: a few bytes count a million million of them.
"""

import json
from typing import Any

from fastavro import parse_schema
from fastavro.types import Schema as Parsed

from lakehouse.schemas.schema import AVRO, Schema

_PRIMITIVES = ("boolean", "int", "long", "float", "double", "bytes", "string")
_LONGEST = 120


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
    except Exception as error:  # of a text that may be any JSON, or none: fastavro's own, and Python's
        raise UnusableSchemaError(f"no Avro schema ({type(error).__name__}{because(error)})") from error
    refuse_unsafe(ready, named)
    return ready


def refuse_unsafe(schema: Any, named: dict[str, Any]) -> None:
    """Raises UnusableSchemaError. `named`: the types that it names, by their full names."""
    _Sizes(named).least(schema)


def because(error: Exception) -> str:
    """What a short message says of a schema, to be added to words of ours; nothing of one that has a whole schema in it."""
    words = " ".join(str(error).replace("|", "/").split())
    return f": {words}" if words and len(words) <= _LONGEST and "{" not in words else ""


class _Sizes:
    """The least bytes of values of a schema, 0 or 1, on a walk through all of it."""

    def __init__(self, named: dict[str, Any]) -> None:
        self._named = named
        self._done: dict[str, int] = {}
        self._open: set[str] = set()

    def least(self, schema: Any) -> int:
        if isinstance(schema, list):
            for one in schema:
                self.least(one)
            return 1
        if isinstance(schema, str):
            return self._of_name(schema)
        match schema["type"]:
            case "record" | "error" | "fixed" | "enum":
                return self._of_type(schema)
            case "array":
                if self.least(schema["items"]) == 0:
                    raise UnusableSchemaError("a schema with a list of what takes no bytes")
                return 1
            case "map":
                self.least(schema["values"])
                return 1
            case inner:
                return self.least(inner)

    def _of_name(self, name: str) -> int:
        if name in _PRIMITIVES:
            return 1
        if name == "null":
            return 0
        if name in self._open:
            raise UnusableSchemaError(f"a schema in which {name} holds itself")
        return self._done[name] if name in self._done else self.least(self._named[name])

    def _of_type(self, schema: Any) -> int:
        name = schema["name"]
        least = 1
        if schema["type"] == "fixed":
            least = min(schema["size"], 1)
        elif schema["type"] != "enum":
            self._open.add(name)
            least = max((self.least(field["type"]) for field in schema["fields"]), default=0)
            self._open.remove(name)
        self._done[name] = least
        return least
