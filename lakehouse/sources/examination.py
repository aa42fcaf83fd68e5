"""What of a sample maps: field by field, in counts, with reasons and never a value. Reads, and sends nothing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lakehouse.events.event_row import EventReader
from lakehouse.events.personal_data import kind_of
from lakehouse.events.reasons import FACT
from lakehouse.events.tracking_plan import UNPLANNED, TrackingPlan
from lakehouse.sources.history import identified
from lakehouse.sources.mapping import Document
from lakehouse.sources.record import Record, canonical
from lakehouse.sources.source import Source

NO_HEADER = "no header? No declared field is filled, and what its columns are called may be values"
_PERSONAL = "(a name that looks personal)"
_NOT_TOLD = ("messageId", "timestamp", "type")  # every document has them


@dataclass(kw_only=True)
class Examination:
    """Counts over the records of a sample.

    types: field -> what it is read as. filled, spoilt: field -> records where it says something, and where that is not of its type.
    unread: columns, or names at the top of a record, that hold something and that no field reads. events: name, or type, of an event ->
    events. parts: place in the event document -> events that have it. rejected: verdict, or what is missing -> records that go to
    quarantine. faults: verdict -> events that are accepted, and leave that field empty.
    """

    records: int = 0
    accepted: int = 0
    skipped: int = 0
    types: dict[str, str] = field(default_factory=dict)
    filled: Counter[str] = field(default_factory=Counter)
    spoilt: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


def examine(records: Iterable[Record], source: Source, now: int, plan: TrackingPlan = UNPLANNED) -> Examination:
    """What the mapping of the source, and then the one parse, make of the records. `now`: microseconds since 1970."""
    reader = EventReader(source.config, plan=plan)
    fields = source.mapping.fields
    found = Examination(types={} if fields is None else fields.types)
    is_any_filled = fields is None
    for record, record_id, times in identified(iter(records)):
        found.records += 1
        if source.drops(times):
            found.skipped += 1
            continue
        if record.content is not None and fields is not None:
            read = fields.read(record.content)
            found.filled.update(name for name, value in read.values.items() if value is not None)
            found.spoilt.update(list(read.spoilt))
            is_any_filled |= bool(read.spoilt) or any(read.values.values())
            found.unread.update(
                shown_name(name)
                for name, value in record.content.items()
                if not source.mapping.reads(name) and value not in (None, "")
            )
        mapped = source.mapped(record, record_id)
        if mapped.unmapped is not None:
            found.rejected[mapped.unmapped] += 1
        elif mapped.document is None:
            found.skipped += 1
        else:
            _judge(mapped.document, reader, now, found)
    if not is_any_filled and found.unread:
        found.unread = Counter({NO_HEADER: found.records})
    return found


def shown_name(name: str) -> str:
    """The name of a column or field, unless it looks like personal data itself: then a file without a header is read as if it had one."""
    return name if kind_of(name) is None else _PERSONAL


def _judge(document: Document, reader: EventReader, now: int, found: Examination) -> None:
    row = reader.read(canonical(document), now, now)
    if row.verdict is not None and not row.verdict.startswith(FACT):
        found.rejected[row.verdict.replace("|", ": ").removesuffix(": ")] += 1
        return
    found.accepted += 1
    # The name of a page is its title, which says what somebody looked at.
    found.events[(row.event if row.type == "track" else row.type) or FACT] += 1
    found.parts.update(dict.fromkeys(map(shown_name, _parts(document))).keys())
    found.faults.update(told.replace("|", ": ") for told in row.faults or ())


def _parts(node: Any, way: str = "") -> list[str]:
    """The places of the document that hold a value; those of a list once, as `name[]`."""
    if isinstance(node, dict):
        inner = [
            (f"{way}.{name}" if way else name, value) for name, value in node.items() if way or name not in _NOT_TOLD
        ]
        return [part for place, value in inner for part in _parts(value, place)]
    if isinstance(node, list):
        return [part for value in node for part in _parts(value, f"{way}[]")]
    return [way]
