"""Avro -> records: single ones, by the schema they were written by, and whole files, which carry theirs. Read as another schema where one is declared."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import fastavro
from fastavro.read import LOGICAL_READERS, SchemaResolutionError
from fastavro.types import Schema as Parsed

from lakehouse.errors import ConfigError
from lakehouse.schemas.avro_schema import UnusableSchemaError, because, parsed
from lakehouse.schemas.known_schemas import KnownSchemas
from lakehouse.schemas.schema import AVRO, Schema
from lakehouse.sources.declaration import ReaderSchema
from lakehouse.sources.record import Record, UnreadableFileError, plain_row

MAGIC = b"Obj\x01"  # of a file
Decode = Callable[[bytes], Record]
_NO_RECORD = "row: a record of Avro expected"
_LONGEST_DECIMAL = 1000  # bytes, of 2,408 digits: what writers pad a number with, too


def decoder(schema: Schema, reader: Parsed | None) -> Decode:
    """Reads one record from its bytes; one that cannot be read says so. `reader`: None = as it was written.

    Raises:
        UnusableSchemaError: nothing can be read by it.
    """
    writer = parsed(schema)

    def decode(content: bytes) -> Record:
        file = BytesIO(content)
        try:
            found = fastavro.schemaless_reader(file, writer, reader)
        except SchemaResolutionError as error:
            return _fault(f"row: what the declared reader can read expected ({_words(error)})")
        except Exception as error:  # the bytes may be anything, and so is what fastavro and Python say of them
            return _fault(f"row: a whole record of its schema expected ({type(error).__name__})")
        if file.tell() < len(content):
            return _fault(f"row: the end of the record expected, got {len(content) - file.tell()} bytes more")
        return _record(1, found)

    return decode


def declared_reader(declared: ReaderSchema | None, schemas: KnownSchemas) -> Parsed | None:
    """The schema that records are read as; None = none is declared.

    Raises:
        ConfigError: the registry has not got it, or it is no schema.
        RegistryError: the registry did not answer.
    """
    if declared is None:
        return None
    if declared.subject is None or declared.version is None:
        place, schema = "format.reader", Schema(type=AVRO, text=declared.text)
    else:
        place = f"format.reader: version {declared.version} of {declared.subject}"
        found = schemas.of_version(declared.subject, declared.version)
        if found is None:
            raise ConfigError(
                f"{place}: the registry has none, expected one that is there. Register it, or name another"
            )
        schema = found
    try:
        return parsed(schema)
    except UnusableSchemaError as error:
        raise ConfigError(f"{place}: got {error}, expected an Avro schema of a record. Name another") from error


def records_of_file(path: Path, reader: Parsed | None) -> Iterator[Record]:
    """The records of an object container file, packed or not.

    Raises:
        UnreadableFileError: it is none, or nobody can read on in it.
    """
    with path.open("rb") as file:
        found = _opened(file, reader)
        number = 0
        while True:
            number += 1
            try:
                content = next(found)
            except StopIteration:
                return
            except SchemaResolutionError as error:
                raise UnreadableFileError(
                    f"record {number:,} is not what the declared reader reads, {_words(error)}"
                ) from error
            except Exception as error:  # as above; and where the next record begins nobody knows
                raise UnreadableFileError(f"record {number:,}: {type(error).__name__}") from error
            yield _record(number, content)


def _opened(file: IO[bytes], reader: Parsed | None) -> Iterator[Any]:
    try:
        found = fastavro.reader(file, reader)
        parsed(Schema(type=AVRO, text=found.metadata["avro.schema"]))
    except UnusableSchemaError as error:
        raise UnreadableFileError(str(error)) from error
    except Exception as error:
        raise UnreadableFileError(f"its head: {_words(error)}") from error
    return found


def _record(number: int, found: Any) -> Record:
    return Record(number, plain_row(found)) if isinstance(found, dict) else Record(number, None, _NO_RECORD)


def _fault(words: str) -> Record:
    return Record(1, None, words)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}{because(error)}"


def _short(read: Callable[..., Any]) -> Callable[..., Any]:
    """Reads a decimal, but none of as many bytes as a record may have: the digits of those take a minute to find."""

    def read_short(data: bytes, writer: Any, reader: Any = None) -> Any:
        if len(data) > _LONGEST_DECIMAL:
            raise ValueError("a decimal of too many bytes")
        return read(data, writer, reader)

    return read_short


# The table is fastavro's own way to say how a logical type is read, and its only one: a reader of one schema or one file takes none.
LOGICAL_READERS.update({name: _short(LOGICAL_READERS[name]) for name in ("bytes-decimal", "fixed-decimal")})
