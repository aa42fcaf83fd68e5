"""One micro-batch of the `profiles` query: leaf rows in, every silver and gold table of profiles up to date.

    leaf rows -> activity, orders, traits, identity   (independent of each other, written side by side)
              -> roll-up of the touched profiles      (one plan, cached)
              -> the online store                     (where there is one)
              -> rfm, segments, scores, activation    (cut from it, written side by side)

Every value written is absolute and follows from the leaf rows and the stored tables, so a replay of the batch, whole or
after a crash between any two writes, changes nothing.
"""

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Lock

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.identity.reach import members, places
from lakehouse.lake.delta import Lake, differs
from lakehouse.models.registry import Champions
from lakehouse.online.content import pieces
from lakehouse.online.micro_batch import OnlineStep
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.gold import writes
from lakehouse.profiles.gold.wide import wide_rows
from lakehouse.profiles.silver.activity_daily import activity_daily
from lakehouse.profiles.silver.orders import merge_orders, orders
from lakehouse.profiles.silver.personal_traits import merge_traits, personal_traits
from lakehouse.profiles.stitching.graph_facts import facts_of
from lakehouse.profiles.stitching.resolution import IdentityStep
from lakehouse.tables.silver import SILVER_ACTIVITY_DAILY, SILVER_IDENTITY_MAP, SILVER_ORDERS

log = logging.getLogger("stitchlake.profiles")

Clock = Callable[[], datetime]
UTC_TIME = pa.timestamp("us", tz="UTC")


def utc_now() -> datetime:
    return datetime.now(UTC)


