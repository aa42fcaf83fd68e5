"""Sends a source's messages to a topic: every record acknowledged by the broker, or an error.

By librdkafka: packing and sending happen outside the interpreter, beside whatever makes the messages.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from lakehouse.errors import BrokerError
from lakehouse.kafka import admin, clients
from lakehouse.kafka.clients import Cluster
from lakehouse.kafka.message import Message

PROGRESS_EVERY = 500  # records between two calls of on_progress
MOST_UNDER_WAY = 20_000  # records that wait for the broker at once, or memory would hold the topic
_PATIENCE_SECONDS = 60  # longest wait for the broker before sending fails
_ROOM_SECONDS = 0.05  # how soon a full queue is looked at again


def produce(
    messages: Iterable[Message],
    cluster: Cluster,
    topic: str,
    *,
    on_progress: Callable[[int], None],
    on_acknowledged: Callable[[int], None] | None = None,
    acknowledged_every: int = MOST_UNDER_WAY,
    per_second: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send all messages in order and return how many the broker acknowledged: all of them.

    `on_progress` receives the number sent so far. `on_acknowledged`: a number of messages, from the first one, all of which the broker has; called
    each `acknowledged_every` messages, before the next is asked for. `per_second`: open loop, record n is due n / per_second after the
    start whatever became of those before it; null = as fast as it goes. Records carry the time of sending: the
    simulated time would fall under the topic's retention.

    Raises:
        BrokerError: when the broker cannot be reached or refuses a record.
    """
    admin.hold_to_answer(cluster)
    producer = Producer(_settings(cluster))
    paced = messages if per_second is None else _paced(messages, per_second, clock, sleep)
    sent, refused = 0, _Refused()
    try:
        for message in paced:
            _send(producer, topic, message, refused)
            sent += 1
            if sent % PROGRESS_EVERY == 0:
                producer.poll(0)
                refused.check()
                on_progress(sent)
            if on_acknowledged is not None and sent % acknowledged_every == 0:
                _flush(producer, refused)
                on_acknowledged(sent)
        _flush(producer, refused)
    except KafkaException as error:
        raise _not_taken(cluster, error) from error
    finally:
        producer.purge()  # of what was not flushed nobody waits for an answer any more
    on_progress(sent)
    return sent


class KeptProducer:
    """Sends to one topic from time to time, by one connection: made when it is first needed, and anew after a failure."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster, self._topic = cluster, topic
        self._producer: Producer | None = None

    def send(self, messages: Iterable[Message]) -> None:
        """Return once every one of them is acknowledged. Raises BrokerError: as `produce`."""
        refused = _Refused()
        try:
            if self._producer is None:
                admin.hold_to_answer(self._cluster)
                self._producer = Producer(_settings(self._cluster))
            for message in messages:
                _send(self._producer, self._topic, message, refused)
            _flush(self._producer, refused)
        except KafkaException as error:
            self.close()
            raise _not_taken(self._cluster, error) from error

    def close(self) -> None:
        """Give the connection back."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()


def _not_taken(cluster: Cluster, error: KafkaException) -> BrokerError:
    return BrokerError(
        f"kafka at {cluster.bootstrap_servers}: records not taken, got {error.args[0].str()}, expected acknowledgement of every record. "
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


class _Refused:
    """What became of records that the broker did not take; of one that it took nothing is told."""

    def __init__(self) -> None:
        self._error: KafkaError | None = None

    def __call__(self, error: KafkaError | None, _: Any) -> None:
        self._error = self._error or error

    def check(self) -> None:
        if self._error is not None:
            raise KafkaException(self._error)


def _send(producer: Producer, topic: str, message: Message, refused: _Refused) -> None:
    while True:
        try:
            producer.produce(topic, message.value, message.key, on_delivery=refused)
            return
        except BufferError:  # it is full: as many are under way as may be
            producer.poll(_ROOM_SECONDS)
            refused.check()


def _flush(producer: Producer, refused: _Refused) -> None:
    waiting = producer.flush(_PATIENCE_SECONDS)
    refused.check()
    if waiting:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"no answer to {waiting} records"))


def _settings(cluster: Cluster) -> dict[str, Any]:
    return {
        **clients.librdkafka(cluster),
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",  # as Kafka's own clients choose
        "compression.type": "gzip",  # the one that every client of ours reads without a library more
        "compression.level": 1,
        "linger.ms": 20,
        "batch.size": 256 * 1024,
        "queue.buffering.max.messages": MOST_UNDER_WAY,
        "message.timeout.ms": _PATIENCE_SECONDS * 1000,
        "delivery.report.only.error": True,
        "log_level": 0,  # what goes wrong is told once, by us
    }
