"""Commits and files of the lake's tables. Opening a table costs milliseconds, so it is done when somebody asks, and not often."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lakehouse.lake.delta import Lake
from lakehouse.lake.delta_rs import Size
from lakehouse.tables.contract import Table

KEPT_SECONDS = 300.0
_TOLD: dict[str, tuple[str, Callable[[Size], int]]] = {
    "stitchlake_table_version": ("commits of the table since it was made", lambda size: size.version),
    "stitchlake_table_log_files": ("commits that wait for their checkpoint's clean-up", lambda size: size.log_files),
    "stitchlake_table_files": ("files that hold the table", lambda size: size.files),
}


class TableSizes(Collector):
    """Of a lake on this machine; of another there are none. What was looked up is told for KEPT_SECONDS, once all are there."""

    def __init__(self, lake: Lake, tables: Iterable[Table], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lake = lake
        self._tables: Sequence[Table] = tuple(tables)
        self._clock = clock
        self._sizes: dict[str, Size] = {}
        self._due = clock()
        self._one_at_a_time = Lock()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Called by whoever asks for the metrics."""
        with self._one_at_a_time:
            if self._clock() >= self._due:
                found = ((table.name, self._lake.size(table)) for table in self._tables)
                self._sizes = {name: size for name, size in found if size is not None}
                is_whole = len(self._sizes) == len(
                    self._tables
                )  # at its first start a driver is asked before it has made them
                self._due = self._clock() + (KEPT_SECONDS if is_whole else 0.0)
            sizes = self._sizes
        for metric, (text, of) in _TOLD.items():
            family = GaugeMetricFamily(metric, text, labels=["table"])
            for name, size in sizes.items():
                family.add_metric([name], of(size))
            yield family
