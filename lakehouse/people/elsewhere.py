"""What is left of an erasure once the lake's writer has done its part: tables of other jobs, destinations and topics that are still to be told, online stores."""

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.catalog import of_part
from lakehouse.config import Config
from lakehouse.errors import BusyError, StoreError
from lakehouse.events.erased import HoldBack, digest
from lakehouse.events.identifier import Identifier
from lakehouse.lake import audit
from lakehouse.lake.delta import Lake
from lakehouse.lake.folders import Folder
from lakehouse.lake.lock import DECISION_LOG, EXPORTS, HOUSEHOLDS, writer
from lakehouse.maintenance import local_table
from lakehouse.online.engines import open_kept_store, open_store, scrub, store_url
from lakehouse.people.deletion import Spared, delete, with_commits, write_receipt
from lakehouse.people.forgetting import Gone, forget
from lakehouse.people.holdings import of_people
from lakehouse.people.requests import Request, keep, milliseconds
from lakehouse.people.traces import Traces
from lakehouse.tables.audiences import OPS_AUDIENCE_MEMBERS
from lakehouse.tables.contract import Table
from lakehouse.tables.decisions import SILVER_DECISION_LOG, SILVER_DECISION_LOG_QUARANTINE
from lakehouse.tables.exports import OPS_EXPORT_ROWS, OPS_EXPORT_RUNS
from lakehouse.tables.people import By

_WHEN = {SILVER_DECISION_LOG: "occurred_at", SILVER_DECISION_LOG_QUARANTINE: "logged_at"}
ONLINE = "online store"  # among the counts of tables
log = logging.getLogger("stitchlake.people")


def settle(lake: Lake, request: Request, place: Folder, clock: Callable[[], datetime]) -> None:
    """Do what can be done by now, and say in the receipt what waits. When nothing does, the request is gone."""
    one, requests, found = request.resolved, [request], Traces()
    for what, values in ((By.ACTOR, one.actors), (By.UNIT, one.units), (By.BYTES, one.units)):
        found.add(what, values, 0)
    waits = [
        reason for part in (DECISION_LOG, HOUSEHOLDS, EXPORTS) if (reason := _part(lake, part, found, requests, place))
    ]
    if not lake.is_bare(OPS_AUDIENCE_MEMBERS):
        told, _ = of_people(lake, OPS_AUDIENCE_MEMBERS, found, columns=("audience",))
        waits += ["the topic of audiences, to tell that they left"] if told.num_rows else []
    (request,) = requests
    try:
        if ONLINE not in request.counts:  # once: whoever has the identifiers by the next time may be somebody new
            request = replace(request, counts={**request.counts, ONLINE: _forget_online(lake.config, request)})
    except StoreError as error:
        waits.append(f"the online store: {error}")
    keep(place, request)
    outcome = "waiting" if waits else "erased"
    write_receipt(lake, request, outcome, "; ".join(waits) or None, now=clock())
    if waits:
        return
    if lake.uses_delta_rs:
        local_table.purge(lake.path(OPS_AUDIENCE_MEMBERS))
    place.delete(request.file)
    audit.note(
        lake.config, "erasure", by=request.by, now=clock(),
        detail={"erasure_id": request.erasure_id, "rows": sum(request.counts.values())},
    )  # fmt: skip
    log.info("erasure %s is done: %d rows", request.erasure_id, sum(request.counts.values()))


def _part(lake: Lake, part: str, found: Traces, requests: list[Request], place: Folder) -> str | None:
    """The tables that a job of their own writes; why something of them waits, None = nothing does."""
    try:
        with writer(lake.config, lake.spark, part=part):
            tables = lake.stored(of_part(part))
            if part == EXPORTS and (reason := _exports_that_know(lake, found, requests)) is not None:
                return reason
            for table in tables:
                spared = _of_later(table, requests[0].held)
                if delete(lake, table, found, requests, place, spared=spared) and lake.uses_delta_rs:
                    local_table.purge(lake.path(table))
            requests[0] = with_commits(lake, requests[0], tables)
    except BusyError as error:
        return str(error)
    return None


def _of_later(table: Table, until: datetime) -> Spared | None:
    """Rows that are of whoever has the same identifiers since then; None = all are theirs."""
    if (column := _WHEN.get(table)) is None:
        return None
    return Spared(column, lambda times: pc.greater(times, pa.scalar(until, times.type)))


def _exports_that_know(lake: Lake, found: Traces, requests: Sequence[Request]) -> str | None:
    """Why exports must have their turn first; None = none must.

    A destination may have a row of theirs. And a run that began while gold had them may still write their rows down: it has them in memory, and its
    journal is folded when it ends, or, where its process died, when the next one begins.
    """
    rows, _ = of_people(lake, OPS_EXPORT_ROWS, found, columns=("export", "is_there"))
    if holding := sorted(set(rows.filter(rows["is_there"])["export"].to_pylist())):
        return f"the next run of the export {', '.join(holding)}, which takes them from its destination"
    left = [request.left_at for request in requests]
    runs = lake.rows_with(OPS_EXPORT_RUNS, "state", ["running"], columns=("export", "state", "started_at")).to_pylist()
    if under_way := sorted({run["export"] for run in runs if any(at is None or run["started_at"] < at for at in left)}):
        return f"the run of the export {', '.join(under_way)} that began before, or, where it died, the next one: it may still write of them"
    return None


def forget_again(config: Config, told: HoldBack, late: pa.Table) -> int:
    """Take out of the online stores what the service heard late of people who were erased: the lake holds it back, and the service cannot know.

    `late`: records that are held back, [identifiers, occurred_at]. How many documents and entries that were.

    Raises:
        StoreError: a store does not answer.
    """
    newest: dict[tuple[int, Identifier], int] = {}
    for row in late.to_pylist():
        for identifier in ((one["type"], one["token"]) for one in row["identifiers"] or ()):
            until = told.until.get(digest(config.privacy, *identifier))
            if until is not None and row["occurred_at"] is not None:
                at_ms = milliseconds(row["occurred_at"])
                newest[until, identifier] = max(at_ms, newest.get((until, identifier), at_ms))
    if not newest:
        return 0
    with closing(open_store(store_url(config))) as online, closing(open_kept_store(config)) as kept:
        count = sum(
            forget(
                (online, kept),
                Gone(own=[identifier], shared=(), names=(), asked_ms=at_ms, until_ms=until // 1000),
                shards=config.moments.shards,
            )
            for (until, identifier), at_ms in newest.items()
        )
    # Also where nothing was there: what is written over names them, and stays in the pages of a store.
    scrub(config)
    return count


def _forget_online(config: Config, request: Request) -> int:
    one = request.resolved
    gone = Gone(
        own=one.own,
        shared=one.shared,
        names=one.actors,
        asked_ms=milliseconds(request.at),
        until_ms=milliseconds(request.held),
    )
    with closing(open_store(store_url(config))) as online, closing(open_kept_store(config)) as kept:
        count = forget((online, kept), gone, shards=config.moments.shards)
    scrub(config)
    return count
