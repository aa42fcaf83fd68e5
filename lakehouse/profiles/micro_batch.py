"""One micro-batch of the `profiles` query: leaf rows in, every silver and gold table of profiles up to date.

    leaf rows -> activity, orders, traits, identity   (independent of each other, written side by side)
              -> roll-up of the touched profiles      (one plan, cached)
              -> rfm, segments, scores, activation    (cut from it, written side by side)

Every value written is absolute and follows from the leaf rows and the stored tables, so a replay of the batch, whole or
after a crash between any two writes, changes nothing.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.contracts.profiles import (
    SILVER_ACTIVITY_DAILY,
    SILVER_IDENTITY_LOG,
    SILVER_IDENTITY_MAP,
    SILVER_ORDERS,
)
from lakehouse.identity.touched import Resolution
from lakehouse.io import Lake, differs
from lakehouse.models.features import features
from lakehouse.models.registry import Champions
from lakehouse.profiles import gold, rollup
from lakehouse.profiles.activity import activity_daily
from lakehouse.profiles.orders import merge_orders, orders
from lakehouse.profiles.resolution import resolve_batch
from lakehouse.profiles.traits import merge_traits, personal_traits

log = logging.getLogger("stitchlake.profiles")

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class BatchRecord:
    """What one micro-batch did: counts, seconds per stage, and when gold.activation was committed."""

    batch_id: int
    leaf_rows: int = 0
    orders: int = 0
    traits: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    committed_at: datetime | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)


class MicroBatch:
    """The body of foreachBatch. Keeps the newest event time and what it did; everything else is in the lake."""

    def __init__(self, lake: Lake, champions: Champions, *, clock: Clock = utc_now) -> None:
        self.lake = lake
        self.champions = champions
        self.clock = clock
        self.records: list[BatchRecord] = []
        self._as_of: datetime | None = None
        self._models_applied: tuple[str | None, str | None] | None = None

    def __call__(self, leaves: DataFrame, batch_id: int) -> None:
        record = BatchRecord(batch_id)
        leaves = leaves.persist()
        try:
            with record.stage("total"):
                self._run(leaves, record)
        finally:
            leaves.unpersist()
        self.records.append(record)
        line = {"batch_id": batch_id, "leaf_rows": record.leaf_rows, "orders": record.orders, **record.seconds}
        log.info(json.dumps(line))

    def _run(self, leaves: DataFrame, record: BatchRecord) -> None:
        now = self.clock()
        with record.stage("leaf"):
            newest = self._count(leaves, record)
        with record.stage("models"):
            everyone = self._models_moved()
        if record.leaf_rows == 0 and not everyone:
            return
        with record.stage("silver"):
            resolution = self._write_silver(leaves, record, now)
        as_of = self.newest_event(newest)
        if as_of is None:
            return
        with record.stage("rollup"):
            touched = self._everyone() if everyone else self._touched(leaves, record)
            touched = touched.union(self._regrouped(resolution, record.batch_id)).distinct()
            rows = self.rows(touched.withColumn("as_of", F.lit(as_of)), now).persist()
            rows.count()
        with record.stage("gold"):
            self.write_gold(rows, now)
        rows.unpersist()
        record.committed_at = self.clock()
        self._models_applied = self.champions.versions

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
            self._models_applied = gold.models_applied(self.lake)
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

    def _write_silver(self, leaves: DataFrame, record: BatchRecord, now: datetime) -> Resolution | None:
        if record.leaf_rows == 0:
            return None
        rules = self.lake.config.identity.rules
        daily = activity_daily(leaves)
        changed = differs(name for name in SILVER_ACTIVITY_DAILY.column_names if name != "actor_id")
        with ThreadPoolExecutor(3) as pool:
            writes = [pool.submit(self.lake.upsert, daily, SILVER_ACTIVITY_DAILY, update_when=changed)]
            if record.orders:
                writes.append(pool.submit(merge_orders, self.lake, orders(leaves)))
            if record.traits:
                writes.append(pool.submit(merge_traits, self.lake, personal_traits(leaves)))
            application, batch_id = _application(leaves), record.batch_id
            resolution = resolve_batch(self.lake, leaves, rules, application=application, batch_id=batch_id, now=now)
            for write in writes:
                write.result()
        return resolution

    def _everyone(self) -> DataFrame:
        return self.lake.read(SILVER_IDENTITY_MAP).select("profile_id")

    def _touched(self, leaves: DataFrame, record: BatchRecord) -> DataFrame:
        """Profiles whose figures the batch may have changed: of its actors and of its orders' actors."""
        identity_map = self.lake.read(SILVER_IDENTITY_MAP)
        touched_actors = leaves.select("actor_id")
        if record.orders:
            facts = F.concat(
                F.transform("orders", lambda o: o["order_id"]), F.transform("refunds", lambda o: o["order_id"])
            )
            order_ids = leaves.select(F.explode(facts).alias("order_id"))
            stored = self.lake.read(SILVER_ORDERS).join(order_ids, on="order_id", how="left_semi")
            buyers = stored.select(F.explode("completions.actor_id").alias("actor_id"))
            touched_actors = touched_actors.union(buyers)
        return identity_map.join(touched_actors, on="actor_id", how="left_semi").select("profile_id")

    def _regrouped(self, resolution: Resolution | None, batch_id: int) -> DataFrame:
        """Profiles that lost or won actors in this batch.

        The first batch after a start may be the replay of one that crashed after its map was written: then the log, not
        the difference to the map, still knows who moved.
        """
        if not self.records:
            changes = self.lake.read(SILVER_IDENTITY_LOG).where(F.col("batch_id") == batch_id)
        elif resolution is not None and len(resolution.log_rows):
            moves = resolution.log_rows[["from_profile_id", "to_profile_id"]]
            changes = self.lake.spark.createDataFrame(moves, "from_profile_id string, to_profile_id string")
        else:
            changes = self.lake.spark.createDataFrame([], "from_profile_id string, to_profile_id string")
        both = changes.select(F.explode(F.array("from_profile_id", "to_profile_id")).alias("profile_id"))
        return both.where(F.col("profile_id").isNotNull())

    def rows(self, touched: DataFrame, now: datetime) -> DataFrame:
        """Wide rows of the touched profiles (profile_id, as_of), from the silver tables as they stand."""
        return wide_rows(
            touched,
            activity=self.lake.read(SILVER_ACTIVITY_DAILY),
            orders=self.lake.read(SILVER_ORDERS),
            identity_map=self.lake.read(SILVER_IDENTITY_MAP),
            champions=self.champions,
            lake=self.lake,
            now=now,
        )

    def write_gold(self, rows: DataFrame, now: datetime) -> None:
        with ThreadPoolExecutor(3) as pool:
            writes = [
                pool.submit(gold.write_activation, self.lake, rows),
                pool.submit(gold.write_rfm, self.lake, rows),
            ]
            if self.champions.segments is not None:
                writes.append(pool.submit(gold.write_segments, self.lake, rows, now))
            if self.champions.scores is not None:
                writes.append(pool.submit(gold.write_scores, self.lake, rows))
            for write in writes:
                write.result()


def _application(leaves: DataFrame) -> str:
    """Name of the writer in Delta's idempotent appends: a new checkpoint is a new query, and counts batches from 0 again."""
    query = leaves.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId")
    return f"profiles:{query}"


def wide_rows(
    touched: DataFrame,
    *,
    activity: DataFrame,
    orders: DataFrame,
    identity_map: DataFrame,
    champions: Champions,
    lake: Lake,
    now: datetime,
) -> DataFrame:
    """Roll the leaf tables up to the touched profiles and let the champions speak of them."""
    members = identity_map.join(touched, on="profile_id", how="inner").select("actor_id", "profile_id")
    daily = rollup.profile_activity(activity, members)
    bought = rollup.profile_orders(orders, members)
    rfm = rollup.rfm(bought)
    segments = champions.segments.assign(rfm) if champions.segments else None
    scores = champions.scores.score(features(daily, bought, touched)) if champions.scores else None
    policy = lake.config.next_best_action
    return gold.wide(touched, rollup.summary(daily), rfm, segments, scores, policy=policy, now=now)
