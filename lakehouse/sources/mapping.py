"""A record -> its event document, as lakehouse/events/schema.py says where everything lies; or why there is none.

A pure function: the same record gives the same document, in a stream's worker, in an import, and a year later. What it makes is read by the
one parse like what any library sends, so nothing is judged here but what only the mapping can know: that there is no type, name or time.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

from lakehouse.config import Config
from lakehouse.errors import ConfigError
from lakehouse.events.clock import instant
from lakehouse.events.contracts import spelling
from lakehouse.events.document import text_in
from lakehouse.events.envelope import OURS, UNMAPPED
from lakehouse.events.fields import text
from lakehouse.events.remembered import Kept
from lakehouse.events.schema import TEXTS
from lakehouse.rules.vocabulary import Type
from lakehouse.sources.declaration import SourceDeclaration
from lakehouse.sources.expressions import Expressions, Value, Values
from lakehouse.sources.fields import (
    FILE_TIME,
    MOST_NAMES,
    MOST_SHAPES,
    RECORD_ID,
    FieldReader,
    FieldValues,
    first_found,
    terms,
)
from lakehouse.sources.identification import Identification
from lakehouse.sources.imputation import IMPUTED, constants, fill
from lakehouse.sources.own_names import own_names
from lakehouse.sources.place import Place, opened
from lakehouse.sources.record import ROWS

Document = dict[str, Any]
SCALARS: tuple[Type, ...] = ("text", "number", "boolean", "time")
_UNREAD = "*"  # of `kept`
PRODUCTS = "products"  # the property that holds the lines
_NO_TIME = "time: the time of the event expected"
_NO_TYPE = "type: one of track, identify, page, screen expected"
_SHOWN: tuple[Type, ...] = (*SCALARS, "texts")
_LONGEST_ID = TEXTS["message_id"].limit
# Where an identifier of a type lies in a document; any other type is one of context.externalIds.
_PLACES = {
    "user_id": ("userId",),
    "anonymous_id": ("anonymousId",),
    "email": ("traits", "email"),
    "phone": ("traits", "phone"),
    "loyalty_id": ("traits", "loyalty_id"),
    "device_id": ("context", "device", "id"),
}
_TYPES = ("track", "identify", "page", "screen")  # what records are mapped to; group and alias only come as they are
# By other keys: of a context, and of traits.
_MADE = ("library", "consent", "traits", "externalIds", "device", IMPUTED)
_IN_TRAITS = ("email", "phone", "loyalty_id")


class Mapped(NamedTuple):
    """document: the event; None where `unmapped` says which part of it is missing, or where the source says that it is no event."""

    document: Document | None
    unmapped: str | None = None


@dataclass(frozen=True, slots=True)
class _LineMapping:
    each: Sequence[Place]
    fields: FieldReader
    values: Values


class EventMapping:
    """What a source declares, ready to be used. Thread-safe."""

    def __init__(self, source: str, declared: SourceDeclaration, config: Config) -> None:
        """Raises ConfigError: every fault of the expressions, a line each."""
        self._source = source
        self._is_event = declared.is_event
        self._is_grouped = declared.format.group_by is not None
        self._names = {spelling(sent): name for sent, name in declared.names.items()}
        self.imputations = declared.impute
        self.fills: Mapping[str, object] = constants(declared.impute)
        faults: list[str] = []
        expressions = Expressions(f"conf/sources/{source}.yaml", terms(declared.fields), faults)
        decimal = declared.format.decimal
        self._fields = expressions.reader("fields", declared.fields, decimal)
        self._type = _plain(declared.type) or expressions.one("type", declared.type, ("text",))
        self._name = expressions.one("name", declared.name, ("text",))
        self._skip = expressions.one("skip", declared.skip, ("boolean",))
        self._id = expressions.one("id", declared.id, ("text",))
        self._version = expressions.one("version", declared.version, ("time", "number"))
        self._time = expressions.one("time", declared.time, ("time",))
        self._channel = expressions.one("channel", declared.channel, ("text",))
        self._traits = expressions.all("traits", declared.traits, SCALARS)
        self._who = Identification(declared, expressions, self._traits, config)
        self._consent = expressions.all("consent", declared.consent, ("text", "boolean"))
        self._context = expressions.all("context", declared.context, _SHOWN)
        expressions.ways("context", declared.context, _MADE)
        expressions.ways("traits", declared.traits, _IN_TRAITS)
        self._properties = expressions.all("properties", declared.properties, _SHOWN)
        kept = [expressions.place("kept", one) for one in declared.kept or () if one != _UNREAD]
        self._kept = [one for one in kept if one is not None]
        self._keeps_unread = _UNREAD in (declared.kept or ())
        self._unread = Kept[tuple[str, ...], tuple[str, ...]](
            most=MOST_SHAPES, longest=MOST_NAMES
        )  # by the names of a record
        self._each = Kept[tuple[str, ...], tuple[Place, ...]](most=MOST_SHAPES, longest=MOST_NAMES)
        self._lines = None
        if (lines := declared.lines) is not None:
            inner = expressions.within(terms(declared.fields, lines.fields))
            each = [found for one in lines.each if (found := expressions.place("lines.each", one)) is not None]
            fields = expressions.reader("lines.fields", lines.fields, decimal)
            values = inner.all("lines.properties", lines.properties, _SHOWN)
            if fields is not None:
                self._lines = _LineMapping(each, fields, values)
        faults += self._made_up(set(declared.impute), f"conf/sources/{source}.yaml")
        deciding = (self._skip, self._type, self._name, self._id, self._version)
        self._deciding = [one for one in deciding if isinstance(one, Value)]
        if faults:
            raise ConfigError("\n".join(faults))

    def map(self, record: Mapping[str, Any], record_id: str, file_time: int | None = None) -> Mapped:
        """`record_id`: the same for the record and its copies, and for no other of the source. `file_time`: as in Record."""
        if self._is_event:
            return self._as_it_is(record, record_id, is_of_file=file_time is not None)
        assert self._fields is not None
        assert self._time is not None
        read = self._fields.read(record)
        read.values[RECORD_ID], read.values[FILE_TIME] = record_id, file_time
        imputed = fill(read, self.fills) if self.fills else []
        if read.spoilt and (why := self._undecided(read)) is not None:
            return Mapped(None, why)
        if self._skip is not None and self._skip.of(read) is True:
            return Mapped(None)
        type_ = self._type if isinstance(self._type, str) else None if self._type is None else self._type.of(read)
        name = None if self._name is None else self._name.of(read)
        time = self._time.of(read)
        lacking = _lacking(type_, name, time)
        if lacking is not None:
            return Mapped(None, lacking)
        document = self._document(record, read, str(type_), name, time)
        if imputed:
            document["context"][IMPUTED] = imputed
        return Mapped(document)

    def filled_by(self, values: Mapping[str, object]) -> Self:
        """The same, with a value for each of these fields where a record says nothing of it."""
        other = copy.copy(self)
        other.fills = {**self.fills, **values}
        return other

    def reads(self, name: str) -> bool:
        """Whether a field, the lines or `kept` read a column, or a name at the top of a record. Of an event document all is read."""
        return self._is_event or name in self._heads or name.startswith(self._starts)

    @cached_property
    def _starts(self) -> tuple[str, ...]:
        return tuple(head.removesuffix("*") for head in self._heads if head.endswith("*"))

    @cached_property
    def _heads(self) -> frozenset[str]:
        heads = frozenset[str]() if self._fields is None else self._fields.heads
        heads |= {one.head for one in self._kept} | ({ROWS} if self._is_grouped else set())
        if (lines := self._lines) is not None:
            each = frozenset(one.head for one in lines.each)
            # Of a record of several rows its rows are the lines, and their columns those of the file.
            heads |= each | (lines.fields.heads if ROWS in each else frozenset())
        return heads

    @property
    def is_of_people(self) -> bool:
        """Whether each record is what somebody says of one person."""
        return self._type == "identify"

    @property
    def is_of_states(self) -> bool:
        """Whether each record is a state of something, which the latest of them says: a person, or what has a version."""
        return self._version is not None or self.is_of_people

    @property
    def fields(self) -> FieldReader | None:
        """None of a source whose records are event documents as they are."""
        return None if self._is_event else self._fields

    def unmapped(self, why: str, record: object, record_id: str, file_time: int | None) -> Document:
        """The document that says of a record that it is none: the parse puts it into quarantine, under the source, with the reason.

        Its file's time stands beside the record, so that a mended mapping makes the same of it there as in its file.
        """
        told = {"source": self._source, "detail": why, "record": record}
        told |= {} if file_time is None else {FILE_TIME: file_time}
        return {"type": UNMAPPED, "messageId": f"{self._source}:{record_id}", **told}

    def _made_up(self, filled: set[str], file: str) -> list[str]:
        """Faults where what must never be made up reads a field that is filled: who somebody is, what they allowed, which message it is."""
        readers = {**self._who.values, **{f"consent.{name}": value for name, value in self._consent.items()}}
        readers |= {name: one for name, one in (("id", self._id), ("version", self._version)) if one is not None}
        return [
            f"{file}: impute: got '{name}', which {reader} reads, expected a field that says nothing of who, which and whether. Leave it out"
            for reader, value in readers.items()
            for name in sorted(filled & set(value.reads))
        ]

    def _undecided(self, read: FieldValues) -> str | None:
        """Why nobody can say what the record is of, or of whom; None = somebody can."""
        of_what = (one.unread(read) for one in self._deciding)
        return next((why for why in of_what if why is not None), None) or self._who.unread(read)

    def _as_it_is(self, record: Mapping[str, Any], record_id: str, *, is_of_file: bool) -> Mapped:
        """Of a file nobody knows when it arrived, unless it says so: not today, by which the parse would correct its sender's clock, but when
        it was sent, and not before it happened.
        """
        if record.get("type") in OURS:
            return Mapped(None, _NO_TYPE)
        more = {} if record.get("messageId") else {"messageId": f"{self._source}:{record_id}"}
        if is_of_file and instant(text_in(record, "receivedAt")) is None:
            sent_at, happened_at = text(record, "sent_at"), text(record, "original_timestamp")
            said = [(at, one) for one in (happened_at, sent_at) if one is not None and (at := instant(one)) is not None]
            if instant(sent_at) is not None:
                more |= {"receivedAt": max(said)[1]}
            elif happened_at is None:
                return Mapped(None, _NO_TIME)
        return Mapped({**record, **more})

    def _document(
        self, record: Mapping[str, Any], read: FieldValues, type_: str, name: str | None, time: Any
    ) -> Document:
        document: Document = {"type": type_, "messageId": self._message_id(read), "timestamp": time}
        if name is not None:
            document["event" if type_ == "track" else "name"] = self._names.get(spelling(name), name)
        if self._channel is not None and (channel := self._channel.of(read)) is not None:
            document["channel"] = channel
        document["context"] = context = _of(self._context, read, _put)
        context["library"] = {"name": self._source}
        if consent := _of(self._consent, read):
            context["consent"] = {"categoryPreferences": consent}
        if traits := _of(self._traits, read, _put):
            document["traits"] = traits
        for identifier, value in self._who.of(read).items():
            _identify(document, identifier, value)
        if properties := self._all_properties(record, read):
            document["properties"] = properties
        return document

    def _all_properties(self, record: Mapping[str, Any], read: FieldValues) -> Document:
        properties = _of(self._properties, read)
        if self._kept or self._keeps_unread:
            properties |= own_names(self._held(record), {*properties, PRODUCTS})
        if (lines := self._lines) is not None:
            products = []
            for sent in _elements(first_found(self._places_of_lines(lines, record), record)):
                line = lines.fields.read(sent)
                both = FieldValues({**read.values, **line.values}, {**read.spoilt, **line.spoilt})
                if product := _of(lines.values, both):
                    products.append(product)
            if products:
                properties[PRODUCTS] = products
        return properties

    def _places_of_lines(self, lines: _LineMapping, record: Mapping[str, Any]) -> Sequence[Place]:
        """Where lines may lie in a record of these names."""
        names = tuple(record)
        if (known := self._each.get(names)) is not None:
            return known
        return self._each.keep(names, tuple(found for one in lines.each if (found := one.among(record)) is not None))

    def _held(self, record: Mapping[str, Any]) -> Iterator[Any]:
        """Where the record says something under names of its own."""
        if self._keeps_unread:
            names = tuple(record)
            if (unread := self._unread.get(names)) is None:
                unread = self._unread.keep(names, tuple(name for name in names if not self.reads(name)))
            yield {name: record[name] for name in unread}
        for one in self._kept:
            yield from map(opened, one.found(record))

    def _message_id(self, read: FieldValues) -> str:
        id_ = None if self._id is None else self._id.of(read)
        if id_ is None:
            return f"{self._source}:{read.values[RECORD_ID]}"
        version = None if self._version is None else self._version.evaluate(read.values)
        # By text, as order statements of one moment are ordered, the latest version comes last: see lakehouse/profiles/silver/orders.py.
        id_ = id_ if version is None else f"{id_}:{version:020.0f}:{read.values[RECORD_ID]}"
        return id_ if len(id_) <= _LONGEST_ID else f"{self._source}:{read.values[RECORD_ID]}"


def _plain(type_: str | None) -> str | None:
    """A type that is written as a word, and not as an expression."""
    return type_ if type_ in _TYPES else None


def _lacking(type_: str | None, name: str | None, time: Any) -> str | None:
    if type_ not in _TYPES:
        return _NO_TYPE
    if type_ == "track" and not name:
        return "name: the name of the event expected"
    return _NO_TIME if time is None else None


def _of(values: Values, read: FieldValues, put: Callable[[Document, str, Any], None] = dict.__setitem__) -> Document:
    """Name -> value of each expression that says something."""
    made: Document = {}
    for name, value in values.items():
        if not value.says_nothing(read) and (said := value.of(read)) is not None:
            put(made, name, said)
    return made


def _elements(found: Sequence[Any]) -> Sequence[Any]:
    """The lines, where a place holds the list of them, or a text that is one, or holds them one by one."""
    whole = opened(found[0]) if len(found) == 1 else None
    return whole if isinstance(whole, list) else found


def _put(holder: Document, path: str, value: Any) -> None:
    """Set what lies at a place such as `page.url`, with the objects on the way."""
    *way, leaf = path.split(".")
    for name in way:
        holder = holder.setdefault(name, {})
    holder[leaf] = value


def _identify(document: Document, type_: str, value: str) -> None:
    way = _PLACES.get(type_)
    if way is None:
        document["context"].setdefault("externalIds", []).append(
            {"type": type_, "id": value, "collection": "users", "encoding": "none"}
        )
    else:
        _put(document, ".".join(way), value)
