"""Writing a rebuild: every table of profiles replaced by what follows from silver."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.identity.changes import changes
from lakehouse.lake.delta import Lake, arrow
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles import gold_writes
from lakehouse.profiles.applied_models import note_correction
from lakehouse.profiles.change_log import ChangeLog
from lakehouse.profiles.rebuild import Rebuilt
from lakehouse.profiles.stitching import rule_changes
from lakehouse.profiles.stitching.history_table import history_of
from lakehouse.tables.identity import SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_LOG, SILVER_IDENTITY_MAP


def overwrite(lake: Lake, rebuilt: Rebuilt, *, now: datetime, has: Transaction | None = None) -> None:
    """Replace every table of profiles; the identity log grows by what changed, a table with validity keeps its history.

    `has`: the batch that silver took in last. Where it died before it was counted, it must not be counted on top of this.
    """
    now = _after_all(lake, now)
    _log_changes(lake, rebuilt.silver[SILVER_IDENTITY_MAP], now)
    for table, frame in rebuilt.silver.items():
        lake.overwrite(frame, table, has=has)
    lake.overwrite(lake.frame(arrow(history_of(lake), SILVER_IDENTITY_HISTORY)), SILVER_IDENTITY_HISTORY)
    _record_rules(lake, now)
    gold = rebuilt.gold
    for gold_table, rows in gold.tables.items():
        if gold_table.has_history:
            stored = lake.read(gold_table).select("profile_id")
            everybody = gold.profiles.select("profile_id").union(stored).distinct()
            gold_writes.write(lake, gold_table, replace(gold, profiles=everybody))
        else:
            lake.overwrite(gold_writes.stamped(gold_table, rows, gold.now), gold_table)
    note_correction(lake)
    ChangeLog(lake).tell(partial(_places, lake), now)


def _places(lake: Lake, actor_ids: Collection[str]) -> Mapping[str, str]:
    found = lake.rows_with(SILVER_IDENTITY_MAP, "actor_id", actor_ids)
    return dict(zip(found["actor_id"].to_pylist(), found["profile_id"].to_pylist(), strict=True))


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
