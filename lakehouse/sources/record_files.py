"""Any file of a source -> its records, piece by piece. What it is, its first bytes tell: Parquet, Avro, JSON in any arrangement, else flat text.

A folder of Parquet, as Spark writes it, is one file: of two rows in it that say the same the second is another one.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

from pyarrow import ArrowException

from lakehouse.config import Config, EventsConfig
from lakehouse.errors import SourceError
from lakehouse.events.document import record as read_json
from lakehouse.events.verdict import parts
from lakehouse.schemas.known_schemas import KnownSchemas
from lakehouse.sources import avro, json_values, parquet, tables_of_text
from lakehouse.sources.declaration import FileFormat
from lakehouse.sources.place import Place, opened, place
from lakehouse.sources.record import LARGEST_RECORD, Content, Record, UnreadableFileError, canonical

_GZIP = b"\x1f\x8b"
_LOOK = 4096
_UNREADABLE = (OSError, EOFError, zlib.error, ArrowException, LookupError, UnicodeError, UnreadableFileError)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# What is no text: else it would be a table of strange words, or of no rows at all.
_OTHERS = {
    b"PK\x03\x04": "a zip, or a spreadsheet such as .xlsx",
    b"\xd0\xcf\x11\xe0": "a spreadsheet or document of Office",
    **dict.fromkeys(
        (b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd", b"7z\xbc\xaf", _GZIP), "packed, not by gzip or more than once"
    ),
    **dict.fromkeys((parquet.MAGIC, avro.MAGIC), "Parquet or Avro that is packed as a whole"),
    b"SQLite format 3\0": "a database",
    b"%PDF-": "a PDF",
}
_PAGE = re.compile(r"(?:<\?xml[^>]*>\s*)?<(?:!doctype html|html)", re.IGNORECASE)
_NO_JSON = "row: one JSON object expected"


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
            yield from _unwrapped(_numbered(parquet.records_of_folder(path)), format_)
            return
        with path.open("rb") as plain_file:
            start = plain_file.read(4)
        if start == parquet.MAGIC:
            yield from _unwrapped(_numbered(parquet.records_of_file(path)), format_)
        elif start == avro.MAGIC:
            reader = avro.declared_reader(format_.reader, KnownSchemas(config))
            yield from _unwrapped(avro.records_of_file(path, reader), format_)
        elif start[:2] == _GZIP:
            with gzip.open(path) as unpacked:
                yield from _of_text(unpacked, format_, config)  # type: ignore[arg-type] # a GzipFile reads like any other
        else:
            with path.open("rb") as file:
                yield from _of_text(file, format_, config)
    except _UNREADABLE as error:
        words = " ".join(str(error).split())[:200]
        raise SourceError(
            f"{path}: cannot be read ({words}), expected Parquet, Avro, JSON, JSON lines or a table of text, gzip or not. Look at the file"
        ) from error


def record_of(value: bytes, format_: FileFormat, config: Config) -> Record:
    """The record of one message of a topic."""
    if format_.columns and not value.lstrip().startswith(b"{"):
        return unwrapped(tables_of_text.row_of(value.decode("utf-8", "replace"), format_), format_)
    return unwrapped(json_record(1, value, config.events), format_)


def unwrapped(sent: Record, format_: FileFormat) -> Record:
    """The one record that a message holds."""
    held = list(_held(sent, _holder(format_.records, format_.shared, format_.header), is_page=True))
    if len(held) == 1:
        return held[0]
    told = canonical(sent.content).decode()
    return Record(1, None, f"row: got {len(held)} records in one message, expected one", told)


def _numbered(rows: Iterator[Record]) -> Iterator[Record]:
    for number, found in enumerate(rows, start=1):
        yield found._replace(row=number)


def _of_text(file: IO[bytes], format_: FileFormat, config: Config) -> Iterator[Record]:
    look = file.read(_LOOK)
    file.seek(0)
    encoding = _utf_16(look)
    text = look.decode(encoding or "utf-8-sig", "ignore").lstrip()
    if (other := _other(look, text)) is not None:
        raise UnreadableFileError(f"it is {other}")
    if text.startswith(("{", "[")):
        found = enumerate(json_values.values(file, encoding), start=1)
        yield from _unwrapped(
            (json_record(number, value, config.events) for number, value in found), format_, is_page=True
        )
    else:
        yield from _unwrapped(tables_of_text.records(file, format_, format_.encoding or encoding), format_)


def _other(look: bytes, text: str) -> str | None:
    """What a file is that is neither JSON nor a table, by its beginning; None = it may be one of them."""
    if (known := next((_OTHERS[start] for start in _OTHERS if look.startswith(start)), None)) is not None:
        return known
    if _PAGE.match(text):
        return "a page, perhaps one that asks for a password"
    return "XML" if text.startswith("<?xml") else None


def _utf_16(look: bytes) -> str | None:
    """By its mark, or by the zeros beside its first two letters; None = it is none."""
    if look.startswith(_UTF_16):
        return "utf-16"
    zeros = look[0:3:2] == b"\0\0", look[1:4:2] == b"\0\0"
    return {(True, False): "utf-16-be", (False, True): "utf-16-le"}.get(zeros)


def _unwrapped(rows: Iterator[Record], format_: FileFormat, *, is_page: bool = False) -> Iterator[Record]:
    """Those that the rows of a file hold, numbered; the rows, where they hold none. `is_page`: each row may be a page."""
    holder = _holder(format_.records, format_.shared, format_.header)
    if not holder.places and holder.header == "as_is":
        return rows
    return _numbered(one for row in rows for one in _held(row, holder, is_page=is_page))


class _Holder(NamedTuple):
    """Where in an object its records may be, the names beside them of what holds for all, and how names are written."""

    places: tuple[Place, ...]
    shared: tuple[str, ...]
    header: str


@lru_cache(maxsize=64)
def _holder(records: tuple[str, ...] | None, shared: tuple[str, ...], header: str) -> _Holder:
    return _Holder(tuple(map(place, records or ())), shared, header)


def _held(sent: Record, holder: _Holder, *, is_page: bool) -> Iterator[Record]:
    """The records that an object holds; itself, where it holds none, unless it is a page of an empty list of them."""
    content = sent.content
    if content is None:
        yield sent
        return
    held = _first_held(content, holder.places)
    if held is None or not (held or is_page):
        yield sent._replace(content=_as_columns(content, holder.header))
        return
    common = {name: content[name] for name in holder.shared if content.get(name) is not None}
    for one in map(opened, held):
        if isinstance(one, dict):
            yield Record(sent.row, _as_columns(_with(common, one), holder.header))
        else:
            yield Record(sent.row, None, _NO_JSON, canonical(one).decode())


def _as_columns(content: Content, header: str) -> Content:
    """With the names that a table of text would have."""
    if header == "as_is":
        return content
    return dict(zip(_named(tuple(content), header), content.values(), strict=True))


@lru_cache(maxsize=64)
def _named(names: tuple[str, ...], header: str) -> list[str]:
    """Rows of one file have one set of names, or a few."""
    return tables_of_text.named(names, header)


def _first_held(content: Content, places: Sequence[Place]) -> Sequence[Any] | None:
    """What the first place holds that holds a record, or lists of them; of one that is empty only where no other holds any."""
    empty: Sequence[Any] | None = None
    for one in places:
        found = [opened(node) for node in one.held(content) if node is not None]
        each = [inner for node in found for inner in (node if isinstance(node, list) else [node])]
        is_list = any(isinstance(node, list) for node in found)
        if (each and is_list) or any(isinstance(node, dict) for node in each):
            return each
        empty = each if is_list else empty
    return empty


def _with(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A record with what holds for it, too, merged at every level; what it says itself wins."""
    merged = {**common, **{name: value for name, value in own.items() if value is not None or name not in common}}
    for name in common.keys() & own.keys():
        if isinstance(common[name], dict) and isinstance(own[name], dict):
            merged[name] = _with(common[name], own[name])
    return merged


def json_record(number: int, value: bytes, events: EventsConfig) -> Record:
    """By the parse's own reading of JSON: every digit is kept, and a name that stands twice in an object is a fault."""
    read = read_json(value, events, longest=LARGEST_RECORD)
    if read.message is None:
        reason, detail = parts(read.verdict)
        said = f"{_NO_JSON} ({reason}{f': {detail}' if detail else ''})"
        return Record(number, None, said, value.decode("utf-8", "replace"))
    return Record(number, read.message)
