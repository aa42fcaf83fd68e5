"""From what people ask for to silver.identity_overrides, while the stream runs.

A request is one JSON file in `<lake.root>/_identity_overrides/`: anybody may drop one at any time, whoever holds the lake.
The table has one writer, the `events` query, which takes the requests in before it solves a micro-batch. It checks each
again, because two people may have asked for opposite things at once: the later one goes to `rejected/` with the reason.

    taken = take_in(lake, now)      # rows are in the table, files still there
    ...                             # solve again what carries taken.changed, with taken.active; write edges, log, map
    settle(lake, taken)             # files gone

So a crash in between finds the files again, and with them what is to be solved again: nothing is in force in the table
alone. Without a request a call costs one directory listing, given what the last call returned.
"""

import dataclasses
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from lakehouse.identity.override_requests import Known, Refusal, Request, Undo, asked_at, parse, take, text
from lakehouse.identity.overrides import NamedIdentifier, Override, around
from lakehouse.lake import delta_rs
from lakehouse.lake.delta import Lake, arrow
from lakehouse.lake.folders import SUFFIX, Folder, folder
from lakehouse.tables.identity import SILVER_IDENTITY_OVERRIDES

log = logging.getLogger("stitchlake.identity")

WAITING = "_identity_overrides"
REJECTED = "_identity_overrides/rejected"


@dataclass(frozen=True, kw_only=True)
class Store:
    """Where overrides live. `spark` is None when the lake is on this machine and none is needed to read it."""

    root: str
    spark: SparkSession | None

    def folder(self, name: str) -> Folder:
        return folder(self.root, name, self.spark)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What `take_in` found: every override by id, the identifiers to solve again, the files to `settle`."""

    known: Known
    changed: pd.DataFrame  # identifier_type, identifier_token
    files: tuple[str, ...]

    @property
    def active(self) -> list[Override]:
        return [override for override in self.known.values() if override.is_active]


def store_of(lake: Lake) -> Store:
    return Store(root=lake.root, spark=None if lake.uses_delta_rs else lake.spark)


def pending(lake: Lake) -> list[Request]:
    """The requests that wait, oldest first; files that are none are left out. One directory listing if there are none."""
    return [request for _, request in waiting(store_of(lake)) if not isinstance(request, Refusal)]


def take_in(lake: Lake, now: datetime, before: Taken | None = None) -> Taken:
    """Put what waits into silver.identity_overrides, and what contradicts it into `rejected/`; see the module's docstring.

    Only the lake's writer may call it. `before`: what its last call returned, so that the table is not read again.
    """
    store = store_of(lake)
    requests = waiting(store)
    stored = before.known if before is not None else read(store)
    known, changed, refused = take(requests, stored, lake.config.identity.rules)
    rows = [override for override_id, override in known.items() if stored.get(override_id) != override]
    if rows:
        lake.create(SILVER_IDENTITY_OVERRIDES)
        lake.upsert(arrow(_rows(rows), SILVER_IDENTITY_OVERRIDES), SILVER_IDENTITY_OVERRIDES)
    for file, reason in refused.items():
        _reject(store, file, reason, now)
    around_changed = around([known[override_id] for override_id in changed], known.values())
    files = tuple(file for file, _ in requests if file not in refused)
    return Taken(known=known, changed=around_changed, files=files)


def settle(lake: Lake, taken: Taken) -> None:
    """The map shows what was taken in: the requests are done with."""
    for file in taken.files:
        store_of(lake).folder(WAITING).delete(file)


def read(store: Store) -> dict[str, Override]:
    """silver.identity_overrides by id, oldest first; empty when the lake is older than the table."""
    path = f"{store.root}/{SILVER_IDENTITY_OVERRIDES.name.replace('.', '/')}"
    if store.spark is None:
        files = delta_rs.files(path) if Path(path, "_delta_log").is_dir() else None
        rows = pq.read_table(files).to_pylist() if files else []
    elif DeltaTable.isDeltaTable(store.spark, path):
        rows = store.spark.read.format("delta").load(path).toArrow().to_pylist()
    else:
        rows = []
    found = sorted((_override(row) for row in rows), key=lambda o: (o.created_at, o.override_id))
    return {override.override_id: override for override in found}


def waiting(store: Store) -> list[tuple[str, Request | Refusal]]:
    """File and request of all that wait, oldest first; a file that is no request is a refusal, and comes last."""
    place = store.folder(WAITING)
    texts = [(file, place.read(file)) for file in place.names()]
    requests = [(file, parse(text)) for file, text in texts if text is not None]
    return sorted(requests, key=lambda item: (asked_at(item[1]), item[0]))


def ask(store: Store, request: Request) -> None:
    """Leave the request for the lake's writer. No two requests share a file, so none is lost before it is settled."""
    name = (
        f"undo-{request.override_id}-{request.at:%Y%m%dT%H%M%S%f}" if isinstance(request, Undo) else request.override_id
    )
    store.folder(WAITING).write(f"{name}{SUFFIX}", text(request))


def rejected(store: Store) -> list[tuple[str, str]]:
    """File and reason of every request that was refused when it was to be taken in."""
    place = store.folder(REJECTED)
    texts = [(file, place.read(file)) for file in place.names()]
    return [(file, json.loads(text)["reason"]) for file, text in texts if text is not None]


def _reject(store: Store, file: str, reason: str, now: datetime) -> None:
    place = store.folder(WAITING)
    words = {"request": place.read(file), "reason": reason, "rejected_at": now.astimezone(UTC).isoformat()}
    store.folder(REJECTED).write(file, json.dumps(words))
    place.delete(file)
    log.warning(json.dumps({"rejected_override": file}))


def _rows(overrides: Iterable[Override]) -> pd.DataFrame:
    rows = []
    for override in overrides:
        first, *others = override.identifiers
        second = others[0] if others else (None, None)
        of_pair = {"first_type": first.type, "first_token": first.token, "second_type": second[0]}
        plain = {
            name: getattr(override, name) for name in SILVER_IDENTITY_OVERRIDES.column_names if hasattr(override, name)
        }
        rows.append(plain | of_pair | {"second_token": second[1]})
    return pd.DataFrame(rows)


def _override(row: Mapping[str, Any]) -> Override:
    pair = (
        row[f"{side}_type"] and NamedIdentifier(row[f"{side}_type"], row[f"{side}_token"])
        for side in ("first", "second")
    )
    words = {name: row[name] for name in SILVER_IDENTITY_OVERRIDES.column_names if name in _FIELDS}
    return Override(identifiers=tuple(filter(None, pair)), **words)


_FIELDS = {field.name for field in dataclasses.fields(Override)}
