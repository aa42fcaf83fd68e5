"""catalogue: the events of the lake, their fields and their owners, as a Markdown page. No value of any event is in it.

./spark-submit.sh catalogue                 to standard output
./spark-submit.sh catalogue --write FILE    to a file; then ends with one JSON line

What there is comes from silver.events, in one pass; who owns it and what was agreed on from conf/events.yaml. Streams may run meanwhile.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.config.paths import EVENTS
from lakehouse.events.shapes import OTHER, Shape
from lakehouse.events.tracking_plan import PlannedEvent, TrackingPlan, read_plan
from lakehouse.job import json_line, run
from lakehouse.lake.delta import Lake
from lakehouse.spark.session import get_session
from lakehouse.tables.events import SILVER_EVENTS

NAME = "catalogue"
MOST_EVENTS = 1_000  # a page has a name, too, and a shop any number of pages
_MOST_CHANNELS = 20
_TIME = pa.timestamp("us", tz="UTC")
# Of one subject in one part of the table: how many events, or in how many of them a field says something, or does so as one kind.
_PART = pa.schema(
    [
        *((name, pa.string()) for name in ("type", "event", "field", "kind")),
        ("events", pa.int64()),
        *((name, _TIME) for name in ("first", "last")),
        ("channels", pa.list_(pa.string())),
    ]
)
_PART_SQL = (
    "type string, event string, field string, kind string, events bigint, first timestamp, last timestamp, "
    "channels array<string>"
)
Subject = tuple[str, str | None]
"""Type of the message, and name of the event."""


@dataclass(kw_only=True)
class Entry:
    """One event of the catalogue. first, last: when it came; None = it was never seen. channels: where it came by."""

    subject: Subject
    shape: Shape = field(default_factory=Shape)
    first: datetime | None = None
    last: datetime | None = None
    channels: Sequence[str] = ()
    planned: tuple[PlannedEvent, ...] = ()


def entries(lake: Lake, plan: TrackingPlan) -> list[Entry]:
    """Every event that is stored or planned, the most frequent first. Reads silver.events once."""
    events = lake.read(SILVER_EVENTS).select("type", "event", "channel", "received_at", "properties")
    summed = (
        events.mapInArrow(_parts, _PART_SQL)
        .groupBy("type", "event", "field", "kind")
        .agg(
            F.sum("events").alias("events"),
            F.min("first").alias("first"),
            F.max("last").alias("last"),
            F.array_sort(F.array_distinct(F.flatten(F.collect_list("channels")))).alias("channels"),
        )
    )
    found: dict[Subject, Entry] = {}
    for row in summed.collect():  # names and fields are bounded
        entry = found.setdefault((row["type"], row["event"]), Entry(subject=(row["type"], row["event"])))
        if row["field"] is None:
            entry.shape.events, entry.first, entry.last = row["events"], row["first"], row["last"]
            entry.channels = row["channels"][:_MOST_CHANNELS]
        elif row["kind"] is None:
            entry.shape.filled[row["field"]] = row["events"]
        else:
            entry.shape.kinds[row["field"], row["kind"]] = row["events"]
    for planned in plan.events:
        found.setdefault(planned.subject, Entry(subject=planned.subject)).planned += (planned,)
    return sorted(found.values(), key=lambda entry: (-entry.shape.events, str(entry.subject)))


def _parts(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """What Spark's Python workers run: rows of _PART for one partition of silver.events."""
    found: dict[Subject, Entry] = {}
    for batch in batches:
        received = batch["received_at"].cast(_TIME).to_pylist()
        columns = (batch[name].to_pylist() for name in ("type", "event", "channel", "properties"))
        for type_, event, channel, properties, at in zip(*columns, received, strict=True):
            known = (type_, event) in found or len(found) < MOST_EVENTS
            subject = (type_, event if known else OTHER)
            entry = found.get(subject) or found.setdefault(subject, Entry(subject=subject, first=at, last=at))
            entry.shape.take(properties)
            entry.first, entry.last = min(entry.first or at, at), max(entry.last or at, at)
            if channel is not None and channel not in entry.channels and len(entry.channels) < _MOST_CHANNELS:
                entry.channels = [*entry.channels, channel]
    yield pa.RecordBatch.from_pylist([row for entry in found.values() for row in _rows(entry)], schema=_PART)


