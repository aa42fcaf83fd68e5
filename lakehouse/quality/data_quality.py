"""ops.data_quality, kept by the driver that has the rows; a query stopped by what an expectation says.

Counts are added up for a window, so that the table gets one commit in it, not one in each micro-batch. A crash loses the open window's.
That the table cannot be written or read is told in the log and fails no query: only what rows are like may.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.config import QualityConfig
from lakehouse.errors import QualityError
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.quality import volume
from lakehouse.quality.counts import Counts
from lakehouse.quality.windows import VOLUME, Verdict, Window
from lakehouse.tables.contract import Table
from lakehouse.tables.expectation import Action
from lakehouse.tables.quality import OPS_DATA_QUALITY

log = logging.getLogger("stitchlake.quality")
Tell = Callable[[str, str, float | None, bool | None], None]
"""Table, expectation, share, whether it is met."""


def nothing_told(_: str, __: str, ___: float | None, ____: bool | None) -> None:
    """Of whoever asks nobody to watch."""


class DataQuality:
    """Of one lake. Thread-safe. `stopped`: why the query may not go on; None = it may.

    `tables`: those whose rows are counted by the hour, if they have a volume. `tell`: is told of every verdict.
    """

    def __init__(
        self,
        lake: Lake,
        config: QualityConfig,
        *,
        tables: Iterable[Table],
        clock: Callable[[], datetime],
        tell: Tell = nothing_told,
    ) -> None:
        self.stopped: QualityError | None = None
        self._lake = lake
        self._config = config
        self._clock = clock
        self._tell = tell
        self._open: dict[str, Window] = {}
        self._volumes = {table: table.volume for table in tables if table.volume is not None}
        self._hour = volume.start_of_hour(clock()) + volume.HOUR  # the first that is watched from its beginning
        self._broken: set[tuple[str, str]] = set()
        self._one_at_a_time = Lock()

    def check(self) -> None:
        """Before anything is done.

        Raises:
            QualityError: an expectation has stopped the query.
        """
        if self.stopped is not None:
            raise self.stopped

    def took(self, table: Table, counts: Counts) -> None:
        """Rows of a micro-batch that are about to be written.

        Raises:
            QualityError: they must not be: with them the window breaks an expectation that stops the query.
        """
        with self._one_at_a_time:
            now = self._clock()
            window = self._open.setdefault(table.name, Window(table, now, now))
            window.add(counts, now)
            for verdict in window.verdicts():
                if verdict.is_met is False and verdict.expectation.action is Action.STOP and self._config.may_stop:
                    self._close(now)
                    self.stopped = _stopped(verdict)
                    raise self.stopped

    def settle(self, window_seconds: int) -> None:
        """Between micro-batches, and while none comes: what is open for so long is judged and written, and the hour that is over."""
        with self._one_at_a_time:
            now = self._clock()
            first = min((window.start for window in self._open.values()), default=None)
            if first is not None and now - first >= timedelta(seconds=window_seconds):
                self._close(now)
            if now >= self._hour + volume.HOUR:
                self._close(now)
                self._judge_hour(now)

    def _close(self, now: datetime) -> None:
        windows, self._open = self._open, {}
        for window in windows.values():
            for verdict in window.verdicts():
                self._judged(window.table.name, verdict.expectation.name, verdict.share, verdict.is_met)
        self._write(row for window in windows.values() for row in window.told(now))

    def _judge_hour(self, now: datetime) -> None:
        """Of several hours that went by unseen, the last."""
        hour, self._hour = volume.start_of_hour(now) - volume.HOUR, volume.start_of_hour(now)
        try:
            stored = self._lake.rows_with(OPS_DATA_QUALITY, "expectation", [VOLUME])
            self._lake.delete_before(OPS_DATA_QUALITY, "window_start", now - timedelta(days=self._config.keep_days))
        except Exception:
            log.exception("ops.data_quality: not read, the hour from %s is not judged", hour)
            return
        rows = []
        for table, expected in self._volumes.items():
            of_table = stored.filter(pc.equal(stored["table_name"], table.name))
            row = volume.judged(table, expected, of_table, hour, now)
            self._judged(table.name, volume.HOURLY, row["share"], row["is_met"])
            rows.append(row)
        self._write(rows)

    def _judged(self, table: str, name: str, share: float | None, is_met: bool | None) -> None:
        """Tell of it; the log only when it turns."""
        self._tell(table, name, share, is_met)
        known = (table, name)
        if is_met is False and known not in self._broken:
            self._broken.add(known)
            log.warning("%s: expectation %s is broken, got a share of %.4f. See ops.data_quality", table, name, share)
        elif is_met and known in self._broken:
            self._broken.remove(known)
            log.warning("%s: expectation %s is met again", table, name)

    def _write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        told = pa.Table.from_pylist(list(rows), schema=arrow_schema(OPS_DATA_QUALITY))
        try:
            self._lake.add(told, OPS_DATA_QUALITY)
        except Exception:
            log.exception("ops.data_quality: %d rows were not written", told.num_rows)


def _stopped(verdict: Verdict) -> QualityError:
    expected = verdict.expectation
    return QualityError(
        f"{verdict.table.name}: expectation {expected.name} is broken by {verdict.broken} of {verdict.rows} rows, expected "
        f"{expected.text} but for a share of {expected.most}. See ops.data_quality and whoever sends them; "
        "STITCHLAKE__QUALITY__MAY_STOP=false lets them in"
    )
