"""Avro as producers write it: a record of Confluent's serializers, and what tests say of schemas."""

from io import BytesIO
from typing import Any

import fastavro


def field(name: str, type_: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **more}


def record(*fields: dict[str, Any], name: str = "Receipt", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [*fields], **more}


def encoded(schema: Any, value: Any) -> bytes:
    file = BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(schema), value)
    return file.getvalue()


def framed(number: int, content: bytes) -> bytes:
    """With the id of its schema before it."""
    return b"\0" + number.to_bytes(4, "big") + content
