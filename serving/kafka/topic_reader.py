"""Topics read by one thread of the process, records handed to the event loop. From the end: what matters is what comes."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from lakehouse.kafka import clients
from lakehouse.kafka.clients import Cluster

log = logging.getLogger("stitchlake.serving")
_POLL_MS = 100  # a poll returns as soon as there is something; this is how often a stop is looked for
_RETRY_SECONDS = 2.0
_BOOTSTRAP_MS = 2000  # for the first answer of a broker; then it is tried anew


class Received(NamedTuple):
    """A record as far as handlers ask: where it stands in its topic, and what it says."""

    partition: int
    offset: int
    value: bytes


Handle = Callable[[Sequence[Received]], None]
Begin = Callable[[Mapping[int, int]], None]


class KafkaIn:
    """Calls a topic's handler in the loop with the records that came. No consumer group: every process hears everything.

    `on_begin`: told, by topic, of each partition the offset of the first record that is read; again when reading begins anew.
    """

    def __init__(
        self,
        cluster: Cluster,
        handlers: Mapping[str, Handle],
        loop: asyncio.AbstractEventLoop,
        *,
        on_ready: Callable[[], None],
        on_begin: Mapping[str, Begin] | None = None,
    ) -> None:
        self._cluster = cluster
        self._handlers = handlers
        self._loop = loop
        self._on_begin = on_begin or {}
        self._stopped = Event()
        self._on_ready: Callable[[], None] | None = on_ready
        self._thread = Thread(target=self._run, name="kafka-in", daemon=True)

    def start(self) -> None:
        """Read in a thread; `on_ready` is called in the loop once nothing can be missed."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, within a second; a broker that does not answer is not waited for."""
        self._stopped.set()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        """Whatever goes wrong, it is read anew: a thread that ended would leave the process deaf, and nobody would know."""
        while not self._stopped.is_set():
            try:
                self._read()
            except Exception as error:
                if self._loop.is_closed():
                    return  # the process ends
                unforeseen = not isinstance(error, KafkaError)
                log.warning(
                    "kafka at %s: not read, tried again: %r",
                    self._cluster.bootstrap_servers,
                    error,
                    exc_info=unforeseen,
                )
                self._stopped.wait(_RETRY_SECONDS)

    def _read(self) -> None:
        consumer = KafkaConsumer(
            **clients.python_consumer(self._cluster),
            enable_auto_commit=False,
            fetch_max_wait_ms=_POLL_MS,
            fetch_min_bytes=1,
            auto_offset_reset="latest",
            bootstrap_timeout_ms=_BOOTSTRAP_MS,
        )
        try:
            self._assign(consumer)
            while not self._stopped.is_set():
                for partition, records in consumer.poll(timeout_ms=_POLL_MS).items():
                    received = [
                        Received(record.partition, record.offset, record.value)
                        for record in records
                        if record.value is not None
                    ]
                    self._loop.call_soon_threadsafe(self._handlers[partition.topic], received)
        finally:
            consumer.close()

    def _assign(self, consumer: KafkaConsumer) -> None:
        """Every partition of every topic, from its end, fixed before anybody is told we are ready."""
        partitions: list[TopicPartition] = []
        while not self._stopped.is_set():
            by_topic = {topic: consumer.partitions_for_topic(topic) for topic in self._handlers}
            if all(by_topic.values()):
                partitions = [
                    TopicPartition(topic, number) for topic, numbers in by_topic.items() for number in numbers
                ]
                break
            time.sleep(_RETRY_SECONDS / 10)
        if not partitions:
            return  # stopped before the topics were there
        consumer.assign(partitions)
        consumer.seek_to_end(*partitions)
        first = {partition: consumer.position(partition) for partition in partitions}
        for topic, begin in self._on_begin.items():
            own = {partition.partition: offset for partition, offset in first.items() if partition.topic == topic}
            self._loop.call_soon_threadsafe(begin, own)
        if self._on_ready is not None:
            self._loop.call_soon_threadsafe(self._on_ready)
            self._on_ready = None
