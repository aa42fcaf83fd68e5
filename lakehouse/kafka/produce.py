"""Sends a source's messages to a topic: every record acknowledged by the broker, or an error."""

import functools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner.default import murmur2

from lakehouse.errors import BrokerError
from lakehouse.kafka import clients
from lakehouse.kafka.clients import Cluster
from lakehouse.kafka.message import Message

PROGRESS_EVERY = 500  # records between two calls of on_progress
_BATCH_BYTES = 256 * 1024
_UNDER_WAY = 10_000  # records; at most twice as many wait for the broker at once, or memory would hold the topic
_PATIENCE_SECONDS = 60  # longest wait for the broker before sending fails


def produce(
    messages: Iterable[Message],
    cluster: Cluster,
    topic: str,
    *,
    on_progress: Callable[[int], None],
    per_second: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send all messages in order and return how many the broker acknowledged: all of them.

    `on_progress` receives the number sent so far. `per_second`: open loop, record n is due n / per_second after the
    start whatever became of those before it; null = as fast as it goes. Records carry the time of sending: the
    simulated time would fall under the topic's retention.

    Raises:
        BrokerError: when the broker cannot be reached or refuses a record.
    """
    producer = None
    try:
        producer = _producer(cluster)
        paced = messages if per_second is None else _paced(messages, per_second, clock, sleep)
        return _send_all(producer, topic, paced, on_progress)
    except KafkaError as error:
        raise _not_taken(cluster, error) from error
    finally:
        if producer is not None:
            producer.close(timeout=5)


class KeptProducer:
    """Sends to one topic from time to time, by one connection: made when it is first needed, and anew after a failure."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster, self._topic = cluster, topic
        self._producer: KafkaProducer | None = None

    def send(self, messages: Iterable[Message]) -> None:
        """Return once every one of them is acknowledged. Raises BrokerError: as `produce`."""
        try:
            if self._producer is None:
                self._producer = _producer(self._cluster)
            _send_all(self._producer, self._topic, messages, lambda _: None)
        except KafkaError as error:
            self.close()
            raise _not_taken(self._cluster, error) from error

    def close(self) -> None:
        """Give the connection back."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=5)


def _not_taken(cluster: Cluster, error: KafkaError) -> BrokerError:
    return BrokerError(
        f"kafka at {cluster.bootstrap_servers}: records not taken, got {error!r}, expected acknowledgement of every record. "
        "Start it with ./spark-submit.sh kafka start"
    )


def _paced(
    messages: Iterable[Message], per_second: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[Message]:
    """The messages, none before it is due."""
    start = clock()
    for number, message in enumerate(messages):
        if (wait := start + number / per_second - clock()) > 0:
            sleep(wait)
        yield message


def _send_all(
    producer: KafkaProducer, topic: str, messages: Iterable[Message], on_progress: Callable[[int], None]
) -> int:
    acknowledged = _Acknowledged()
    partitions = sorted(producer.partitions_for(topic))
    sent, marker = 0, None
    for message in messages:
        partition = _partition(message.key, sent, partitions)
        future = producer.send(topic, key=message.key, value=message.value, partition=partition)
        future.add_callback(acknowledged.count).add_errback(acknowledged.fail)
        sent += 1
        if sent % PROGRESS_EVERY == 0:
            acknowledged.check()
            on_progress(sent)
        if sent % _UNDER_WAY == 0:
            if marker is not None:
                marker.get(timeout=_PATIENCE_SECONDS)
            marker = future
    producer.flush(timeout=_PATIENCE_SECONDS)
    acknowledged.check(sent)
    on_progress(sent)
    return acknowledged.records


class _Acknowledged:
    """What the broker answered, in the producer's thread mostly, in ours when the answer came first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.records = 0
        self.error: KafkaError | None = None

    def count(self, _: Any) -> None:
        with self._lock:
            self.records += 1

    def fail(self, error: KafkaError) -> None:
        self.error = self.error or error

    def check(self, expected: int | None = None) -> None:
        if self.error is not None:
            raise self.error
        if expected is not None and self.records != expected:
            raise KafkaError(f"{self.records} of {expected} records acknowledged")


def _producer(cluster: Cluster) -> KafkaProducer:
    return KafkaProducer(
        **clients.python_producer(cluster),
        acks="all",
        enable_idempotence=True,
        compression_type="gzip",
        batch_size=_BATCH_BYTES,
        linger_ms=20,
        bootstrap_timeout_ms=10_000,
        max_block_ms=_PATIENCE_SECONDS * 1000,
    )


def _partition(key: bytes | None, sent: int, partitions: list[int]) -> int:
    """The partition Kafka's own clients choose for the key; in turn where there is none."""
    return partitions[(_murmur2(key) if key is not None else sent) % len(partitions)]


@functools.lru_cache(maxsize=200_000)
def _murmur2(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF
