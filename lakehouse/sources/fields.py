"""The declared fields of a record, read as the types of the rules' language (lakehouse/rules/vocabulary.py).

What stands there and cannot be read as its type is spoilt, and never guessed: it is handed on as it was sent, so that the one parse
says of it what it says of everybody's.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Annotated, Any, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator

from lakehouse.config.declarations import Declared, Zone
from lakehouse.events import clock, ids
from lakehouse.events.consent_answers import yes_or_no
from lakehouse.events.document import text_of
from lakehouse.events.remembered import Kept
from lakehouse.rules.vocabulary import Term
from lakehouse.sources.place import Place, place

RECORD_ID, FILE_TIME = "record_id", "file_time"  # what expressions may read beside the fields
FieldType = Literal["text", "number", "boolean", "time", "texts"]
_PLAIN = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_GROUPED = {
    ".": re.compile(r"[-+]?[0-9]{1,3}(?:[,'\u2019 ][0-9]{3})+(?:\.[0-9]*)?"),
    ",": re.compile(r"[-+]?[0-9]{1,3}(?:[.'\u2019 ][0-9]{3})+(?:,[0-9]*)?"),
}
_BLANKS = re.compile(r"[\u00a0\u202f\u2009]")  # that stand between groups of digits
_OFFSET = re.compile(r"(?:[Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)(?:\[.*\]| [A-Z]{3,5})?\s*\Z")
_NO_DATE = "0000-00-00"  # MySQL's, where nobody wrote one
_SPOILT = object()
MOST_SHAPES, MOST_NAMES = (
    2_000,
    200,
)  # records whose names were seen together, and names of one, that something is remembered of
Values = dict[str, object]
Read = Callable[[Any], object]  # a value as sent -> of the field's type; _SPOILT where it is none


class FieldDeclaration(Declared):
    """One field. path: the places it may lie at, of which the first that holds something counts; none = its own name.

    take: of several things found there; joined = texts with blanks between them. decimal: the mark before the fraction of a number; none = a point, and no marks between thousands.
    unit: what may stand beside a number, as $ or EUR; beside another nothing is read. In brackets, as accountants write it, such a number is below zero.
    format: of a time, as Python's strptime; none = ISO 8601, or a number since 1970 of any unit. zone: of a time that names no offset.
    """

    type: FieldType
    path: tuple[str, ...] = Field(default=(), max_length=40)
    take: Literal["first", "last", "joined", "sum", "count"] = "first"
    decimal: Literal[".", ","] | None = None
    unit: str | None = Field(default=None, min_length=1, max_length=8, pattern=r"^[^0-9.,'()\s+-]+$")
    format: str | None = None
    zone: Zone | None = None

    @model_validator(mode="after")
    def _says_what_belongs_to_its_type(self) -> Self:
        if self.type != "time" and (self.format is not None or self.zone is not None):
            raise ValueError(f"format and zone belong to a time, got type {self.type}. Leave them out")
        of_numbers = (self.decimal, self.unit) != (None, None) or self.take in ("sum", "count")
        if self.type != "number" and of_numbers:
            raise ValueError(
                f"decimal and unit, and take sum or count, belong to a number, got type {self.type}. Leave them out"
            )
        if self.type != "text" and self.take == "joined":
            raise ValueError(f"take joined belongs to a text, got type {self.type}. Leave it out")
        return self


def _written_out(sent: Any) -> Any:
    """A type alone, and a path alone, are written without the rest."""
    if isinstance(sent, str):
        return {"type": sent}
    return sent | {"path": (sent["path"],)} if isinstance(sent, dict) and isinstance(sent.get("path"), str) else sent


Declaration = Annotated[FieldDeclaration, BeforeValidator(_written_out)]
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Declarations = dict[FieldName, Declaration]


class FieldValues(NamedTuple):
    """values: by name, None = nothing there. spoilt: name -> what stands there, as text, and is not of the field's type."""

    values: Values
    spoilt: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    type: FieldType
    places: tuple[Place, ...]
    take: str
    read: Read


def first_found(places: Sequence[Place], record: Any) -> list[Any]:
    """What the first place holds that holds anything."""
    is_object = record.__class__ is dict
    for one in places:
        # Of a field that may lie at twenty places most do not begin in the record: that is seen without looking into it.
        if is_object and not one.may_begin_anywhere and ((start := record.get(one.head)) is None or start == ""):
            continue
        if found := one.found(record):
            return found
    return []


class FieldReader:
    """Reads the fields of one kind of record. `decimal`: of numbers that name none.

    Most records have names that were seen together before: of a hundred places only those are looked at that may be in such a record.
    """

    def __init__(self, declarations: Mapping[str, FieldDeclaration], decimal: str | None) -> None:
        self._fields = [
            _Field(name, one.type, tuple(map(place, one.path or (f"`{name}`",))), one.take, _reader(one, decimal))
            for name, one in declarations.items()
        ]
        self._nothing: Values = {one.name: 0.0 if one.take == "count" else None for one in self._fields}
        self._asked = Kept[tuple[str, ...], list[tuple[_Field, tuple[Place, ...]]]](
            most=MOST_SHAPES, longest=MOST_NAMES
        )

    @property
    def types(self) -> dict[str, str]:
        """Field -> what it is read as."""
        return {field.name: field.type for field in self._fields}

    @property
    def heads(self) -> frozenset[str]:
        """The columns, or names at the top of a record, that any field reads."""
        return frozenset(one.head for field in self._fields for one in field.places)

    def read(self, record: Any) -> FieldValues:
        values = self._nothing.copy()
        spoilt: dict[str, str] = {}
        for field, places in self._asked_of(record):
            found = first_found(places, record)
            if field.take == "count":
                values[field.name] = float(len(found))
            elif found:
                value = _taken(field, found)
                if value is _SPOILT:
                    strange = (text_of(one) for one in found if field.read(one) is _SPOILT)
                    spoilt[field.name] = next(filter(None, strange), "?")
                else:
                    values[field.name] = value
        return FieldValues(values, spoilt)

    def _asked_of(self, record: Any) -> list[tuple[_Field, tuple[Place, ...]]]:
        """The fields that may be in a record of these names, each with the places where."""
        if record.__class__ is not dict:
            return [(field, field.places) for field in self._fields]
        names = tuple(record)
        if (asked := self._asked.get(names)) is not None:
            return asked
        told = [
            (field, tuple(found for one in field.places if (found := one.among(record)) is not None))
            for field in self._fields
        ]
        return self._asked.keep(names, [(field, places) for field, places in told if places])


