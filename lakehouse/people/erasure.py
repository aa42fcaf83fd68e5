"""Erasing people, by the process that writes the lake, between its micro-batches: first no record of theirs is taken in any more, then all that is
there goes, and then the files it was in.

    asked      whoever has the identifier is left alone already (silence.py). Who it is is resolved, and written down; from then on records of
               theirs are held back (held_back.py)
    resolved   every table the lake's writer writes: bronze, silver, gold; identity last. What is of others is made anew; files are purged
    left       what others write: decision log, households, exports; what destinations and topics are still to be told; the online stores
    done       the receipt stands in ops.erasures, and nothing says who it was

Every step deletes what is there by then. So a process may die anywhere, and whoever goes on ends at the same.
"""

import json
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa

from lakehouse.catalog import TABLES, of_part
from lakehouse.errors import BusyError, StoreError
from lakehouse.events.erased import digests
from lakehouse.events.event_rows import Declarations
from lakehouse.events.parse import parse
from lakehouse.identity.override_store import REJECTED
from lakehouse.identity.override_store import WAITING as OVERRIDES
from lakehouse.lake import local_index, row_runs
from lakehouse.lake.checkpoint import Ends, ends_of, is_news
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.folders import Folder, folder
from lakehouse.lake.lock import QUARANTINE_REPLAYS, writer
from lakehouse.lake.stamp import read as read_stamp
from lakehouse.lake.stamp import restamp
from lakehouse.lake.turns import turn
from lakehouse.maintenance import local_table
from lakehouse.people.deletion import but_those, delete, stays_for_a_time, with_commits, write_receipt
from lakehouse.people.elsewhere import forget_again, settle
from lakehouse.people.held_back import HeldBack
from lakehouse.people.others import put_log_right, put_orders_right, put_sessions_right
from lakehouse.people.person import Person, neighbours, person, profiles_with
from lakehouse.people.requests import WAITING, Request, keep, waiting
from lakehouse.people.silence import lift, silence
from lakehouse.people.traces import Traces, traces
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.rebuild import bronze_records
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.tables.audiences import OPS_AUDIENCE_MEMBERS
from lakehouse.tables.contract import Table
from lakehouse.tables.erasures import OPS_ERASED_IDENTIFIERS
from lakehouse.tables.events import (
    BRONZE_EVENTS,
    SILVER_EVENTS,
    SILVER_EVENTS_QUARANTINE,
    SILVER_QUARANTINE_REPLAYS,
)
from lakehouse.tables.people import PLACE, By

RECORDS = (BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE)
INDEXES = ("identity", "visits", "personal_traits", "match_blocks")
REST = timedelta(seconds=30)  # until what is left of an erasure is tried again
SWEEP_EVERY = timedelta(minutes=10)  # bronze is rid of records that were held back since
SWEPT = "_swept_bronze"  # how far it is
log = logging.getLogger("stitchlake.people")