def _rows(entry: Entry) -> Iterator[Mapping[str, Any]]:
    type_, event = entry.subject
    named = {"type": type_, "event": event}
    yield named | {"events": entry.shape.events, "first": entry.first, "last": entry.last, "channels": entry.channels}
    for name, events in entry.shape.filled.items():
        yield named | {"field": name, "events": events}
    for (name, kind), events in entry.shape.kinds.items():
        yield named | {"field": name, "kind": kind, "events": events}


def page(found: Sequence[Entry]) -> Iterator[str]:
    """The lines of the page; the same for the same lake and plan."""
    total = sum(entry.shape.events for entry in found)
    yield from ("# Catalogue of events", "")
    yield f"{total:,} events of silver.events. Times are those of arrival, UTC. A share is that of the event's own events in which the field says something."
    yield from (
        "",
        "| event | events | share | first seen | last seen | came by | owner | versions |",
        "|---|---|---|---|---|---|---|---|",
    )
    for entry in found:
        cells = (
            f"{_title(entry.subject)}", f"{entry.shape.events:,}", _share(entry.shape.events, total), _day(entry.first), _day(entry.last),
            ", ".join(entry.channels), ", ".join(dict.fromkeys(one.owner for one in entry.planned)) or "nobody",
            ", ".join(str(one.version) for one in entry.planned),
        )  # fmt: skip
        yield f"| {' | '.join(map(_escaped, cells))} |"
    for entry in found:
        yield from _section(entry)


def _section(entry: Entry) -> Iterator[str]:
    yield from ("", f"## {_escaped(_title(entry.subject))}", "")
    for one in entry.planned:
        yield f"- version {one.version}, {_escaped(one.owner)}: {_escaped(one.description)}"
    promised = {name for one in entry.planned for name in _promised(one.properties or {})}
    shape = entry.shape
    names = sorted(shape.filled.keys() | promised, key=lambda name: (-shape.filled[name], name))
    if not names:
        yield "No fields of its own."
        return
    if entry.planned:
        yield ""
    yield from ("| field | kind | filled | planned |", "|---|---|---|---|")
    for name in names:
        kinds = sorted(
            (kind for field_, kind in shape.kinds if field_ == name), key=lambda k: (-shape.kinds[name, k], k)
        )
        is_planned = "yes" if name in promised else ""
        cells = (
            f"`{_escaped(name)}`",
            ", ".join(kinds),
            _share(shape.filled[name], shape.events),
            is_planned,
        )
        yield f"| {' | '.join(cells)} |"


def _promised(schema: Any, way: str = "") -> Iterator[str]:
    """Paths of the leaves that a schema names, as `leaves` of shapes.py has them."""
    inner = schema if isinstance(schema, dict) else {}
    for name, one in (inner.get("properties") or {}).items():
        yield from _promised(one, f"{way}.{name}" if way else name)
    if "items" in inner:
        yield from _promised(inner["items"], f"{way}[]")
    elif way and "properties" not in inner:
        yield way


def _title(subject: Subject) -> str:
    type_, event = subject
    return type_ if event is None else event if type_ == "track" else f"{event} ({type_})"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none seen"


def _day(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _escaped(text: str) -> str:
    """A sender's name in a Markdown table: it must not end the cell, nor be a tag of HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog=NAME, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    config, plan = load(), read_plan(EVENTS)
    lake = Lake(get_session(config, NAME), config)
    lake.require([SILVER_EVENTS])
    found = entries(lake, plan)
    text = "\n".join(page(found)) + "\n"
    if options.write is None:
        print(text, end="")
        return
    options.write.write_text(text, encoding="utf-8")
    counts = {"events": sum(entry.shape.events for entry in found), "names": len(found)}
    print(json_line({"command": NAME, "file": str(options.write), **counts}))


if __name__ == "__main__":
    run(main)