def terms(*groups: Mapping[str, FieldDeclaration]) -> dict[str, Term]:
    """The words that expressions over the fields may read."""
    words = {name: Term(name, one.type, "record", "") for group in groups for name, one in group.items()}
    return {
        RECORD_ID: Term(RECORD_ID, "text", "record", "the same for a record and its copies"),
        FILE_TIME: Term(FILE_TIME, "time", "record", "when its file was written"),
        **words,
    }


def _taken(field: _Field, found: Sequence[Any]) -> object:
    if field.take == "joined":
        return " ".join(text for one in found if (text := text_of(one)))
    if field.take == "sum":
        read = [field.read(one) for one in found]
        return _SPOILT if _SPOILT in read else float(sum(Decimal(str(one)) for one in read))
    return field.read(found[-1] if field.take == "last" else found[0])


def _reader(one: FieldDeclaration, decimal: str | None) -> Read:
    match one.type:
        case "text":
            return _text
        case "number":
            return _number(one.decimal or decimal, one.unit)
        case "boolean":
            return _boolean
        case "time":
            return _time(one.format, one.zone)
        case "texts":
            return lambda sent: tuple(
                t for each in (sent if isinstance(sent, list) else [sent]) if (t := text_of(each))
            )


def _text(sent: Any) -> object:
    text = text_of(sent)
    return _SPOILT if text is None else text.strip() or None


def _boolean(sent: Any) -> object:
    said = yes_or_no(sent)
    return _SPOILT if said is None else said


def _number(decimal: str | None, unit: str | None = None) -> Read:
    def read(sent: Any) -> object:
        if isinstance(sent, int | float | Decimal) and not isinstance(sent, bool):
            return _finite(sent)
        text = (text_of(sent) or "").strip()
        if not text.isascii():
            text = _BLANKS.sub(" ", text)
        if unit is not None:
            text = without_unit(text, unit)
        if decimal is not None and _GROUPED[decimal].fullmatch(text):
            text = "".join(mark for mark in text if mark in f"0123456789-+{decimal}")
        if decimal == ",":
            if "." in text:
                return _SPOILT
            text = text.replace(",", ".")
        return _finite(text) if _PLAIN.fullmatch(text) else _SPOILT

    return read


def without_unit(text: str, unit: str) -> str:
    """`$1,200.50`, `-$5`, `$-5`, `12,00 €`, `($5.00)` -> the bare number, with its sign. A text without the unit stays."""
    if unit not in text:
        return text
    is_negative = text.startswith("(") and text.endswith(")")
    inner = text[1:-1].strip() if is_negative else text
    sign = inner[:1] if inner[:1] in ("-", "+") else ""
    rest = inner.removeprefix(sign).strip()
    bare = (rest.removeprefix(unit) if rest.startswith(unit) else rest.removesuffix(unit)).strip()
    return f"-{bare}" if is_negative else f"{sign}{bare}"


def number_of(text: str, decimal: str | None) -> Decimal | None:
    """What a number field of that mark reads there; None = no number."""
    read = _number(decimal)(text)
    return None if read is _SPOILT else Decimal(str(read))


def _finite(number: Any) -> object:
    """A double; one that none can hold is no number here."""
    try:
        double = float(number)
    except OverflowError:
        return _SPOILT
    return double if isfinite(double) else _SPOILT


def _time(format_: str | None, zone: str | None) -> Read:
    """Microseconds since 1970, as everywhere; a time without an offset is on the wall clock of `zone`, or UTC."""
    information = None if zone is None else ZoneInfo(zone)

    def read(sent: Any) -> object:
        text = (text_of(sent) or "").strip()
        if text.startswith(_NO_DATE):
            return None
        if format_ is None:
            micros = clock.instant(ids.normalise(text))
            is_of_wall = information is not None and not _PLAIN.fullmatch(text) and not _OFFSET.search(text[10:])
            if micros is None:
                return _SPOILT
            return _on_the_wall(micros, information) if is_of_wall and information is not None else micros
        try:
            moment = datetime.strptime(text, format_)
        except ValueError:
            return _SPOILT
        return clock.microseconds(moment if moment.tzinfo else moment.replace(tzinfo=information or UTC))

    return read


def _on_the_wall(micros: int, zone: ZoneInfo) -> object:
    """What a clock of the zone showed, read as if it were UTC -> the moment."""
    try:
        shown = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(tzinfo=zone)
    except (OverflowError, ValueError, OSError):
        return _SPOILT
    return clock.microseconds(shown) + micros % 1_000_000