class MicroBatch:
    """The body of foreachBatch. Keeps the newest event time and what it did; everything else is in the lake.

    `online`: None = there is no online store to keep.
    """

    def __init__(
        self, lake: Lake, champions: Champions, *, clock: Clock = utc_now, online: OnlineStep | None = None
    ) -> None:
        self.lake = lake
        self.champions = champions
        self.clock = clock
        self.online = online
        self.identity = IdentityStep(lake)
        self.records: list[BatchRecord] = []
        self._as_of: datetime | None = None
        self._models_applied: tuple[str | None, str | None] | None = None
        self._one_at_a_time = Lock()

    def __call__(self, leaves: DataFrame, batch_id: int) -> None:
        leaves = leaves.persist()
        try:
            with self._one_at_a_time:
                self._record(leaves, BatchRecord(batch_id))
        finally:
            leaves.unpersist()

    def catch_up(self) -> None:
        """Do what is due although no event came: overrides asked for, a new model, rules that changed, a crash's rest."""
        with self._one_at_a_time:
            if self._is_due():
                self._record(None, BatchRecord(self.identity.batch_id_without_batch))

    def _is_due(self) -> bool:
        moved = self._models_moved()
        return moved or self._is_due_as_it_is()

    def _is_due_as_it_is(self) -> bool:
        return self.identity.is_due(self.champions.matcher) or (self.online is not None and self.online.is_due)

    def _record(self, leaves: DataFrame | None, record: BatchRecord) -> None:
        with record.stage("total"):
            self._run(leaves, record)
        self.records.append(record)
        line = {"batch_id": record.batch_id, "leaf_rows": record.leaf_rows, "orders": record.orders, **record.seconds}
        log.info(json.dumps(line))

    def _run(self, leaves: DataFrame | None, record: BatchRecord) -> None:
        now = self.clock()
        with record.stage("leaf"):
            newest = None if leaves is None else self._count(leaves, record)
        with record.stage("models"):
            everyone = self._models_moved()
        if record.leaf_rows == 0 and not everyone and not self._is_due_as_it_is():
            return
        with record.stage("silver"):
            profiles = self._write_silver(leaves if record.leaf_rows else None, record, now)
        if self.online is not None:
            with record.stage("online_fill"):
                profiles |= self.online.catch_up(self.identity.index, now)
        as_of = self.newest_event(newest)
        if as_of is None:
            return
        with record.stage("rollup"):
            if everyone:
                rows = self.rows(self._everyone(profiles), as_of, now).localCheckpoint()
            else:
                actors = self.lake.frame(_text(members(self.identity.index, profiles)))
                few = self.rows(self._few(profiles), as_of, now, few_members=actors).toArrow()
                rows = self.lake.frame(few)
        if self.online is not None:
            with record.stage("online"):
                if self.online.put(pieces(rows) if everyone else iter([few]), self.identity.index, now):
                    record.online_at = self.clock()
        with record.stage("gold"):
            self.write_gold(rows, now)
        self.identity.settle()
        record.committed_at = self.clock()
        self._models_applied = self.champions.versions
        if self.online is not None:
            self.online.settle(now)

    def _count(self, leaves: DataFrame, record: BatchRecord) -> datetime | None:
        row = leaves.agg(
            F.count(F.lit(1)).alias("leaf_rows"),
            F.coalesce(F.sum(F.size("orders") + F.size("refunds")), F.lit(0)).alias("orders"),
            F.coalesce(F.sum(F.size("traits")), F.lit(0)).alias("traits"),
            F.max("last_at").alias("newest"),
        ).first()
        assert row is not None
        record.leaf_rows, record.orders, record.traits = row["leaf_rows"], row["orders"], row["traits"]
        newest: datetime | None = row["newest"]
        return newest

    def _models_moved(self) -> bool:
        """Whether some champion is newer than what gold holds: then every profile is due."""
        self.champions.refresh()
        if self._models_applied is None:
            self._models_applied = writes.models_applied(self.lake)
        return any(
            now is not None and now != old
            for now, old in zip(self.champions.versions, self._models_applied, strict=True)
        )

    def newest_event(self, newest: datetime | None = None) -> datetime | None:
        """The lake's event-time clock: the newest event any profile has seen, kept across restarts by the table."""
        if self._as_of is None:
            row = self.lake.read(SILVER_ACTIVITY_DAILY).agg(F.max("last_at")).first()
            self._as_of = row[0] if row else None
        known = [time for time in (self._as_of, newest) if time is not None]
        self._as_of = max(known, default=None)
        return self._as_of

    def _write_silver(self, leaves: DataFrame | None, record: BatchRecord, now: datetime) -> set[str]:
        """Write the silver tables; the profiles whose figures the batch may have changed."""
        if leaves is None:
            return self._resolve(None, record, now, described=[])
        changed = differs(name for name in SILVER_ACTIVITY_DAILY.column_names if name != "actor_id")
        with ThreadPoolExecutor(3) as pool:
            rows = activity_daily(leaves)
            daily = pool.submit(self.lake.upsert, rows, SILVER_ACTIVITY_DAILY, update_when=changed)
            bought = pool.submit(merge_orders, self.lake, orders(leaves)) if record.orders else None
            traits = pool.submit(merge_traits, self.lake, personal_traits(leaves)) if record.traits else None
            described: list[str] = []
            if traits is not None and self.champions.matcher is not None:
                traits.result()  # matching reads what is stored
                described = self._described(leaves)
            profiles = self._resolve(leaves, record, now, described)
            for write in (daily, traits):
                if write is not None:
                    write.result()
            # Whoever had bought the batch's orders before: a refund may come from anybody.
            buyers = set() if bought is None else bought.result()
            return profiles | set(places(self.identity.index, buyers)["profile_id"])

    def _resolve(self, leaves: DataFrame | None, record: BatchRecord, now: datetime, described: list[str]) -> set[str]:
        matcher, batch_id = self.champions.matcher, record.batch_id
        return self.identity.resolve_batch(
            facts_of(leaves), batch_id=batch_id, now=now, matcher=matcher, described=described
        )

    def _described(self, leaves: DataFrame) -> list[str]:
        """The actors whose traits the batch brings."""
        actors = leaves.where(F.size("traits") > 0).select("actor_id").distinct()
        found: list[str] = actors.toArrow()["actor_id"].to_pylist()
        return found

    def _few(self, profiles: set[str]) -> DataFrame:
        return self.lake.frame(_text(pd.DataFrame({"profile_id": sorted(profiles)})))

    def _everyone(self, vanished: set[str]) -> DataFrame:
        return self.lake.read(SILVER_IDENTITY_MAP).select("profile_id").union(self._few(vanished)).distinct()

    def rows(
        self, touched: DataFrame, as_of: datetime, now: datetime, *, few_members: DataFrame | None = None
    ) -> DataFrame:
        """Wide rows of the touched profiles (profile_id), from the silver tables as they stand.

        `few_members`: actor_id and profile_id of all their actors, when they fit into memory, so that no table is sorted
        to find them.
        """
        members = few_members
        if members is None:
            members = (
                self.lake.read(SILVER_IDENTITY_MAP).join(touched, on="profile_id").select("actor_id", "profile_id")
            )
        # Times are joined, not written into the plan: a plan with another literal in it is compiled again.
        times = pa.table({"as_of": pa.array([as_of], UTC_TIME), "updated_at": pa.array([now], UTC_TIME)})
        return wide_rows(
            touched.crossJoin(F.broadcast(self.lake.frame(times))),
            members if few_members is None else F.broadcast(members),
            activity=self.lake.read(SILVER_ACTIVITY_DAILY),
            orders=self.lake.read(SILVER_ORDERS),
            champions=self.champions,
            policy=self.lake.config.next_best_action,
            consent=self.lake.config.consent,
            with_purchases=self.online is not None,
        )

    def write_gold(self, rows: DataFrame, now: datetime) -> None:
        with ThreadPoolExecutor(3) as pool:
            written = [
                pool.submit(writes.write_activation, self.lake, rows),
                pool.submit(writes.write_rfm, self.lake, rows),
            ]
            if self.champions.segments is not None:
                written.append(pool.submit(writes.write_segments, self.lake, rows, now))
            if self.champions.scores is not None:
                written.append(pool.submit(writes.write_scores, self.lake, rows))
            for write in written:
                write.result()


def _text(rows: pd.DataFrame) -> pa.Table:
    """Rows of text columns only, however many."""
    return pa.table({name: pa.array(rows[name].tolist(), pa.string()) for name in rows.columns})
