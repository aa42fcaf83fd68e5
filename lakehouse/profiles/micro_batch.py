"""One micro-batch of the `events` query: leaf rows of what is new in, every silver and gold table of profiles up to date.

    leaf rows -> activity, orders, traits, identity   (independent of each other, written side by side)
              -> gold of the touched profiles         (each table from what it reads; where there is an online store, first what it holds)
              -> the online store                     (where there is one)
              -> gold, written                        (side by side; meanwhile the rest of gold is made, and written)
              -> gold.changes                         (what of it is another)
              -> gold.features of whom a window closed, and gold.audiences
              -> the topic of audiences               (where there is one)

Sums are added in a commit that notes the batch; every other value is absolute and follows from the leaf rows and the stored
tables. So a replay of the batch, whole or after a crash between any two writes, changes nothing.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Lock

import pyarrow as pa
from pyspark.sql import DataFrame

from lakehouse.errors import ConfigError
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.identity.reach import places
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles import gold_writes
from lakehouse.profiles.applied_models import AppliedModels
from lakehouse.profiles.batch_record import BatchRecord, Note, nothing_noted
from lakehouse.profiles.change_log import ChangeLog
from lakehouse.profiles.declaration import ChampionModels, ProfileTable
from lakehouse.profiles.derivation import GoldRows, OnDriver
from lakehouse.profiles.due_rows import MOST_BESIDE, DueProfiles
from lakehouse.profiles.followers import AudienceTeller, OnlineWriter
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.audiences import NO_AUDIENCES, Audiences
from lakehouse.profiles.gold_quality import judge
from lakehouse.profiles.lake_clock import LakeClock
from lakehouse.profiles.new_leaves import NewLeaves, new_leaves
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS
from lakehouse.profiles.stitching.graph_facts import facts_of
from lakehouse.profiles.stitching.resolution import IdentityStep
from lakehouse.profiles.tables import LEAF, closing_windows, gold_with, made_first, others_read
from lakehouse.profiles.touched_profiles import TouchedProfiles
from lakehouse.profiles.window_ends import WindowEnds
from lakehouse.quality.data_quality import DataQuality

log = logging.getLogger("stitchlake.profiles")

Clock = Callable[[], datetime]
MOST_RECORDS = 1000  # of what it did last; a driver lives for months


def utc_now() -> datetime:
    return datetime.now(UTC)


class MicroBatch:
    """The body of foreachBatch. Keeps what it did; everything else is in the lake.

    `online`: None = there is no online store to keep. `note`: is handed what each batch did, once it is done.
    `quality`: judges rows before they are written; None = nobody does. `features`: those that are declared; their leaf rows hold the facts.
    `audiences`: those that are declared. `teller`: is handed whose rows were written, None = everybody's; None = there is no topic to tell.
    """

    def __init__(
        self,
        lake: Lake,
        champions: ChampionModels,
        *,
        clock: Clock = utc_now,
        online: OnlineWriter | None = None,
        note: Note = nothing_noted,
        quality: DataQuality | None = None,
        features: Features = NO_FEATURES,
        audiences: Audiences = NO_AUDIENCES,
        teller: AudienceTeller | None = None,
    ) -> None:
        self.lake = lake
        self.champions = champions
        self.clock = clock
        self.online = online
        self.identity = IdentityStep(lake)
        self.touched = TouchedProfiles(lake, champions)
        self.changes = ChangeLog(lake)
        self.records: deque[BatchRecord] = deque(maxlen=MOST_RECORDS)
        self.quality = quality
        self.audiences = audiences
        self._use(features)
        self._teller = teller
        self._note = note
        self._left: set[str] = set()  # actors of others, of whom gold is to be made anew
        self._gone: set[str] = set()  # profiles of which nothing is left
        self.lake_clock = LakeClock(lake)
        self._due = DueProfiles(lake, GOLD_ACTIVATION)
        self._applied = AppliedModels(lake, champions)
        self._one_at_a_time = Lock()

    def __call__(self, leaves: DataFrame | pa.Table, once: Transaction, record: BatchRecord | None = None) -> None:
        """Take in leaf rows of events that no other batch has brought; few are on the driver.

        `record`: noted on, of what was done for the batch before.
        """
        record = record or BatchRecord(once.batch_id)
        with self._one_at_a_time:
            if isinstance(leaves, pa.Table):
                self._record((leaves, once), record)
                return
            leaves = leaves.persist()
            try:
                self._record((leaves, once), record)
            finally:
                leaves.unpersist()

    def use(self, features: Features) -> None:
        """From now on keep these features; leaf rows hold their facts. Rows of gold.features and documents follow as they are due."""
        with self._one_at_a_time:
            self._use(features)

    def _use(self, features: Features) -> None:
        """Raises ConfigError: an audience reads one that is not among them."""
        if missing := [name for name in self.audiences.features if name not in features.by_name]:
            raise ConfigError(
                f"audiences.yaml: reads {', '.join(missing)}, expected declared features. Declare them, or start streaming again"
            )
        self.features = features
        self.tables = gold_with(self.lake.config, features, self.audiences)
        self._first = self.tables if self.online is None else made_first(GOLD_ACTIVATION, self.tables)
        self._rest = tuple(table for table in self.tables if table not in self._first)
        self._closing = closing_windows(self.tables)
        self._window_ends = WindowEnds(self.lake, self._closing[0], features) if self._closing else None
        self._of_documents = (SILVER_FEATURE_DAYS,) if self.online is not None and features.online else ()
        if self.online is not None:
            self.online.use(features)

    @property
    def owes_features(self) -> bool:
        """Whether rows of gold.features are still those of other declarations."""
        return self._window_ends is not None and self._window_ends.owes

    def catch_up(self) -> None:
        """Do what is due although no event came: overrides asked for, a new model, rules that changed, a crash's rest."""
        with self._one_at_a_time:
            if self._is_due():
                self._record(None, BatchRecord(self.identity.batch_id_without_batch))
            elif self._teller is not None and self._teller.is_due:
                self._teller.tell((), None)

    def start_again(self, left: Collection[str], gone: Collection[str]) -> None:
        """Rows were deleted by somebody else, of the profiles `gone`: remember nothing of what was read.

        What comes next solves the components of the actors `left` again, makes their gold anew, and tells whoever follows that the others are gone.
        """
        with self._one_at_a_time:
            self.identity.start_again(left)
            self._left |= set(left)
            self._gone |= set(gone)
            self.lake_clock.forget()

    def _is_due(self) -> bool:
        return self._applied.are_old() or self._is_due_as_it_is()

    def _is_due_as_it_is(self) -> bool:
        is_asked = self.identity.is_due(self.champions.matcher) or (self.online is not None and self.online.is_due)
        return is_asked or self._due.is_unfinished or self._may_be_due()

    def _may_be_due(self) -> bool:
        """Whether by the lake's clock a window of somebody may have closed, or what was said of somebody may be too old."""
        now = self.clock()
        as_of = self.lake_clock.as_of(now)
        kept = [self._due, *([] if self._window_ends is None else [self._window_ends])]
        return as_of is not None and any(one.is_due(as_of, now) for one in kept)

    def _record(self, brought: tuple[DataFrame | pa.Table, Transaction] | None, record: BatchRecord) -> None:
        with record.stage("total"):
            self._run(brought, record)
        if self.online is not None:
            record.online_owed, record.online_is_behind = len(self.online.owed), self.online.is_behind
        self.records.append(record)
        self._note(record)
        log.info(json.dumps(record.figures), extra={"query": "events", "batch_id": record.batch_id})

    def _run(self, brought: tuple[DataFrame | pa.Table, Transaction] | None, record: BatchRecord) -> None:
        now = self.clock()
        with record.stage("leaf"):
            new = None if brought is None else new_leaves(*brought, record)
        with record.stage("models"):
            everyone = self._applied.are_old()
        if record.leaf_rows == 0 and not everyone and not self._is_due_as_it_is():
            return
        with record.stage("silver"):
            profiles = self._write_silver(new if record.leaf_rows else None, record, now) | self._gone
            if self._left:
                profiles |= set(places(self.identity.index, self._left)["profile_id"])
        if self.online is not None:
            with record.stage("online_fill"):
                profiles |= self.online.catch_up(self.identity.index, now)
        as_of = self.lake_clock.as_of(now, None if new is None else new.newest)
        if as_of is None:  # there is nobody
            self._due.end()
            return
        began, due = self.clock(), set[str]()
        if not everyone:
            with record.stage("due"):
                due = self._due.begin(as_of, now, None if new is None else MOST_BESIDE)
                profiles |= due
        rows = self._rolled_up(profiles, as_of, now, record, everyone=everyone)
        self._write_out(rows, record, now)
        with record.stage("changes"):
            self.tell_changes(now)
        if self._window_ends is not None:
            with record.stage("windows"):
                profiles |= self._close_windows(self._window_ends, as_of, now)
        if self._teller is not None:
            with record.stage("audiences"):
                self._teller.tell(None if everyone else profiles, record)
        if due:
            self._due.made(began, self.clock())
        self._end(record, now)

    def _rolled_up(
        self, profiles: set[str], as_of: datetime, now: datetime, record: BatchRecord, *, everyone: bool
    ) -> GoldRows | OnDriver:
        """Rows of gold of these profiles, or of everybody, these among them: first those that the online store holds."""
        with record.stage("rollup"):
            if everyone:
                return self.touched.of_everybody(profiles, as_of, now, self._first)
            return self.touched.of_few(
                self.identity.index, profiles, as_of, now, self._first, besides=self._of_documents
            )

    def _write_out(self, rows: GoldRows | OnDriver, record: BatchRecord, now: datetime) -> None:
        """To the online store, and then to gold; meanwhile the rest of gold is made, and written."""
        self._judge(rows, self._first, record)
        if self.online is not None:
            with record.stage("online"):
                if self.online.put(rows, self.identity.index, now):
                    record.online_at = self.clock()
        with record.stage("gold"), ThreadPoolExecutor(1) as beside:
            written = beside.submit(self.write_gold, rows, self._first)
            if self._rest:
                rest = self.touched.also(rows, self._rest)
                self._judge(rest, self._rest, record)
                self.write_gold(rest, self._rest)
            written.result()

    def _end(self, record: BatchRecord, now: datetime) -> None:
        """All of it is written."""
        self._due.end()
        self.identity.settle()
        record.committed_at = self.clock()
        self._applied.renew()
        self._left.clear()
        self._gone.clear()
        if self.online is not None:
            self.online.settle(now)

    def _judge(self, rows: GoldRows | OnDriver, tables: Collection[ProfileTable], record: BatchRecord) -> None:
        if self.quality is not None:
            with record.stage("quality"):
                judge(rows, [table for table in tables if table.needs(self.champions)], self.quality)

    def _close_windows(self, ends: WindowEnds, as_of: datetime, now: datetime) -> set[str]:
        """Make the features of those anew of whom a window has closed, whether or not they did anything; who they are.

        The features come last: while they are not written, the window is still due, and after a crash all of it is done again.
        """
        began = self.clock()
        due = ends.due(as_of, began)
        if due:
            read = others_read(self._closing)
            rows = self.touched.of_few(self.identity.index, due, as_of, now, self._closing, as_stored=read)
            for table in reversed(self._closing):
                gold_writes.write(self.lake, table, rows)
            ends.wrote(rows.tables)
            ends.made(began, self.clock())
        return due

    def _write_silver(self, new: NewLeaves | None, record: BatchRecord, now: datetime) -> set[str]:
        """Write the silver tables; the profiles whose figures the batch may have changed."""
        if new is None:
            return self._resolve(None, record, now, described=[])
        with ThreadPoolExecutor(len(LEAF)) as pool:
            merges = {
                table: pool.submit(table.merge, self.lake, new.leaves, new.once)
                for table in LEAF
                if record.brings(table)
            }
            described: list[str] = []
            if SILVER_PERSONAL_TRAITS in merges and self.champions.matcher is not None:
                merges[SILVER_PERSONAL_TRAITS].result()  # matching reads what is stored
                described = new.described
            profiles = self._resolve(new.here, record, now, described)
            others = {actor for merge in merges.values() for actor in merge.result()}
            return profiles | set(places(self.identity.index, others)["profile_id"])

    def _resolve(self, leaves: pa.Table | None, record: BatchRecord, now: datetime, described: list[str]) -> set[str]:
        matcher, batch_id = self.champions.matcher, record.batch_id
        return self.identity.resolve_batch(
            facts_of(leaves), batch_id=batch_id, now=now, matcher=matcher, described=described
        )

    def write_gold(self, rows: GoldRows | OnDriver, tables: Collection[ProfileTable]) -> None:
        """Write those of the tables whose needs are met; the others are left as they are."""
        with ThreadPoolExecutor(len(tables)) as pool:
            writes = [
                pool.submit(gold_writes.write, self.lake, table, rows)
                for table in tables
                if table.needs(self.champions)
            ]
            for write in writes:
                write.result()
        for kept in (self._due, self._window_ends):
            if kept is not None and kept.table in tables:
                kept.wrote(rows.tables)

    def tell_changes(self, now: datetime) -> None:
        """Say in gold.changes what gold has changed."""
        self.changes.tell(self._places, now)

    def _places(self, actor_ids: Collection[str]) -> Mapping[str, str]:
        placed = places(self.identity.index, actor_ids)
        return dict(zip(placed["actor_id"].tolist(), placed["profile_id"].tolist(), strict=True))