class Erasures:
    """Of one lake. Whoever calls it holds the lake, and the turn of its micro-batches."""

    def __init__(
        self,
        lake: Lake,
        micro_batch: MicroBatch,
        held: HeldBack,
        declared: Declarations,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._lake, self._micro_batch, self._clock = lake, micro_batch, clock
        self._held, self._declared = held, declared
        self._tried: set[str] = set()  # files of requests
        self._rests_until: datetime | None = None
        self._sweeps_after: datetime | None = None

    def between_batches(self) -> None:
        """`carry_out`, and no batch fails for it: what could not be done is tried again. Without a request this costs a directory listing."""
        names, now = self._place().names(), self._clock()
        is_time = self._rests_until is None or now >= self._rests_until
        try:
            if names and (is_time or not self._tried.issuperset(names)):
                self._tried, self._rests_until = set(names), now + REST
                self.carry_out()
            elif self._sweeps_after is None or now >= self._sweeps_after:
                self._sweeps_after = now + SWEEP_EVERY
                self._sweep()
        except Exception:  # of whatever kind: what was asked for is in its file
            log.exception("an erasure failed; tried again in %d s", REST.total_seconds())
            self._held.renew()
            self._micro_batch.start_again((), ())

    def carry_out(self) -> None:
        """Do what is asked, as far as it can be done now."""
        place = self._place()
        with self._whole_lake() as is_ours:
            if is_ours:
                self._erase(waiting(place), place)
        for request in waiting(place):
            if request.stage == "left":
                settle(self._lake, request, place, self._clock)

    def _place(self) -> Folder:
        return folder(self._lake.root, WAITING, None if self._lake.uses_delta_rs else self._lake.spark)

    @contextmanager
    def _whole_lake(self) -> Iterator[bool]:
        """The tables of every query of this process, and of replays of quarantine. False: a replay is under way."""
        with ExitStack() as held:
            held.enter_context(turn(self._lake.root, BRONZE_EVENTS))
            try:
                held.enter_context(writer(self._lake.config, self._lake.spark, part=QUARANTINE_REPLAYS))
            except BusyError as error:
                log.info("an erasure waits: %s", error)
                yield False
                return
            yield True

    def _erase(self, requests: Sequence[Request], place: Folder) -> None:
        resolved = [self._known(request, place) for request in requests]
        open_ = [request for request in resolved if request is not None and request.stage == "resolved"]
        if not open_:
            return
        lake, people = self._lake, [request.resolved for request in open_]
        self._held.renew()
        found = traces(lake, people, self._declared)
        open_ = self._widened(open_, found, place)
        self._held.renew()
        ends = {table.name: {} if lake.is_bare(table) else ends_of(lake.read(table)) for table in RECORDS}
        for request in open_:
            write_receipt(lake, request, "waiting", "it was begun", now=self._clock(), ends=ends)
        tables = [*of_part(None), SILVER_QUARANTINE_REPLAYS]
        for table in _in_order(tables):
            if table == SILVER_ORDERS:
                right = put_orders_right(lake, found)
                open_[0] = self._beside(open_[0], right.actors, place)
                delete(lake, table, found, open_, place, spared=but_those("order_id", right.ids))
            elif table != OPS_AUDIENCE_MEMBERS:  # of whom its topic is still to be told
                delete(lake, table, found, open_, place)
            if table == SILVER_SESSIONS:
                put_sessions_right(lake, found)
        put_log_right(lake, found.values[By.ACTOR])
        self._forget_overrides(people)
        gone = {profile for one in people for profile in one.profiles}
        others = {actor for request in open_ for actor in request.neighbours}
        self._micro_batch.start_again(others - found.values[By.ACTOR].keys(), gone)
        self._micro_batch.catch_up()
        self._micro_batch.start_again((), ())
        self._sweep()
        if any(sum(request.counts.values()) for request in open_):
            self._purge(tables)
        for request in open_:
            rid = with_commits(lake, request, tables)
            keep(place, replace(rid, stage="left", left_at=self._clock()))

    def _known(self, request: Request, place: Folder) -> Request | None:
        """With who it is, and what is of them held back: all that stands by now, also where an earlier try broke off; None = it is refused."""
        if request.stage == "asked":
            return self._resolved(request, place)
        if request.stage == "left":
            return request
        again = replace(request, held_until=self._clock())
        self._hold_back(again)
        keep(place, again)
        return again

    def _resolved(self, request: Request, place: Folder) -> Request | None:
        """With who it is, and what is of them held back; None = it is refused."""
        profiles = profiles_with(self._lake, request.identifier)
        if len(profiles) > 1 and not request.every:
            why = f"{len(profiles)} profiles carry the identifier, expected one. Name one that is theirs alone, or say --every-profile"
            write_receipt(self._lake, request, "refused", why, now=self._clock())
            lift(self._lake.config, request)
            place.delete(request.file)
            return None
        one = person(self._lake, request.identifier, profiles)
        try:
            silence(self._lake.config, request, one.own)
        except StoreError as error:  # nobody is decided on by what cannot be read either
            log.warning("erasure %s: not left alone by every name of theirs: %s", request.erasure_id, error)
        told = replace(
            request, stage="resolved", person=one, held_until=self._clock(), neighbours=tuple(sorted(neighbours(self._lake, [one])))
        )  # fmt: skip
        self._hold_back(told)
        keep(place, told)
        return told

    def _hold_back(self, request: Request) -> None:
        """Whatever is still to come of them, and happened by now."""
        one = request.resolved
        rows = [
            {"digest": each, "until": request.held_until, "erasure_id": request.erasure_id}
            for each in digests(self._lake.config.privacy, one.own, one.actors)
        ]
        self._lake.upsert(
            pa.Table.from_pylist(rows, schema=arrow_schema(OPS_ERASED_IDENTIFIERS)), OPS_ERASED_IDENTIFIERS,
            update_when="new.until > stored.until",
        )  # fmt: skip

    def _widened(self, requests: Sequence[Request], found: Traces, place: Folder) -> list[Request]:
        """With the actors that only their events told of: the graph has none of programs."""
        wider = []
        for number, request in enumerate(requests):
            one = request.resolved
            actors = {actor for actor, owner in found.values[By.ACTOR].items() if owner == number}
            told = replace(request, person=replace(one, actors=one.actors | actors))
            self._hold_back(told)
            keep(place, told)
            wider.append(told)
        return wider

    def _beside(self, request: Request, actors: Collection[str], place: Folder) -> Request:
        """With more actors of others, of whom gold is to be made anew."""
        told = replace(request, neighbours=tuple(sorted({*request.neighbours, *actors})))
        keep(place, told)
        return told

    def _forget_overrides(self, people: Sequence[Person]) -> None:
        """Requests to overrule the graph that name an identifier of theirs."""
        spark = None if self._lake.uses_delta_rs else self._lake.spark
        tokens = {json.dumps(token) for one in people for _, token in one.own}
        for name in (OVERRIDES, REJECTED):
            place = folder(self._lake.root, name, spark)
            for file in place.names():
                text = (place.read(file) or "").replace('\\"', '"')
                if any(token in text for token in tokens):
                    place.delete(file)

    def _sweep(self) -> None:
        """Take out of bronze, and out of the online stores, what has come of erased people since. Streams drop a repeat before they look whose it is: so
        the records are read.
        """
        lake, told = self._lake, self._held.told
        if not told or lake.is_bare(BRONZE_EVENTS):
            return
        with turn(lake.root, BRONZE_EVENTS):
            swept, reached = self._swept(), ends_of(lake.read(BRONZE_EVENTS))
            if reached == swept:
                return
            since = parse(bronze_records(lake).where(is_news(swept)), lake.config, self._declared)
            gone = since.where(told.flag(since)).select(*PLACE, "identifiers", "occurred_at").toArrow()
            if gone.num_rows:
                forget_again(lake.config, told, gone)
                lake.delete_keys(BRONZE_EVENTS, gone.select(list(PLACE)))
                self._purge([BRONZE_EVENTS])
            restamp(lake.root, SWEPT, json.dumps(reached), lake.spark)

    def _swept(self) -> Ends:
        text = read_stamp(self._lake.root, SWEPT, self._lake.spark)
        swept: Ends = json.loads(text) if text else {}
        return swept

    def _purge(self, tables: Sequence[Table]) -> None:
        """On this machine the files go at once, and what lies beside the driver; on an object store they go as all old files do."""
        if not self._lake.uses_delta_rs:
            return
        row_runs.forget(self._lake)
        for name in INDEXES:
            local_index.forget(self._lake.root, name)
        for table in tables:
            if table.ways and not stays_for_a_time(table):
                local_table.purge(self._lake.path(table))


def _in_order(tables: Sequence[Table]) -> list[Table]:
    """As they may be deleted from: what says what belongs to whom goes last, the events before the graph."""
    last = [name for name in TABLES if name.startswith("silver.identity_")]
    rank = dict.fromkeys(last, 2) | {SILVER_EVENTS.name: 1}
    return sorted(tables, key=lambda table: rank.get(table.name, 0))
