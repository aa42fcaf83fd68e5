"""What of a tracking plan breaks senders or readers of the plan that was recorded: such a change needs another version.

Adding passes: an event, a version, a property that need not be there, a value of an enum, a wider type, a looser bound. Breaking is what
an event of before may not meet (a narrower type, another property that must be there, a value or a bound that is gone), and a property that readers
look for and that is not promised any more. A keyword that cannot be compared, such as anyOf, must stay as it is.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from lakehouse.events.tracking_plan import PARTS, PlannedEvent, TrackingPlan

Schema = Mapping[str, Any]
_TYPES = frozenset(("null", "boolean", "integer", "number", "string", "array", "object"))
_SAY_NOTHING = frozenset(
    ("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly")
)
_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_COMPARED = frozenset(
    ("type", "enum", "const", "properties", "required", "items", "additionalProperties", "uniqueItems", *_LEAST, *_MOST)
)
_ANYTHING: Schema = {"type": "object"}  # what a part of a message is at the least
_NOTHING = object()


def breaking(recorded: TrackingPlan, planned: TrackingPlan, now: datetime) -> list[str]:
    """One line for each change that needs another version, with event, version, place, and what to do."""
    of_now = {(one.subject, one.version): one for one in planned.events}
    faults = []
    for one in recorded.events:
        if one.valid_to is not None and one.valid_to <= now:  # nobody is held to it any more
            continue
        after = of_now.get((one.subject, one.version))
        if after is None:
            faults.append(
                f"{one.name}: got none, expected it to stay. Declare it again; when no sender sends it any more, give it a valid_to"
            )
        else:
            faults += [f"{one.name}: {fault}. {_remedy(one, planned)}" for fault in _of_event(one, after)]
    return faults


def _remedy(one: PlannedEvent, planned: TrackingPlan) -> str:
    newest = max(other.version for other in planned.events if other.subject == one.subject)
    return f"Leave version {one.version} as it was recorded, and declare this as version {newest + 1}"


def _of_event(before: PlannedEvent, after: PlannedEvent) -> Iterator[str]:
    for part in PARTS:
        yield from _of_schema(part, *(one.schemas.get(part, _ANYTHING) for one in (before, after)))


def _of_schema(place: str, before: Any, after: Any) -> Iterator[str]:
    """Breaking changes of one schema. True is a schema that takes anything, False one that takes nothing."""
    before, after = ({} if one is True else one for one in (before, after))
    if before is False or _text(before) == _text(after):
        return
    if not isinstance(before, dict) or not isinstance(after, dict):  # false, or a list with a schema for each entry
        yield f"{place}: got another one, expected it as recorded: it cannot be told whether it takes as much"
        return
    for compare in (_types, _values, _bounds, _names, _others):
        yield from compare(place, before, after)
    if "items" in before or "items" in after:
        yield from _of_schema(f"{place}[]", before.get("items", True), after.get("items", True))
    yield from _of_schema(
        f"{place}.*", before.get("additionalProperties", True), after.get("additionalProperties", True)
    )


def _types(place: str, before: Schema, after: Schema) -> Iterator[str]:
    allowed = _allowed(before)
    taken = _named(before) if allowed is None else _named(before) & frozenset(map(_type_of, allowed))
    lost = taken - _named(after)
    if lost:
        yield f"{place}.type: got {after.get('type')}, expected {', '.join(sorted(lost))} to be taken as well: the type is narrower"


def _named(schema: Schema) -> frozenset[str]:
    said = schema.get("type", _TYPES)
    types = frozenset([said] if isinstance(said, str) else said)
    return types | {"integer"} if "number" in types else types


def _values(place: str, before: Schema, after: Schema) -> Iterator[str]:
    """enum, and const, which is an enum of one."""
    allowed = _allowed(after)
    if allowed is None:
        return
    had = _allowed(before)
    gone = None if had is None else [value for value in had if not any(_is_same(value, one) for one in allowed)]
    if gone is None:
        yield f"{place}.enum: got {len(allowed)} values, expected any, as recorded"
    elif gone:
        yield f"{place}.enum: got no {', '.join(map(repr, gone))[:200]}, expected every value that was recorded"


def _allowed(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _type_of(value: Any) -> str:
    kinds = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object", type(None): "null"}
    return "integer" if isinstance(value, float) and value.is_integer() else kinds.get(type(value), "number")


def _text(schema: Any) -> str:
    """Tells true from 1, which Python takes for one."""
    return json.dumps(schema, sort_keys=True, default=str)


def _is_same(one: Any, other: Any) -> bool:
    """As JSON has it: true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _bounds(place: str, before: Schema, after: Schema) -> Iterator[str]:
    is_tighter: tuple[tuple[tuple[str, ...], Callable[[Any, Any], bool]], ...] = (
        (_LEAST, lambda had, has: has > had),
        (_MOST, lambda had, has: has < had),
    )
    for keywords, tightens in is_tighter:
        for keyword in keywords:
            had, has = before.get(keyword), after.get(keyword)
            if has is not None and (had is None or tightens(had, has)):
                yield f"{place}.{keyword}: got {has}, expected {'none' if had is None else had}, as recorded, or looser"
    if after.get("uniqueItems") is True and before.get("uniqueItems") is not True:
        yield f"{place}.uniqueItems: got true, expected equal entries to be taken, as recorded"


def _names(place: str, before: Schema, after: Schema) -> Iterator[str]:
    had, has = before.get("properties", {}), after.get("properties", {})
    for name, schema in had.items():
        if name in has:
            yield from _of_schema(f"{place}.{name}", schema, has[name])
        else:
            yield f"{place}.{name}: got none, expected it to stay: readers look for it"
    for name in after.get("required", ()):
        if name not in before.get("required", ()):
            yield f"{place}.{name}: got required, expected that it may be left out, as recorded"


def _others(place: str, before: Schema, after: Schema) -> Iterator[str]:
    for keyword in sorted((before.keys() | after.keys()) - _COMPARED - _SAY_NOTHING):
        if before.get(keyword, _NOTHING) != after.get(keyword, _NOTHING):
            yield f"{place}.{keyword}: got another one, expected it as recorded: it cannot be told whether it takes as much"
