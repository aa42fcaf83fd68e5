"""The tracking plan of conf/events.yaml: what each event holds, as a JSON Schema for each version, and what follows where one does not.

An event is held to the version that it names, as Segment's Protocols has it, in context.protocols.event_version; one that names none to the
oldest that is in force. In force is a version by the time the event came first, so a replay, a rebuild and the stream judge it alike. What breaks
its version is told in silver.event_faults; a source that is declared `block` has such an event rejected. An event that nobody planned passes.

No name and no value of the sender's is told: a place is written as the schema knows it, `[]` for an entry of a list, `*` for a name it does not list.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import jsonschema_rs
from pydantic import Field, RootModel, model_validator

from lakehouse.config.declarations import Valid, checked, read_document, refuse, validated
from lakehouse.events import contracts
from lakehouse.events import reasons as R
from lakehouse.events.clock import microseconds
from lakehouse.events.declared_properties import SECTIONS
from lakehouse.events.document import text_at
from lakehouse.events.fields import Message, Texts
from lakehouse.events.sender import source
from lakehouse.events.verdict import fault

PARTS = ("properties", "context", "traits")  # of a message, each with a schema of its own
Action = Literal["warn", "block"]
_VERSION = "context.protocols.event_version"
_MOST_TOLD = 10  # of one event
_LONGEST = 80  # characters of what was expected
_WITH_NAMES = ("track", "page", "screen")
_OURS = contracts.spellings({})
_WHOLE = re.compile(r"(\d{1,6})(?:[.]\d+)*")  # 2, and 2.1.0 of those who number so
# Keywords of a schema on the way to what is broken; behind those of _NAMED stands a word that is none.
_ENTRIES = ("items", "prefixItems", "contains", "additionalItems", "unevaluatedItems")
_NAMES = ("additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames")
_NAMED = ("patternProperties", "dependentSchemas", "dependencies")


class PlannedEvent(Valid):
    """One version of an event. type: of the message; event: its name, None of a type without names, and of every page. A part without a schema may hold anything.

    owner: the team to ask. valid_from, valid_to: when an event has to have come to be held to it.
    """

    event: str | None = Field(default=None, min_length=1, max_length=200)
    type: Literal["track", "page", "screen", "identify", "group", "alias"] = "track"
    version: int = Field(default=1, ge=1, le=999_999)
    owner: str = Field(min_length=1, max_length=200)
    description: str = Field(min_length=1, max_length=1000)
    properties: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _has_a_name_where_there_are_names(self) -> Self:
        if self.event is None and self.type == "track":
            raise ValueError("event: got none, expected the name of the track event")
        if self.event is not None and self.type not in _WITH_NAMES:
            raise ValueError(
                f"event: got '{self.event[:60]}', expected none: a message of type {self.type} has no name"
            )
        return self

    @property
    def subject(self) -> tuple[str, str | None]:
        """Type, and name in our spelling."""
        name = self.event
        return self.type, _OURS.get(contracts.spelling(name), name) if name and self.type == "track" else name

    @property
    def name(self) -> str:
        """What there is one of in a plan, as a person is told."""
        type_, event = self.subject
        said = event if type_ == "track" else type_ if event is None else f"{type_} {event}"
        return f"{said}, version {self.version}"

    @property
    def schemas(self) -> dict[str, dict[str, Any]]:
        return {part: schema for part in PARTS if (schema := getattr(self, part)) is not None}


class _Sources(RootModel[dict[str, Action]]):
    """See TrackingPlan."""


@dataclass(frozen=True, kw_only=True)
class TrackingPlan:
    """sources: context.library.name of a sender, or else its channel -> what follows; of one that is not named, `warn`."""

    events: tuple[PlannedEvent, ...] = ()
    sources: Mapping[str, Action] = field(default_factory=dict)


UNPLANNED = TrackingPlan()


def read_plan(path: Path) -> TrackingPlan:
    """Read and check the file.

    Raises:
        ConfigError: one line for every fault found, with its place.
    """
    document = read_document(path, *SECTIONS)
    faults: list[str] = []
    place = f"{path.name}: events"
    entries = checked(document.get("events") or [], PlannedEvent, place, faults)
    for number, planned in entries:
        for part, schema in planned.schemas.items():
            if (wrong := _wrong(schema)) is not None:
                faults.append(f"{place}[{number}].{part}: {planned.name}: {wrong}. Mend the schema")
    sources = validated(document.get("sources") or {}, _Sources, f"{path.name}: sources", faults)
    refuse(faults)
    assert sources is not None
    return TrackingPlan(events=tuple(planned for _, planned in entries), sources=sources.root)


class Judgement(NamedTuple):
    """faults: what of its plan an event breaks. verdict: why it is rejected; None where its source is only warned."""

    faults: Sequence[str]
    verdict: str | None = None


_KEPT = Judgement(())


class _Version(NamedTuple):
    """first, end: microseconds since 1970. schemas: part -> its schema and the validator of it."""

    number: int
    first: int
    end: int
    schemas: Mapping[str, tuple[dict[str, Any], jsonschema_rs.Validator]]


class PlanReader:
    """Judges events by a plan. Each schema is compiled once. `spelled`: an event's name in our spelling. Thread-safe."""

    def __init__(self, plan: TrackingPlan, spelled: Callable[[str], str | None]) -> None:
        self._sources = plan.sources
        self._planned: dict[tuple[str, str | None], list[_Version]] = {}
        for one in sorted(plan.events, key=lambda planned: planned.version):
            name = spelled(one.event) if one.event is not None and one.type == "track" else one.event
            self._planned.setdefault((one.type, name), []).append(_compiled(one))

    def column(self, messages: Sequence[Message], texts: Texts, received: Sequence[int | None]) -> list[Judgement]:
        """Of many events. `received`: when each came first, microseconds since 1970."""
        if not self._planned:
            return [_KEPT] * len(messages)
        named = (texts[name] for name in ("type", "event_name", "page_name", "channel"))
        return list(map(self._judged, messages, received, *named))

    def _judged(
        self,
        message: Message,
        received: int | None,
        type_: str | None,
        event: str | None,
        page: str | None,
        channel: str | None,
    ) -> Judgement:
        if received is None:
            return _KEPT
        type_ = type_ or ""
        name = event if type_ == "track" else page
        versions = self._planned.get((type_, name)) or self._planned.get((type_, None))
        if versions is None:
            return _KEPT
        if not (faults := _broken(message, [one for one in versions if one.first <= received < one.end])):
            return _KEPT
        is_blocked = self._sources.get(source(message, channel) or "") == "block"
        return Judgement(faults, faults[0] if is_blocked else None)


