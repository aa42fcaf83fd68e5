"""One lake under fire: what was sent, the driver that works on it, and whether all of it is there once."""

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import functions as F

from batch.rebuild import check_declared
from lakehouse.config import Config
from lakehouse.feature_book.book import declared_features
from lakehouse.feature_book.kept_features import marked
from lakehouse.features.definition import Features
from lakehouse.identity.index import Index
from lakehouse.kafka.produce import produce
from lakehouse.lake import local_index
from lakehouse.lake.delta import Lake
from lakehouse.machine import wait_until
from lakehouse.online.content import differences, stands_for
from lakehouse.online.engines import open_store, store_url
from lakehouse.online.store import OnlineStore
from lakehouse.online.store_state import in_flight, state_of
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.profiles.stitching.identity_tables import stamp
from lakehouse.queries import bronze_events, events
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS
from tests.faults.driver_process import DriverProcess
from tests.faults.load import Load

PATIENCE_SECONDS = 600.0
QUERIES = (events.NAME, bronze_events.NAME)
_WRONG_ONLINE = ("missing", "different", "strangers", "wrong_identifiers")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong once all that was sent is taken in. lost, doubled: records of bronze and events of silver, and orders at the end.

    differences: rows of `rebuild --check`. online: documents of the online store that gold says otherwise.
    """

    lost: int
    doubled: int
    differences: int
    online: int

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.differences or self.online)


class Trial:
    """Of one lake and topic. `records`: of a micro-batch. `environ`: of its drivers, beside what names the lake."""

    def __init__(self, lake: Lake, load: Load, records: int, environ: Mapping[str, str] | None = None) -> None:
        self.lake = lake
        self.load = load
        self._records = records
        self._environ = environ
        self._produced = 0
        self._drivers: list[DriverProcess] = []

    @property
    def config(self) -> Config:
        return self.lake.config

    def start(self, *arguments: str) -> DriverProcess:
        driver = DriverProcess(self.config, self._records, *arguments, environ=self._environ)
        self._drivers.append(driver)
        return driver

    def kill_drivers(self) -> None:
        """Those that still live: a fault that went wrong left them, and they hold the lake."""
        for driver in self._drivers:
            if driver.is_alive:
                driver.kill()

    def send(self, messages: int, *, per_second: float | None = None) -> None:
        """So many of the shop's messages, and what comes along. At the end of the load fewer.

        Raises:
            AssertionError: the load is used up: a fault under no load shows nothing.
        """
        assert not self.load.is_whole, f"--events: got {self.load.events}, all of them are sent. Give more."
        kafka = self.config.kafka
        self._produced += produce(
            self.load.take(messages),
            kafka,
            kafka.events_topic,
            on_progress=lambda n: None,
            per_second=per_second,
        )

    @contextlib.contextmanager
    def under_load(self, messages: int, per_second: float) -> Iterator[None]:
        """While the body runs messages are sent on schedule; it ends when all of them are."""
        with ThreadPoolExecutor(1) as beside:
            sending = beside.submit(self.send, messages, per_second=per_second)
            yield
            sending.result()

    def micro_batches(self) -> int:
        """How many the query of events has finished."""
        return len(self._committed(events.NAME))

    def is_drained(self) -> bool:
        return all(self._taken(query) == self._produced for query in QUERIES)

    def drain(self, driver: DriverProcess, patience_seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait until all is taken in, or the driver is gone; whether it is taken in."""
        wait_until(lambda: self.is_drained() or not driver.is_alive, patience_seconds)
        return self.is_drained()

    def settle(self) -> DriverProcess:
        """A driver that has taken in all that was sent, and idles.

        Raises:
            AssertionError: it did not; the end of its log.
        """
        driver = self.start()
        wait_until(lambda: driver.is_ready or not driver.is_alive, PATIENCE_SECONDS)
        assert self.drain(driver), driver.last_words()
        return driver

    def finding(self) -> Finding:
        """While nothing is written."""
        bronze, silver = self.lake.read(BRONZE_EVENTS), self.lake.read(SILVER_EVENTS)
        records, places = bronze.count(), bronze.select(*BRONZE_EVENTS.key).distinct().count()
        ids = silver.select("message_id").toArrow()["message_id"].to_pylist()
        lost = self._produced - places + len(self.load.accepted - set(ids))
        doubled = records - places + len(ids) - len(set(ids)) + len(set(ids) - self.load.accepted)
        if self.load.is_whole:
            (orders, cents), (counted, revenue) = self.load.orders(), self._orders()
            lost, doubled = lost + max(0, orders - counted), doubled + max(0, counted - orders)
            lost, doubled = lost + (revenue < cents), doubled + (revenue > cents)
        with contextlib.redirect_stdout(io.StringIO()) as told:
            differing = check_declared(self.lake)
        if differing:
            print(told.getvalue())
        return Finding(lost=lost, doubled=doubled, differences=differing, online=self._online())

    def _orders(self) -> tuple[int, int]:
        row = self.lake.read(GOLD_RFM).agg(F.sum("frequency"), F.sum("monetary")).first()
        assert row is not None
        return int(row[0] or 0), round((row[1] or 0) * 100)

    def _online(self) -> int:
        """Looks into the driver's index, which must stand for the tables as they are."""
        with local_index.looked_into(local_index.folder_of(self.lake.root, "identity"), Index) as index:
            assert index is not None
            assert index.stamp == stamp(self.lake), "the index of the graph is of other tables"
            with contextlib.closing(open_store(store_url(self.config), timeout_ms=5000)) as store:
                wait_until(lambda: self._stands_for_gold(store), PATIENCE_SECONDS)
                found = differences(store, self.lake, index, self._features())
        return sum(found[fault] for fault in _WRONG_ONLINE)

    def _stands_for_gold(self, store: OnlineStore) -> bool:
        """What it did not take it gets in the next idle second."""
        return state_of(store).gold == stands_for(self.lake, self._features()) and in_flight(store) == set()

    def _features(self) -> Features:
        return marked(self.lake, declared_features(self.config))

    def _committed(self, query: str) -> list[int]:
        folder = Path(self.lake.checkpoint(query)) / "commits"
        return sorted(int(path.name) for path in folder.glob("[0-9]*")) if folder.is_dir() else []

    def _taken(self, query: str) -> int:
        """Records of the topic up to the last finished micro-batch."""
        committed = self._committed(query)
        if not committed:
            return 0
        path = Path(self.lake.checkpoint(query)) / "offsets" / str(committed[-1])
        offsets = json.loads(path.read_text().splitlines()[-1])
        return sum(offsets[self.config.kafka.events_topic].values())
