"""Writing a rebuild: all of it (rebuild), or only the rows that differ (reconcile)."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.identity.changes import changes
from lakehouse.lake.delta import Lake, arrow
from lakehouse.profiles import gold_writes
from lakehouse.profiles.change_log import ChangeLog
from lakehouse.profiles.differences import Difference, compare, repairs, summarise
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.rebuild import Rebuilt
from lakehouse.profiles.stitching import rule_changes
from lakehouse.profiles.stitching.history_table import compare_history, history_of, history_repairs, summarise_history
from lakehouse.profiles.stitching.identity_tables import flagged
from lakehouse.profiles.tables import HANDED
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_LOG, SILVER_IDENTITY_MAP


def overwrite(lake: Lake, rebuilt: Rebuilt, *, now: datetime) -> None:
    """Replace every table of profiles; the identity log grows by what changed, a table with validity keeps its history."""
    now = _after_all(lake, now)
    _log_changes(lake, rebuilt.silver[SILVER_IDENTITY_MAP], now)
    for table, frame in rebuilt.silver.items():
        lake.overwrite(frame, table)
    lake.overwrite(lake.frame(arrow(history_of(lake), SILVER_IDENTITY_HISTORY)), SILVER_IDENTITY_HISTORY)
    _record_rules(lake, now)
    gold = rebuilt.gold
    for gold_table, rows in gold.tables.items():
        if gold_table.has_history:
            stored = lake.read(gold_table).select("profile_id")
            everybody = gold.profiles.select("profile_id").union(stored).distinct()
            gold_writes.write(lake, gold_table, rows, everybody, gold.now)
        else:
            lake.overwrite(gold_writes.stamped(gold_table, rows, gold.now), gold_table)
    ChangeLog(lake).tell(partial(_places, lake), now)


def reconcile(lake: Lake, rebuilt: Rebuilt, micro_batch: MicroBatch, *, now: datetime) -> list[Difference]:
    """Repair exactly the rows that differ and roll up the profiles they belong to; what was repaired, per table.

    Gold is held to its rebuild by itself: a repair that died between silver and gold left gold stale.
    """
    now = _after_all(lake, now)
    wrong: dict[Table, DataFrame] = {}
    differences = []
    for table, expected in rebuilt.silver.items():
        # Checkpointed, not persisted: a write to a Delta table recomputes every cached frame that has read it.
        compared = compare(table, lake.read(table), expected).localCheckpoint()
        wrong[table] = repairs(compared)
        differences.append(summarise(table, compared))
    stale = lake.read(SILVER_IDENTITY_MAP).select("profile_id").limit(0)
    for gold_table, expected in rebuilt.gold.tables.items():
        compared = compare(gold_table, lake.read(gold_table), expected).localCheckpoint()
        stale = stale.union(repairs(compared).select("profile_id"))
        differences.append(summarise(gold_table, compared))
    touched = _touched(lake, wrong).union(stale).distinct().localCheckpoint()
    _log_changes(lake, rebuilt.silver[SILVER_IDENTITY_MAP], now)
    for table, frame in wrong.items():
        rows = frame.withColumn("resolved_at", F.lit(now)) if table == SILVER_IDENTITY_MAP else frame
        lake.upsert(rows, table, deletes=True)
    of_history = compare_history(lake, history_of(lake))
    differences.append(summarise_history(of_history))
    lake.upsert(flagged(history_repairs(of_history), SILVER_IDENTITY_HISTORY), SILVER_IDENTITY_HISTORY, deletes=True)
    _record_rules(lake, now)
    micro_batch.champions.refresh()
    as_of = micro_batch.newest_event()
    if as_of is not None:
        micro_batch.write_gold(micro_batch.rows_of(touched, as_of, now))
        micro_batch.tell_changes(now)
    return differences


def _places(lake: Lake, actor_ids: Collection[str]) -> Mapping[str, str]:
    found = lake.rows_with(SILVER_IDENTITY_MAP, "actor_id", actor_ids)
    return dict(zip(found["actor_id"].to_pylist(), found["profile_id"].to_pylist(), strict=True))


def _touched(lake: Lake, wrong: dict[Table, DataFrame]) -> DataFrame:
    """Profiles, as they were and as they will be, of every actor whose leaf rows or place in the graph differ."""
    stored = lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id")
    regrouped = wrong[SILVER_IDENTITY_MAP].select("actor_id", "profile_id")
    actors = regrouped.select("actor_id")
    for table in HANDED:
        before = lake.read(table).join(wrong[table], on=list(table.key), how="left_semi")
        actors = actors.union(wrong[table].select("actor_id")).union(before.select("actor_id"))
    profiles = stored.join(actors, on="actor_id", how="left_semi").select("profile_id")
    return profiles.union(regrouped.select("profile_id")).where(F.col("profile_id").isNotNull()).distinct()


def _after_all(lake: Lake, now: datetime) -> datetime:
    """`now`, but after every change there has been: the log is folded, and history cut, by time."""
    row = lake.read(SILVER_IDENTITY_LOG).agg(F.max("changed_at").alias("newest")).first()
    newest = None if row is None or row["newest"] is None else row["newest"].replace(tzinfo=UTC)
    return now if newest is None else max(now, newest + timedelta(microseconds=1))


def _record_rules(lake: Lake, now: datetime) -> None:
    if rule_changes.are_new(lake, rule_changes.applied(lake)):
        rule_changes.record(lake, now)


def _log_changes(lake: Lake, expected: DataFrame, now: datetime) -> None:
    """Collects the whole map: repairs are rare and offline. Their batch_id is negative, no micro-batch has it."""
    before = lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id").toPandas()
    moved = changes(
        before,
        expected.toPandas(),
        batch_id=-int(now.timestamp() * 1000),
        changed_at=now.astimezone(UTC).replace(tzinfo=None),
    )
    lake.add(arrow(moved, SILVER_IDENTITY_LOG), SILVER_IDENTITY_LOG)