def _compiled(planned: PlannedEvent) -> _Version:
    schemas = {part: (schema, _validator(schema)) for part, schema in planned.schemas.items()}
    first = 0 if planned.valid_from is None else microseconds(planned.valid_from)
    end = 2**63 if planned.valid_to is None else microseconds(planned.valid_to)
    return _Version(planned.version, first, end, schemas)


def _validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema, validate_formats=True, offline=True)


def _wrong(schema: dict[str, Any]) -> str | None:
    """What is wrong with a schema; None = nothing."""
    try:
        _validator(schema)
    except ValueError as error:
        return f"no JSON Schema that can be used, got: {' '.join(str(error).split())[:200]}, expected one without references to elsewhere"
    return None


def _broken(message: Message, versions: Sequence[_Version]) -> list[str]:
    """What of its version an event breaks. `versions`: those in force, the oldest first; none: nothing can be broken."""
    if not versions:
        return []
    version = versions[0]
    if (said := text_at(message, _VERSION)) is not None:
        number = int(found[1]) if (found := _WHOLE.fullmatch(said)) else None
        named = next((one for one in versions if one.number == number), None)
        if named is None:
            known = ", ".join(str(one.number) for one in versions)
            return [fault(R.BREAKS_PLAN, f"{_VERSION}: one of {known} expected")]
        version = named
    told: dict[str, str] = {}
    for part, (schema, validator) in version.schemas.items():
        sent = message.get(part)
        sent = {} if sent is None or sent == [] else sent  # PHP's empty object is an empty array
        try:
            if not validator.is_valid(sent):
                for place, expected in broken_places(part, schema, validator, sent):
                    told.setdefault(place, expected)
        except ValueError:  # a number of more digits than the validator reads
            told[part] = "numbers that can be read"
    return [
        fault(R.BREAKS_PLAN, f"{place}: {expected} expected, version {version.number}")
        for place, expected in list(told.items())[:_MOST_TOLD]
    ]


def broken_places(
    part: str, schema: dict[str, Any], validator: jsonschema_rs.Validator, sent: Any
) -> Iterator[tuple[str, str]]:
    """Each place that breaks the schema, and what was expected there, in words of the schema. `part`: what the place of the whole is called."""
    for error in validator.iter_errors(sent):
        keyword = str(error.schema_path[-1]) if error.schema_path else "a value"
        lacking = getattr(error.kind, "property", None) if keyword == "required" else None
        place = _place(part, error.evaluation_path, lacking)
        yield _plain(place), _plain(_expected(schema, error.schema_path, keyword))[:_LONGEST]


def _place(part: str, path: Sequence[str | int], lacking: str | None) -> str:
    """Where in the message, in words of the schema. path: the keywords on the way, the last of them is what was broken."""
    place, words = part, iter(path[:-1])
    for word in words:
        if word == "properties":
            place += f".{next(words, '*')}"
        elif word in _ENTRIES:
            place += "[]"
        elif word in _NAMES:
            place += ".*"
        if word in _NAMED:
            next(words, None)
    return place if lacking is None else f"{place}.{lacking}"


def _expected(schema: Any, path: Sequence[str | int], keyword: str) -> str:
    """The keyword, with what the schema says under it where that is short."""
    said = schema
    for word in path:  # of another schema, where this one refers to it: then nothing stands here
        if isinstance(said, list) and isinstance(word, int):
            said = said[word] if word < len(said) else None
        else:
            said = said.get(str(word)) if isinstance(said, dict) else None
    is_short = isinstance(said, str | int | float) or (isinstance(said, list) and keyword in ("type", "enum"))
    return f"{keyword} {said}" if is_short else keyword


def _plain(text: str) -> str:
    """Without what separates the parts of a verdict; its own ": " comes behind."""
    return text.replace("|", "/").replace(": ", ":")
