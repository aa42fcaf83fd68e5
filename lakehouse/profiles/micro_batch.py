"""One micro-batch of the `events` query: leaf rows of what is new in, every silver and gold table of profiles up to date.

    leaf rows -> activity, orders, traits, identity   (independent of each other, written side by side)
              -> gold of the touched profiles         (each table from what it reads)
              -> the online store                     (where there is one)
              -> gold, written                        (side by side, gold.features made meanwhile: no table and no document reads it)
              -> gold.changes                         (what of it is another)
              -> gold.features of whom a window closed

Sums are added in a commit that notes the batch; every other value is absolute and follows from the leaf rows and the stored
tables. So a replay of the batch, whole or after a crash between any two writes, changes nothing.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from typing import Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.identity.index import Index
from lakehouse.identity.reach import members, places
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles import gold_writes, rollup
from lakehouse.profiles.batch_record import BatchRecord, Note, nothing_noted
from lakehouse.profiles.change_log import ChangeLog
from lakehouse.profiles.declaration import ChampionModels, LeafTable, ProfileTable
from lakehouse.profiles.declared_scores import SCORES
from lakehouse.profiles.derivation import GoldRows, OnDriver, Settle, derive, derive_here
from lakehouse.profiles.gold.features import gold_features
from lakehouse.profiles.gold.scores import GOLD_SCORES
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS
from lakehouse.profiles.gold_quality import judge
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS
from lakehouse.profiles.stitching.graph_facts import GRAPH_COLUMNS, facts_of
from lakehouse.profiles.stitching.resolution import IdentityStep
from lakehouse.profiles.tables import GOLD, LEAF, handed
from lakehouse.profiles.window_ends import WindowEnds
from lakehouse.quality.data_quality import DataQuality
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import SILVER_IDENTITY_MAP

log = logging.getLogger("stitchlake.profiles")

Clock = Callable[[], datetime]
UTC_TIME = pa.timestamp("us", tz="UTC")
FEW_ACTORS = 5_000  # whose rows of silver are taken to the driver
_COLUMNS: Mapping[Table, tuple[str, ...]] = {
    SILVER_ORDERS: rollup.ORDER_COLUMNS
}  # the rest of an order is as wide again
MOST_RECORDS = 1000  # of what it did last; a driver lives for months


def utc_now() -> datetime:
    return datetime.now(UTC)


class OnlineWriter(Protocol):
    """What keeps the online store, see lakehouse/online/online_step.py. It may fail without failing the micro-batch."""

    @property
    def is_due(self) -> bool: ...
    @property
    def is_behind(self) -> bool: ...
    @property
    def owed(self) -> Collection[str]: ...
    def catch_up(self, index: Index, now: datetime) -> set[str]: ...
    def put(self, rows: GoldRows | OnDriver, index: Index, now: datetime) -> bool: ...
    def settle(self, now: datetime) -> None: ...
    def use(self, features: Features) -> None: ...


@dataclass(frozen=True)
class _New:
    """What a micro-batch brings: leaf rows of events that no other batch has brought, and the transaction they are taken in by.

    here: of every leaf row, on the driver, who it is of, from when to when, and how long its lists are.
    """

    leaves: DataFrame | pa.Table
    once: Transaction
    here: pa.Table

    @property
    def newest(self) -> datetime | None:
        newest: datetime | None = pc.max(self.here["last_at"]).as_py()
        return None if newest is None else newest.replace(tzinfo=None)

    @property
    def described(self) -> list[str]:
        """The actors whose traits the batch brings."""
        actor_ids: list[str] = self.here.filter(pc.greater(self.here["traits"], 0))["actor_id"].unique().to_pylist()
        return actor_ids


class MicroBatch:
    """The body of foreachBatch. Keeps the newest event time and what it did; everything else is in the lake.

    `online`: None = there is no online store to keep. `note`: is handed what each batch did, once it is done.
    `quality`: judges rows before they are written; None = nobody does. `features`: those that are declared; their leaf rows hold the facts.
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
    ) -> None:
        self.lake = lake
        self.champions = champions
        self.clock = clock
        self.online = online
        self.identity = IdentityStep(lake)
        self.changes = ChangeLog(lake)
        self.records: deque[BatchRecord] = deque(maxlen=MOST_RECORDS)
        self.quality = quality
        self._use(features)
        self._note = note
        self._as_of: datetime | None = None
        self._models_applied: Mapping[str, str] | None = None
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
        self.features = features
        self._window_ends = WindowEnds(self.lake, gold_features(features), features) if features else None
        self._of_documents = frozenset({SILVER_FEATURE_DAYS} if self.online is not None and features.online else ())
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

    def _is_due(self) -> bool:
        moved = self._models_moved()
        return moved or self._is_due_as_it_is()

    def _is_due_as_it_is(self) -> bool:
        is_asked = self.identity.is_due(self.champions.matcher) or (self.online is not None and self.online.is_due)
        return is_asked or self._may_have_closed()

    def _may_have_closed(self) -> bool:
        """Whether a window of somebody may have closed by the lake's clock."""
        as_of = None if self._window_ends is None else self.newest_event()
        return self._window_ends is not None and as_of is not None and self._window_ends.is_due(as_of, self.clock())

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
            new = None if brought is None else _new(*brought, record)
        with record.stage("models"):
            everyone = self._models_moved()
        if record.leaf_rows == 0 and not everyone and not self._is_due_as_it_is():
            return
        with record.stage("silver"):
            profiles = self._write_silver(new if record.leaf_rows else None, record, now)
        if self.online is not None:
            with record.stage("online_fill"):
                profiles |= self.online.catch_up(self.identity.index, now)
        as_of = self.newest_event(None if new is None else new.newest)
        if as_of is None:
            return
        with record.stage("rollup"):
            rows = self._said(profiles, as_of, now, everyone=everyone)
        if self.quality is not None:
            with record.stage("quality"):
                judge(rows, self.quality)
        if self.online is not None:
            with record.stage("online"):
                if self.online.put(rows, self.identity.index, now):
                    record.online_at = self.clock()
        with record.stage("gold"), ThreadPoolExecutor(1) as beside:
            features = beside.submit(self._make_features, profiles, as_of, now, rows, everyone=everyone)
            self.write_gold(rows)
            features.result()
        with record.stage("changes"):
            self.tell_changes(now)
        if self._window_ends is not None:
            with record.stage("windows"):
                self._close_windows(self._window_ends, as_of, now)
        self.identity.settle()
        record.committed_at = self.clock()
        self._models_applied = self.champions.versions
        if self.online is not None:
            self.online.settle(now)

    def _said(
        self, profiles: set[str], as_of: datetime, now: datetime, *, everyone: bool, tables: tuple[ProfileTable, ...] = GOLD,
        held: Mapping[Table, pa.Table] | None = None,
    ) -> GoldRows | OnDriver:  # fmt: skip
        """What these tables of gold say of the profiles. `everyone`: of all others, too."""
        if everyone:
            return self.everybodys_rows(profiles, as_of, now, tables)
        return self.few_rows(profiles, as_of, now, tables=tables, held=held)

    def _make_features(
        self, profiles: set[str], as_of: datetime, now: datetime, said: GoldRows | OnDriver, *, everyone: bool
    ) -> None:
        """gold.features of the profiles, where any are declared. `said`: of the other tables; what it has read is not read again."""
        if (ends := self._window_ends) is None:
            return
        held = said.silver if isinstance(said, OnDriver) else None
        self._write_features(ends, self._said(profiles, as_of, now, everyone=everyone, tables=(ends.table,), held=held))

    def _write_features(self, ends: WindowEnds, rows: GoldRows | OnDriver) -> None:
        gold_writes.write(self.lake, ends.table, rows)
        ends.wrote(rows.tables)

    def _close_windows(self, ends: WindowEnds, as_of: datetime, now: datetime) -> None:
        """Make the features of those anew of whom a window has closed, whether or not they did anything."""
        began = self.clock()
        if due := ends.due(as_of, began):
            self._write_features(ends, self.few_rows(due, as_of, now, tables=(ends.table,)))
            ends.closed(began, self.clock())

    def _models_moved(self) -> bool:
        """Whether gold holds what another champion has said, or a score whose champion was withdrawn: then every profile is due."""
        self.champions.refresh()
        if self._models_applied is None:
            self._models_applied = models_applied(self.lake)
        applied, absent = self._models_applied, self.champions.absent
        is_newer = any(applied.get(name) != version for name, version in self.champions.versions.items())
        return is_newer or any(score.model in applied and score.model in absent for score in SCORES)

    def newest_event(self, newest: datetime | None = None) -> datetime | None:
        """The lake's event-time clock: the newest event any profile has seen, kept across restarts by the table."""
        if self._as_of is None:
            row = self.lake.read(SILVER_ACTIVITY_DAILY).agg(F.max("last_at")).first()
            self._as_of = row[0] if row else None
        known = [time for time in (self._as_of, newest) if time is not None]
        self._as_of = max(known, default=None)
        return self._as_of

    def _write_silver(self, new: _New | None, record: BatchRecord, now: datetime) -> set[str]:
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

    def few_rows(
        self, profile_ids: set[str], as_of: datetime, now: datetime, *, tables: tuple[ProfileTable, ...] = GOLD,
        held: Mapping[Table, pa.Table] | None = None,
    ) -> GoldRows | OnDriver:  # fmt: skip
        """What gold says of these profiles, by way of the driver: their actors are looked up, so that no table is sorted.

        `tables`: of gold. `held`: rows of their actors that are on the driver already.
        """
        placed = members(self.identity.index, profile_ids)
        if self.lake.uses_delta_rs and len(placed) <= FEW_ACTORS:
            return self._rows_here(placed, profile_ids, as_of, now, tables, held or {})
        actors = F.broadcast(self.lake.frame(_text(placed)))
        profiles = self.lake.frame(_text(pd.DataFrame({"profile_id": sorted(profile_ids)})))

        here: dict[ProfileTable, pa.Table] = {}

        def settle(table: ProfileTable, rows: DataFrame) -> DataFrame:
            here[table] = rows.toArrow()
            return F.broadcast(self.lake.frame(here[table]))

        with ThreadPoolExecutor(1) as beside:
            purchases = beside.submit(self._purchases, placed)
            rows = self._rows(profiles, actors, settle, as_of, now, tables)
            on_driver = OnDriver(profile_ids=profile_ids, now=now, tables=here, purchases=purchases.result())
        return replace(rows, here=on_driver)

    def _rows_here(
        self,
        placed: pd.DataFrame,
        profile_ids: set[str],
        as_of: datetime,
        now: datetime,
        tables: tuple[ProfileTable, ...],
        held: Mapping[Table, pa.Table],
    ) -> OnDriver:
        """`few_rows` of so few that their rows of silver are on the driver, too. `placed`: their actors."""
        profile_of = _profile_of(placed)
        reads = handed(tables) | self._of_documents
        with ThreadPoolExecutor(len(reads)) as pool:
            read = {table: pool.submit(_rows_of, self.lake, table, profile_of) for table in reads - held.keys()}
            silver: dict[Table, pa.Table] = dict(held)
            silver |= {table: rows.result() for table, rows in read.items()}
        profiles = _text(pd.DataFrame({"profile_id": sorted(profile_ids)}))
        profiles = profiles.append_column("as_of", pa.repeat(pa.scalar(as_of, UTC_TIME), profiles.num_rows))
        derived = derive_here(
            self.lake.few_rows, {**silver, SILVER_IDENTITY_MAP: _text(placed)}, profiles,
            champions=self.champions, config=self.lake.config, tables=tables,
        )  # fmt: skip
        told = {table: rows for table, rows in derived.items() if table.needs(self.champions)}
        orders = silver.get(SILVER_ORDERS, arrow_schema(SILVER_ORDERS).empty_table())
        return OnDriver(
            profile_ids=profile_ids,
            now=now,
            tables=told,
            purchases=rollup.purchases_here(orders, profile_of),
            silver=silver,
        )

    def _purchases(self, placed: pd.DataFrame) -> pa.Table:
        profile_of = _profile_of(placed)
        orders = self.lake.rows_with(SILVER_ORDERS, "actor_id", profile_of, columns=rollup.PURCHASE_COLUMNS)
        return rollup.purchases_here(orders, profile_of)

    def everybodys_rows(
        self, vanished: set[str], as_of: datetime, now: datetime, tables: tuple[ProfileTable, ...] = GOLD
    ) -> GoldRows:
        """What gold says of all profiles, and of those that are no more."""
        stored = self.lake.read(SILVER_IDENTITY_MAP).select("profile_id")
        gone = self.lake.frame(_text(pd.DataFrame({"profile_id": sorted(vanished)})))
        profiles = stored.union(gone).distinct()
        actors = self.lake.read(SILVER_IDENTITY_MAP).join(profiles, on="profile_id").select("actor_id", "profile_id")
        return self._rows(profiles, actors, lambda _, rows: rows.localCheckpoint(), as_of, now, tables)

    def _rows(
        self,
        profiles: DataFrame,
        actors: DataFrame,
        settle: Settle,
        as_of: datetime,
        now: datetime,
        tables: tuple[ProfileTable, ...],
    ) -> GoldRows:
        # Times are joined, not written into the plan: a plan with another literal in it is compiled again.
        times = pa.table({"as_of": pa.array([as_of], UTC_TIME), "now": pa.array([now], UTC_TIME)})
        dated = profiles.crossJoin(F.broadcast(self.lake.frame(times)))
        silver = {SILVER_IDENTITY_MAP: actors} | {table: self.lake.read(table) for table in handed(tables)}
        told = derive(silver, dated, champions=self.champions, config=self.lake.config, settle=settle, tables=tables)
        return GoldRows(profiles=dated, now=self.lake.frame(times).select("now"), silver=silver, tables=told)

    def write_gold(self, rows: GoldRows | OnDriver) -> None:
        """Write every table whose needs are met; the others are left as they are."""
        with ThreadPoolExecutor(len(GOLD)) as pool:
            writes = [
                pool.submit(gold_writes.write, self.lake, table, rows) for table in GOLD if table.needs(self.champions)
            ]
            for write in writes:
                write.result()

    def tell_changes(self, now: datetime) -> None:
        """Say in gold.changes what gold has changed."""
        self.changes.tell(self._places, now)

    def _places(self, actor_ids: Collection[str]) -> Mapping[str, str]:
        return _profile_of(places(self.identity.index, actor_ids))


