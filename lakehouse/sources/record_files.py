"""Any file of a source -> its records, piece by piece. What it is, its first bytes tell: Parquet, Avro, JSON in any arrangement, else flat text."""

import gzip
import json
import re
import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ArrowException

from lakehouse.config import Config, EventsConfig
from lakehouse.errors import SourceError
from lakehouse.events.document import record as read_json
from lakehouse.schemas.known_schemas import KnownSchemas
from lakehouse.sources import avro, tables_of_text
from lakehouse.sources.declaration import FileFormat
from lakehouse.sources.place import place
from lakehouse.sources.record import Record, canonical, plain

LARGEST_RECORD = 16_000_000  # bytes of JSON
_PARQUET, _GZIP = b"PAR1", b"\x1f\x8b"
_LOOK = 4096
_PIECE = 1 << 20
_ROWS = 2000  # of Parquet at once
_UNREADABLE = (OSError, EOFError, zlib.error, ArrowException, LookupError, UnicodeError)
_NO_CELL = (OverflowError, ValueError, ArrowException)
_BETWEEN = re.compile(r"[ \t\r\n,\[\]]*")
_BRACKET_OR_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[{}\[\]]', re.DOTALL)
_AFTER_A_WORD = re.compile(r"[\s,{}\[\]]")
_NO_JSON = "row: one JSON object expected"


class _NoJson(Exception):
    """Where in the file nobody can read on."""


def records(path: Path, format_: FileFormat, config: Config) -> Iterator[Record]:
    """The records of the file, in its order.

    Raises:
        SourceError: there is no such file, or it cannot be read at all.
    """
    rows = _records(path, format_, config)
    return rows if format_.group_by is None else tables_of_text.grouped(rows, format_.group_by)


def _records(path: Path, format_: FileFormat, config: Config) -> Iterator[Record]:
    try:
        with path.open("rb") as plain_file:
            start = plain_file.read(4)
        if start == _PARQUET:
            yield from _of_parquet(path)
        elif start == avro.MAGIC:
            yield from avro.records_of_file(path, avro.declared_reader(format_.reader, KnownSchemas(config)))
        elif start[:2] == _GZIP:
            with gzip.open(path) as unpacked:
                yield from _of_text(unpacked, format_, config)  # type: ignore[arg-type] # a GzipFile reads like any other
        else:
            with path.open("rb") as file:
                yield from _of_text(file, format_, config)
    except (*_UNREADABLE, _NoJson, avro.UnreadableFileError) as error:
        words = " ".join(str(error).split())[:200]
        raise SourceError(
            f"{path}: cannot be read ({words}), expected Parquet, Avro, JSON, JSON lines or a table of text, gzip or not. Look at the file"
        ) from error


def record_of(value: bytes, format_: FileFormat, config: Config) -> Record:
    """The record of one message of a topic."""
    if format_.columns and not value.lstrip().startswith(b"{"):
        return tables_of_text.row_of(value.decode("utf-8", "replace"), format_)
    return json_record(1, value, config.events)


def _of_parquet(path: Path) -> Iterator[Record]:
    number = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS):
            for found in _rows(batch):
                number += 1
                yield found._replace(row=number)


def _rows(batch: pa.RecordBatch) -> Iterator[Record]:
    try:
        yield from [Record(0, plain(row)) for row in batch.to_pylist()]
    except _NO_CELL:
        yield from (_row(batch.slice(number, 1)) for number in range(batch.num_rows))


def _row(alone: pa.RecordBatch) -> Record:
    """Of a cell that Python has no value for, such as a time behind the year 9999, the row is told as Arrow prints it."""
    cells: dict[str, Any] = {}
    unread = []
    for name, column in zip(alone.schema.names, alone.columns, strict=True):
        try:
            cells[name] = plain(column[0].as_py())
        except _NO_CELL:
            unread.append(name)
            cells[name] = " ".join(column.to_string().split())
    fault = f"{', '.join(unread)}: a value that can be read expected"
    return Record(0, None, fault, canonical(cells).decode()) if unread else Record(0, cells)


def _of_text(file: IO[bytes], format_: FileFormat, config: Config) -> Iterator[Record]:
    look = file.read(_LOOK).removeprefix(b"\xef\xbb\xbf").lstrip()
    file.seek(0)
    if look.startswith((b"{", b"[")):
        yield from _of_json(file, format_, config.events)
    else:
        yield from tables_of_text.records(file, format_)


def _of_json(file: IO[bytes], format_: FileFormat, events: EventsConfig) -> Iterator[Record]:
    inner = None if format_.records is None else place(format_.records)
    number = 0
    for value in _values(file):
        found = json_record(number + 1, value, events)
        held = [] if inner is None or found.content is None else inner.held(found.content)
        for one in map(_inner, held[0]) if held and isinstance(held[0], list) else [found]:
            number += 1
            yield one._replace(row=number)


def _inner(held: Any) -> Record:
    return Record(0, held) if isinstance(held, dict) else Record(0, None, _NO_JSON, json.dumps(held))


def json_record(number: int, value: bytes, events: EventsConfig) -> Record:
    """By the parse's own reading of JSON: every digit is kept, and a name that stands twice in an object is a fault."""
    read = read_json(value, replace(events, max_bytes=LARGEST_RECORD))
    if read.message is None:
        reason, _, detail = (read.verdict or "").partition("|")
        said = f"{_NO_JSON} ({reason}{f': {detail}' if detail else ''})"
        return Record(number, None, said, value.decode("utf-8", "replace"))
    return Record(number, read.message)


def _values(file: IO[bytes]) -> Iterator[bytes]:
    """One JSON value after the other: a line each, or an array, or written over many lines."""
    first = file.readline().removeprefix(b"\xef\xbb\xbf")
    if not first.lstrip().startswith(b"[") and _is_json(first):
        yield first.strip()
        yield from (line.strip() for line in file if line.strip())
        return
    yield from _arranged(first, file)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except RecursionError:
        return True
    except ValueError:
        return not line.rstrip().endswith((b"{", b"[", b","))  # a broken line of many, and no beginning of one
    return True


def _arranged(first: bytes, file: IO[bytes]) -> Iterator[bytes]:
    """The values of an array, or values written over several lines. One that cannot be read and ends where its brackets do is one of them.

    Raises:
        _NoJson: one that cannot be read has no end.
    """
    decoder, characters = json.JSONDecoder(), getincrementaldecoder("utf-8")("replace")
    text, at, is_last = characters.decode(first), 0, False
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr] # which is nothing, too
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            broken = _end_of_broken(text, at)
            if broken is None and not is_last and len(text) - at <= LARGEST_RECORD:
                piece = file.read(_PIECE)
                is_last = not piece
                text, at = text[at:] + characters.decode(piece, is_last), 0
                continue
            if at == len(text):
                return
            if broken is None:
                raise _NoJson(f"no JSON from byte {file.tell() - len(text[at:].encode()):,} on") from None
            end = broken
        yield text[at:end].encode()
        at = end


def _end_of_broken(text: str, at: int) -> int | None:
    """Where a value that is none ends: where all its brackets are closed, and a word at what stands between values; None = not in this text."""
    if text[at : at + 1] not in ("{", "["):
        stop = _AFTER_A_WORD.search(text, at + 1)
        return None if stop is None or text[at] == '"' else stop.start()
    depth = 0
    for found in _BRACKET_OR_TEXT.finditer(text, at):
        depth += (found[0] in "{[") - (found[0] in "}]")
        if depth == 0:
            return found.end()
    return None
