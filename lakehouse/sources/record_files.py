"""Any file of a source -> its records, piece by piece. What it is, its first bytes tell: Parquet, Avro, JSON in any arrangement, else flat text.

A folder of Parquet, as Spark writes it, is one file: of two rows in it that say the same the second is another one.
"""

import gzip
import json
import re
import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ArrowException

from lakehouse.config import Config, EventsConfig
from lakehouse.errors import SourceError
from lakehouse.events.document import record as read_json
from lakehouse.schemas.known_schemas import KnownSchemas
from lakehouse.sources import avro, tables_of_text
from lakehouse.sources.declaration import FileFormat
from lakehouse.sources.place import Place, place
from lakehouse.sources.record import Record, canonical, plain, plain_row

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
    return _dated(rows if format_.group_by is None else tables_of_text.grouped(rows, format_.group_by), path)


def _dated(rows: Iterator[Record], path: Path) -> Iterator[Record]:
    """The records, each with the time at which the file was written, as soon as it is known to be one."""
    written_at = None
    for one in rows:
        if written_at is None:
            written_at = path.stat().st_mtime_ns // 1000
        yield one._replace(file_time=written_at)


def _records(path: Path, format_: FileFormat, config: Config) -> Iterator[Record]:
    if (path / "_delta_log").is_dir():
        raise SourceError(f"{path}: got a Delta table, expected a file, or a folder of Parquet. Name it by --delta")
    try:
        if path.is_dir():
            yield from _of_folder(path)
            return
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
    sent = json_record(1, value, config.events)
    held = list(_held(sent, _holder(format_.records, format_.shared)))
    if len(held) == 1:
        return held[0]
    return Record(
        1, None, f"row: got {len(held)} records in one message, expected one", value.decode("utf-8", "replace")
    )


def _of_parquet(path: Path) -> Iterator[Record]:
    with pq.ParquetFile(path) as file:
        yield from _numbered(_of_batches(file.iter_batches(batch_size=_ROWS)))


def _of_folder(path: Path) -> Iterator[Record]:
    from pyarrow.dataset import dataset  # here: a worker that reads a topic needs none

    found = dataset(path, format="parquet", partitioning="hive")
    if not found.files:
        raise SourceError(
            f"{path}: got a folder without Parquet, expected files named *.parquet in it. Name the files themselves"
        )
    yield from _numbered(_of_batches(found.to_batches(batch_size=_ROWS)))


def _of_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[Record]:
    for batch in batches:
        yield from _rows(batch)


def _numbered(rows: Iterator[Record]) -> Iterator[Record]:
    for number, found in enumerate(rows, start=1):
        yield found._replace(row=number)


def _rows(batch: pa.RecordBatch) -> Iterator[Record]:
    try:
        yield from [Record(0, plain_row(row)) for row in batch.to_pylist()]
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
    holder = _holder(format_.records, format_.shared)
    number = 0
    for value in _values(file):
        for one in _held(json_record(0, value, events), holder):
            number += 1
            yield one._replace(row=number)


class _Holder(NamedTuple):
    """Where in a JSON object its records may be, and the names beside them of what holds for all."""

    places: tuple[Place, ...]
    shared: tuple[str, ...]


@lru_cache(maxsize=64)
def _holder(records: tuple[str, ...] | None, shared: tuple[str, ...]) -> _Holder:
    return _Holder(tuple(map(place, records or ())), shared)


def _held(sent: Record, holder: _Holder) -> Iterator[Record]:
    """The records that an object holds; itself, where it holds none."""
    content = sent.content
    held = [] if content is None else next((found for one in holder.places if (found := one.held(content))), [])
    if content is None or not held or not isinstance(held[0], dict | list):
        yield sent
        return
    common = {name: content[name] for name in holder.shared if content.get(name) is not None}
    for one in held[0] if isinstance(held[0], list) else held:
        if isinstance(one, dict):
            yield Record(sent.row, _with(common, one))
        else:
            yield Record(sent.row, None, _NO_JSON, json.dumps(one))


def _with(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A record with what holds for it, too, merged at every level; what it says itself wins."""
    merged = {**common, **{name: value for name, value in own.items() if value is not None or name not in common}}
    for name in common.keys() & own.keys():
        if isinstance(common[name], dict) and isinstance(own[name], dict):
            merged[name] = _with(common[name], own[name])
    return merged


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