def _profile_of(placed: pd.DataFrame) -> dict[str, str]:
    """By actor."""
    return dict(zip(placed["actor_id"].tolist(), placed["profile_id"].tolist(), strict=True))


def _new(leaves: DataFrame | pa.Table, once: Transaction, record: BatchRecord) -> _New:
    """What the leaf rows bring, their counts noted. Of many one job, which makes the rows."""
    lists = sorted({name for table in LEAF for name in table.sent_in})
    told = (*GRAPH_COLUMNS, "last_at")
    if isinstance(leaves, pa.Table):
        here = pa.table({name: leaves[name] for name in told} | {n: pc.list_value_length(leaves[n]) for n in lists})
    else:
        here = leaves.select(*told, *(F.size(name).alias(name) for name in lists)).toArrow()
    record.leaf_rows = here.num_rows
    record.sent = {name: pc.sum(here[name]).as_py() or 0 for name in lists}
    return _New(leaves, once, here)


def _rows_of(lake: Lake, table: LeafTable, actors: Collection[str]) -> pa.Table:
    """The rows of few actors."""
    if table.look_up is not None and lake.uses_delta_rs:
        return table.look_up(lake, actors)
    return lake.rows_with(table, "actor_id", actors, columns=_COLUMNS.get(table))


def _text(rows: pd.DataFrame) -> pa.Table:
    """Rows of text columns only, however many."""
    return pa.table({name: pa.array(rows[name].tolist(), pa.string()) for name in rows.columns})


def models_applied(lake: Lake) -> dict[str, str]:
    """Versions that gold holds, by model; a model is left out where gold holds none or more than one version of it."""
    open_segments = lake.read(GOLD_SEGMENTS).where(F.col("valid_to").isNull())
    scores = lake.read(GOLD_SCORES)
    columns = {"segments": open_segments.select("model_version")}
    columns |= {score.model: scores.select(score.version_column) for score in SCORES if score.trained_by}
    versions = {model: column.distinct().limit(2).collect() for model, column in columns.items()}  # at most two rows
    return {model: rows[0][0] for model, rows in versions.items() if len(rows) == 1 and rows[0][0] is not None}
