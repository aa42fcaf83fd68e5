"""Everything that is held about a person, as a plain mapping: for a machine, and for the page a person reads."""

import base64
from collections.abc import Mapping
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson

from lakehouse.catalog import TABLES
from lakehouse.errors import StoreError
from lakehouse.events.event_rows import Declarations
from lakehouse.lake.delta import Lake
from lakehouse.online.engines import open_kept_store, open_store, store_url
from lakehouse.online.recent_entries import MOST_ENTRIES, TIMELINES, key_of
from lakehouse.online.store import MOST
from lakehouse.people.forgetting import Gone, documents_of
from lakehouse.people.holdings import of_people
from lakehouse.people.person import Person
from lakehouse.people.traces import traces


def dossier(lake: Lake, one: Person, declared: Declarations, *, now: datetime) -> dict[str, Any]:
    """`person`: who they are here; `tables`: by name, what a row is, what columns mean, and their rows; `online`: what decisions are made by.

    Tables that hold nothing of them are left out. Values are of JSON: times in ISO 8601, amounts as text.
    """
    found = traces(lake, [one], declared)
    tables: dict[str, Any] = {}
    for table in lake.stored(table for table in TABLES.values() if table.ways):
        rows, _ = of_people(lake, table, found, columns=table.column_names)
        if rows.num_rows:
            tables[table.name] = {
                "grain": table.grain,
                "columns": {column.name: column.comment for column in table.columns},
                "rows": [_plain(row) for row in rows.to_pylist()],
            }
    return {
        "exported_at": now.isoformat(),
        "person": {
            "profiles": list(one.profiles),
            "identifiers": [{"type": type_, "value": token} for type_, token in sorted(one.own | one.shared)],
            "shared_with_others": [{"type": type_, "value": token} for type_, token in sorted(one.shared)],
        },
        "tables": tables,
        "online": _online(lake, one),
    }


def _online(lake: Lake, one: Person) -> Mapping[str, Any]:
    """Documents and newest behaviour of theirs in the online stores. Of shared identifiers nothing: it may be another's."""
    everything = Gone(own=one.own, shared=(), names={*one.profiles, *one.actors}, asked_ms=MOST, until_ms=MOST)
    timelines = [key_of(timeline, each) for each in sorted(one.own) for timeline in TIMELINES]
    try:
        with closing(open_store(store_url(lake.config))) as online, closing(open_kept_store(lake.config)) as kept:
            told = {key: _value(value) for key, value in documents_of((online, kept), everything).items()}
            entries = [store.latest(timelines, MOST_ENTRIES) for store in (online, kept)]
    except StoreError as error:
        return {"could_not_be_read": str(error)}
    by_key = zip(timelines * len(entries), (found for each in entries for found in each), strict=True)
    return told | {key: [_value(entry.value) for entry in found] for key, found in by_key if found}


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return _value(value)
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case Mapping():
            return {name: _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
    return value


def _value(value: bytes) -> Any:
    """JSON as JSON, text as text, and other bytes in base64."""
    try:
        return orjson.loads(value)
    except ValueError:
        pass
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
