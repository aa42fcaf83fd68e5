"""demo: the main job, end to end, on a fresh lake.

./spark-submit.sh demo [--source shop|cdnow|completejourney] [--events N]

Nine tenths of the events are sent while the queries run; then the models are trained; the last tenth arrives and the
running stream takes the new champions up, without a restart. The recommender comes last: it learns from silver, once all of
it is there, and `serve` answers from it.
"""

import argparse
import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.config import Config, load
from lakehouse.demo.closing_page import Ending, write_page
from lakehouse.demo.drain import Progress
from lakehouse.demo.fresh_lake import fresh_lake
from lakehouse.demo.report.status import StatusLine
from lakehouse.demo.sources import DemoSource, open_source
from lakehouse.errors import BrokerError, ModelError, StitchlakeError
from lakehouse.job import run
from lakehouse.kafka import admin, broker
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import writer
from lakehouse.queries import bronze_events, events
from lakehouse.queries.driver import start_all
from lakehouse.spark.session import get_session
from lakehouse.training import lifetime_value, recommender, scores, segments
from lakehouse.training.score_targets import TARGETS

POLL_SECONDS = 0.25
TRAINED_ON = 0.9  # share of the events that arrive before training


class Demo:
    """One run: the lake, its queries, and what was measured on the way."""

    def __init__(self, lake: Lake, source: DemoSource, status: StatusLine) -> None:
        self.lake = lake
        self.source = source
        self.status = status
        self.started_at = datetime.now(UTC)
        self.phases: dict[str, float] = {}
        self.produced = 0
        self.trainings: list[dict[str, object]] = []
        self.micro_batch = events.new_micro_batch(lake)
        self._progress = Progress(lake.config.kafka, lake.config.kafka.events_topic)

    def run(self) -> None:
        with self.phase("start"):
            starts = [events.start_with(self.micro_batch), bronze_events.start]
            queries = start_all(self.lake, starts, available_now=False)
        first = int(self.source.count * TRAINED_ON)
        with self.phase("stream"):
            self._send_and_wait(first, queries, [events.NAME])
        with self.phase("train"):
            self._train("segments", segments.train)
            read_of = scores.reader(self.lake)
            for name, target in TARGETS.items():
                self._train(name, functools.partial(scores.train, target=target, read_of=read_of))
            self._train("lifetime value", lifetime_value.train)
        with self.phase("stream with champions"):
            self._send_and_wait(None, queries, [query.name for query in queries])
        for query in queries:
            query.stop()
        self._progress.close()
        with self.phase("train recommender"):
            self._train("recommender", recommender.train)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self.status.update(phase=name)
        started = time.perf_counter()
        yield
        self.phases[name] = round(time.perf_counter() - started, 1)

    def _send_and_wait(self, limit: int | None, queries: list[StreamingQuery], names: list[str]) -> None:
        """Send the next `limit` messages (all that are left if None) and wait until the named queries have read them."""
        kafka = self.lake.config.kafka
        messages = itertools.islice(self.source.messages, limit)
        with ThreadPoolExecutor(1) as pool:
            already = self.produced

            def on_progress(sent: int) -> None:
                self.produced = already + sent

            sending = pool.submit(produce, messages, kafka, kafka.events_topic, on_progress=on_progress)
            while True:
                _raise_failure(queries)
                is_sent = sending.done()
                position = self._progress.position(queries)
                self._show(position.done)
                if is_sent and position.drained(names):
                    break
                time.sleep(POLL_SECONDS)
            self.produced = already + sending.result()

    def _show(self, done: dict[str, int]) -> None:
        self.status.update(
            produced=self.produced,
            bronze=done.get("bronze_events", 0),
            silver=done.get(events.NAME, 0),
            gold=done.get(events.NAME, 0),
        )

    def _train(self, name: str, train: Callable[[Lake], Any]) -> None:
        """A source too small for a model is no failure: the tables stand without it, and the page says so."""
        self.status.update(phase=f"train {name}")
        try:
            self.trainings.append({"name": name, **dataclasses.asdict(train(self.lake))})
        except ModelError as error:
            self.status.note(str(error))


def _raise_failure(queries: list[StreamingQuery]) -> None:
    for query in queries:
        if (error := query.exception()) is not None:
            raise StitchlakeError(f"query {query.name}: {str(error).splitlines()[0]}. Nothing is lost: see the log")


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument("--source", default="shop")
    parser.add_argument("--events", type=int)
    arguments = parser.parse_args(argv)
    config = load()
    source = open_source(arguments.source, arguments.events)
    fresh_lake(config)
    running = _start_broker(config)
    try:
        config = _reaching_back(broker.at(config, running), source.oldest)
        admin.create_topic(running, config.kafka.events_topic, config.kafka.partitions)
        _demo(config, source)
    finally:
        broker.stop(config)


def _start_broker(config: Config) -> broker.RunningBroker:
    """On the configured port, or on a free one where that is taken: the demo minds nobody else's broker."""
    try:
        return broker.start(config)
    except BrokerError:
        return broker.start(config, port=0)


def _demo(config: Config, source: DemoSource) -> None:
    status = StatusLine()
    with writer(config):
        status.update(phase="start Spark")
        lake = Lake(get_session(config, "demo"), config)
        demo = Demo(lake, source, status)
        demo.run()
        with demo.phase("report"):
            ending = write_page(demo_ending(demo), lake)
        status.close()
    print(ending)


def demo_ending(demo: Demo) -> Ending:
    return Ending(
        source=demo.source,
        produced=demo.produced,
        started_at=demo.started_at,
        phases=demo.phases,
        trainings=demo.trainings,
        records=list(demo.micro_batch.records),
        page=Path(demo.lake.root) / "report.html",
    )


def _reaching_back(config: Config, oldest: str | None) -> Config:
    """The configuration for a source of another century; whoever looks at its lake afterwards sets events.oldest, too."""
    if oldest is None or config.events.oldest <= oldest:
        return config
    print(f"events.oldest = {oldest} for this source: set STITCHLAKE__EVENTS__OLDEST={oldest} for jobs on its lake")
    return dataclasses.replace(config, events=dataclasses.replace(config.events, oldest=oldest))


if __name__ == "__main__":
    run(main)
