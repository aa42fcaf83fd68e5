"""Messages that begin with the id of their schema, as the serializers of a schema registry write them: a byte 0, four of the id, the record.

Source: docs.confluent.io, Formats, Serializers, and Deserializers: wire format.
"""

import json
from typing import Any

import jsonschema_rs
from fastavro.types import Schema as Parsed

from lakehouse.config import Config
from lakehouse.events.tracking_plan import broken_places
from lakehouse.schemas.avro_schema import UnusableSchemaError, because
from lakehouse.schemas.known_schemas import KnownSchemas
from lakehouse.schemas.schema import JSON, Schema
from lakehouse.sources.avro import Decode, declared_reader, decoder
from lakehouse.sources.declaration import FileFormat
from lakehouse.sources.record import Record
from lakehouse.sources.record_files import json_record, unwrapped

_HEAD = 5  # bytes before the record
_NO_ID = "schema: a byte 0 and four of an id before the record expected"
_ROOT = "row"


class RegisteredRecords:
    """Reads the messages of one source. A schema is made ready once; thread-safe."""

    def __init__(self, format_: FileFormat, config: Config, schemas: KnownSchemas) -> None:
        self._format = format_
        self._config = config
        self._schemas = schemas
        self._decoders: dict[int, Decode] = {}
        self._reader: Parsed | None = None
        self._is_reader_known = format_.reader is None

    def record(self, value: bytes) -> Record:
        """What cannot be read is a record with a fault, and what stands there in hexadecimal digits.

        Raises:
            RegistryError: a schema is not known yet, and the registry did not answer. Nothing is said of the record then.
            ConfigError: the declared reader is not there, or no registry is configured.
        """
        read = unwrapped(self._read(value), self._format)
        return read if read.content is not None else read._replace(sent=value.hex())

    def _read(self, value: bytes) -> Record:
        if len(value) < _HEAD or value[0] != 0:
            return Record(1, None, _NO_ID)
        number = int.from_bytes(value[1:_HEAD], "big")
        decode = self._decoders.get(number)
        if decode is None:
            schema = self._schemas.of_id(number)
            if schema is None:
                return Record(1, None, f"schema: got the id {number}, expected one that the registry knows")
            decode = self._decoders[number] = self._decoder(number, schema)
        return decode(value[_HEAD:])

    def _decoder(self, number: int, schema: Schema) -> Decode:
        try:
            if self._format.type == "avro":
                return decoder(schema, self._declared_reader())
            return _json_decoder(schema, self._config)
        except UnusableSchemaError as error:
            why = f"schema: got {number}, {error}, expected one of {self._format.type} to read by"
            return lambda _: Record(1, None, why)

    def _declared_reader(self) -> Parsed | None:
        if not self._is_reader_known:
            self._reader = declared_reader(self._format.reader, self._schemas)
            self._is_reader_known = True
        return self._reader


def _json_decoder(schema: Schema, config: Config) -> Decode:
    """Reads JSON that must be what its schema says; formats are words about it, as most who write it take them."""
    if schema.type != JSON:
        raise UnusableSchemaError(f"a schema of type {schema.type}")
    references = {name: json.loads(text) for name, text in schema.references.items()}

    def referred(uri: str) -> Any:
        """By its name as it was registered, which is the whole address or its end. Nothing is fetched."""
        return references[next(name for name in references if uri == name or uri.endswith(f"/{name}"))]

    try:
        said = json.loads(schema.text)
        validator = jsonschema_rs.validator_for(said, validate_formats=False, retriever=referred)
    except Exception as error:  # of a text that may be any JSON, or none
        raise UnusableSchemaError(f"no JSON Schema ({type(error).__name__}{because(error)})") from error

    def decode(content: bytes) -> Record:
        read = json_record(1, content, config.events)
        try:
            if read.content is None or validator.is_valid(read.content):
                return read
            place, expected = next(broken_places(_ROOT, said, validator, read.content))
        except ValueError:  # a number of more digits than the validator reads
            place, expected = _ROOT, "numbers that can be read"
        return Record(1, None, f"{place}: {expected} expected, by its schema")

    return decode
