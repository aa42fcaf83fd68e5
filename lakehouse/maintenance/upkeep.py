"""The maintenance of some tables of one lake, a little at a time: in the process that writes them, between its batches.

So there is never a second writer, and nothing is maintained while a batch is at it. A pause looks at one table, each in its turn, and
rewrites `maintenance.pause_megabytes` of it at most. It fails no batch: what it could not do the next turn does.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from threading import RLock

from lakehouse.lake.beginnings import begin, beginning, midnight
from lakehouse.lake.delta import Lake
from lakehouse.maintenance import local_table, spark_table
from lakehouse.maintenance.tended import Tended
from lakehouse.tables.contract import Table

log = logging.getLogger("stitchlake.maintenance")
SWEEP_EVERY = timedelta(minutes=5)  # a table's folder is gone through for what is to be deleted
SPARK_EVERY = timedelta(minutes=30)  # a look at a table costs Spark a job or two
_SOONEST = datetime.min.replace(tzinfo=UTC)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Upkeep:
    """See the module. Whoever writes the tables, or calls `pause`, holds `turn`. ages: whether rows go because of their age. agings: how often they did."""

    def __init__(
        self, lake: Lake, tables: Iterable[Table], *, clock: Callable[[], datetime] = utc_now, ages: bool = True
    ) -> None:
        self.turn = RLock()
        self.agings = 0
        self._ages = ages
        self._lake = lake
        self._tables = deque(tables)
        self._clock = clock
        self._due: dict[str, datetime] = {}  # when a table is swept next
        self._left: set[str] = set()  # tables of which it was said that small files are left
        self._pause_bytes = lake.config.maintenance.pause_megabytes * 2**20

    def pause(self) -> None:
        """Do what is due of the next table."""
        if self._tables and self._lake.config.maintenance.beside_streams:
            self._tables.rotate(-1)
            self._attempt(self._tables[-1], self._pause_bytes, deletes=self._lake.uses_delta_rs)

    def while_idle(self) -> None:
        """`pause`, unless somebody writes."""
        if self.turn.acquire(blocking=False):
            try:
                self.pause()
            finally:
                self.turn.release()

    def all(self, *, is_bounded: bool) -> list[Tended]:
        """Do what is due of every table; `is_bounded`: of each no more than in a pause. Tables that failed are left out, and logged."""
        most_bytes = self._pause_bytes if is_bounded else None
        attempts = [self._attempt(table, most_bytes, deletes=True) for table in self._tables]
        return [done for done in attempts if done is not None]

    def _attempt(self, table: Table, most_bytes: int | None, *, deletes: bool) -> Tended | None:
        try:
            done = self._tend(table, most_bytes, deletes=deletes)
        except Exception:  # of whatever kind: no batch fails for it
            log.exception("%s: maintenance failed; tried again in its next turn", table.name)
            return None
        if done.is_anything:
            log.info(json.dumps({"maintenance": asdict(done)}))
        if done.left and table.name not in self._left:
            self._left.add(table.name)
            log.warning(
                "%s: %d files are small and more than a pause may rewrite, expected maintenance.pause_megabytes = %d to do. Stop "
                "streaming and run ./spark-submit.sh batch/maintenance.py",
                table.name, done.left, self._lake.config.maintenance.pause_megabytes,
            )  # fmt: skip
        return done

    def _tend(self, table: Table, most_bytes: int | None, *, deletes: bool) -> Tended:
        """`deletes`: also what is no longer needed, for which Spark lists the whole folder of a table that may be large."""
        now = self._clock()
        is_due = now >= self._due.get(table.name, _SOONEST)
        here = self._lake.uses_delta_rs
        if here:
            done = self._here(table, most_bytes, now, sweeps=is_due)
        else:
            done = self._by_spark(table, now, deletes=deletes) if is_due else Tended(table=table.name)
        if is_due:
            self._due[table.name] = now + (min(SWEEP_EVERY, self._lake.retention.keep / 12) if here else SPARK_EVERY)
        return done

    def _here(self, table: Table, most_bytes: int | None, now: datetime, *, sweeps: bool) -> Tended:
        path, aged = self._lake.path(table), self._aged(table, now) if sweeps else 0
        compacted, left = local_table.compact(table, path, most_bytes=most_bytes)
        deleted = local_table.vacuum(path) if sweeps else 0
        trimmed = local_table.trim_log(path, self._lake.retention, now) if sweeps else 0
        return Tended(table=table.name, compacted=compacted, deleted=deleted, trimmed=trimmed, left=left, aged=aged)

    def _by_spark(self, table: Table, now: datetime, *, deletes: bool) -> Tended:
        aged = self._aged(table, now) if deletes else 0
        compacted = spark_table.compact(self._lake, table)
        if deletes:
            spark_table.vacuum(self._lake, table)
        return Tended(table=table.name, compacted=compacted, aged=aged)

    def _aged(self, table: Table, now: datetime) -> int:
        """How many rows went because they are older than they are kept. Once a day: what comes of before meanwhile goes the day after."""
        if table.ages is None or not self._ages:
            return 0
        lake, (column, key) = self._lake, table.ages
        days: int = getattr(lake.config.retention, key)
        if not days:
            return 0
        day = (now - timedelta(days=days)).date()
        known, before = beginning(lake, table), midnight(day)
        if (known is not None and known.day >= day) or not self._has_older(table, column, before):
            return 0
        begin(lake, table, column, day)
        self.agings += 1
        return lake.delete_before(table, column, before)

    def _has_older(self, table: Table, column: str, before: datetime) -> bool:
        if self._lake.uses_delta_rs:
            return local_table.has_older(self._lake.path(table), column, before)
        return spark_table.has_older(self._lake, table, column, before)
