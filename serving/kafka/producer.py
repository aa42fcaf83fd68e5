"""Records to Kafka from an event loop: each a future that is done when the broker has acknowledged it."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from lakehouse.errors import BrokerError
from lakehouse.kafka import clients
from lakehouse.kafka.clients import Cluster
from lakehouse.kafka.refusal import refused
from serving.kafka.record_frames import Header, Record

Headers = list[Header]
Heard = Callable[[KafkaError | None], None]  # told in the loop what became of a record
Reported = list[tuple[Heard, KafkaError | None]]

PATIENCE_SECONDS = 2.0  # longest an answer waits for Kafka
_TRIED_SECONDS = 5.0  # longest the producer itself tries a record; a caller's own deadline is shorter
_CLOSED_SECONDS = 1.5  # for what waits when the process ends
_ANSWER_SECONDS = 2.0  # for the first answer of a broker; then it is tried anew
_POLL_SECONDS = 0.5  # how soon the thread notices that it is to end
_RECONNECT_MS = 1_000  # longest pause before a broker that was away is asked again
_MOST_UNDER_WAY = 20_000  # records; beyond, the caller is told to come again
_FINAL = frozenset((KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD))  # never taken


class Overloaded(BrokerError):
    """More records wait for the broker than may: come again later."""


class Sending:
    """Records that were handed over together, in their order. `done`: it is known of each what became of it."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending = len(records)
        self._lacking = set(range(len(records)))
        self._refused: set[int] = set()

    @property
    def acknowledged(self) -> int:
        """How many of them the broker has."""
        return len(self.records) - len(self._lacking)

    @property
    def refused(self) -> list[Record]:
        """Those that no broker will ever take as they are."""
        return [self.records[index] for index in sorted(self._refused)]

    @property
    def left(self) -> list[Record]:
        """Those to be sent again, in their order."""
        return [self.records[index] for index in sorted(self._lacking - self._refused)]

    def settle(self, index: int, error: KafkaError | None) -> None:
        """What became of one of them."""
        if error is None:
            self._lacking.discard(index)
        elif error.code() in _FINAL:
            self._refused.add(index)
        self._pending -= 1
        if not self._pending and not self.done.done():
            self.done.set_result(None)


class KafkaOut:
    """One producer of the process. `connect` may be called again until it succeeds; until then every send fails.

    librdkafka's: sending is a copy into its queue, and all else happens outside the interpreter, which answers need.
    `headers`: of every record, asked for as it is sent. `linger_ms`: how long a record may wait for others to go with.
    """

    def __init__(self, cluster: Cluster, headers: Callable[[], Headers] = list, *, linger_ms: int = 0) -> None:
        self._cluster = cluster
        self._servers = cluster.bootstrap_servers
        self._linger_ms = linger_ms
        self._headers = headers
        self._producer: Producer | None = None
        self._under_way = 0
        self._reported: Reported = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_open = True
        self.lost = 0

    @property
    def is_connected(self) -> bool:
        """A broker has answered `connect`."""
        return self._producer is not None

    def connect(self, topics: tuple[str, ...]) -> None:
        """Blocks while the broker is asked for its topics; to be called outside the loop.

        Raises:
            BrokerError: nobody answers.
        """
        if self._producer is not None:
            return
        heard: deque[str] = deque(maxlen=10)
        settings = _settings(self._cluster, self._linger_ms)
        producer = Producer({**settings, "error_cb": lambda error: heard.append(error.str())})
        try:
            for topic in topics:
                producer.list_topics(topic, timeout=_ANSWER_SECONDS)
        except KafkaException as error:
            producer.poll(0)  # it tells then why
            raise refused(self._cluster, heard) or BrokerError(
                f"kafka at {self._servers}: got {error.args[0].str()}, expected a broker. Start it with ./spark-submit.sh kafka start"
            ) from error
        self._producer = producer
        Thread(target=self._report, args=(producer,), name="kafka-reports", daemon=True).start()

    def send(
        self, topic: str, key: bytes | None, value: bytes, headers: Sequence[Header] = ()
    ) -> "asyncio.Future[None]":
        """Hand a record over; the future fails with a BrokerError when the broker does not take it. `headers`: of this record, besides.

        Raises:
            Overloaded: too many records are under way.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._producer is None:
            done.set_exception(BrokerError(f"kafka at {self._servers}: not connected yet, expected a broker"))
            return done
        self._hold_back()
        try:
            self._produce(self._producer, Record(topic, key, value, tuple(headers)), partial(self._settle_one, done))
        except (BufferError, KafkaException) as error:
            done.set_exception(BrokerError(f"kafka at {self._servers}: record not taken, got {error}"))
        return done

    def send_all(self, records: Sequence[Record]) -> Sending:
        """Hand records over, in their order.

        Raises:
            Overloaded: too many records are under way; none of these is.
        """
        self._hold_back()
        sending = Sending(records)
        failed = None if self._producer is not None else KafkaError(KafkaError._ALL_BROKERS_DOWN)
        for index, record in enumerate(records):
            heard = partial(sending.settle, index)
            if failed is not None or self._producer is None:
                heard(failed)  # nor is what comes after it sent: it would be there first
                continue
            try:
                self._produce(self._producer, record, heard)
            except BufferError:
                heard(failed := KafkaError(KafkaError._QUEUE_FULL))
            except KafkaException as error:
                heard(error.args[0])
                if error.args[0].code() not in _FINAL:
                    failed = error.args[0]
        return sending

    def _hold_back(self) -> None:
        if self._under_way >= _MOST_UNDER_WAY:
            raise Overloaded(f"kafka at {self._servers}: {self._under_way} records wait for it. Come again later")

    def _produce(self, producer: Producer, record: Record, heard: Heard) -> None:
        self._loop = asyncio.get_running_loop()
        reported = self._reported
        headers = [*self._headers(), *record.headers]
        producer.produce(
            record.topic,
            record.value,
            record.key,
            on_delivery=lambda error, _: reported.append((heard, error)),
            headers=headers,
        )
        self._under_way += 1

    def forget(self) -> None:
        """Try no more what is under way: all that is not acknowledged fails at once. Somebody else has it."""
        if self._producer is not None:
            self._producer.purge()

    def tell(self, topic: str, key: bytes | None, value: bytes) -> None:
        """Hand over a record that nobody waits for; what Kafka does not take is counted: `lost`."""
        try:
            if self._producer is None:
                self.lost += 1
            else:
                self._producer.produce(topic, value, key, on_delivery=self._count_lost, headers=self._headers())
        except (BufferError, KafkaException):
            self.lost += 1

    def _count_lost(self, error: KafkaError | None, _: Message) -> None:
        self.lost += error is not None

    def close(self) -> None:
        """Send what waits, not for long, and let go of the client: its connections and threads end with it."""
        self._is_open = False
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.flush(_CLOSED_SECONDS)

    def _report(self, producer: Producer) -> None:
        """Tell the loop what became of records, all at once that came in at once."""
        while self._is_open:
            producer.poll(_POLL_SECONDS)
            if self._reported and self._loop is not None:
                reported, self._reported[:] = self._reported[:], []
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    self._loop.call_soon_threadsafe(self._settle, reported)

    def _settle(self, reported: Reported) -> None:
        self._under_way -= len(reported)
        for heard, error in reported:
            heard(error)

    def _settle_one(self, done: "asyncio.Future[None]", error: KafkaError | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(BrokerError(f"kafka at {self._servers}: record not taken, got {error.str()}"))


def _settings(cluster: Cluster, linger_ms: int) -> dict[str, Any]:
    return {
        **clients.librdkafka(cluster),
        "acks": "all",
        "enable.idempotence": False,  # else a core spins while five batches are under way; see decision 85
        "partitioner": "murmur2_random",  # as every other producer's: one visitor's events stay in one partition
        "linger.ms": linger_ms,
        "message.timeout.ms": int(_TRIED_SECONDS * 1000),
        "queue.buffering.max.messages": 2 * _MOST_UNDER_WAY,
        "reconnect.backoff.max.ms": _RECONNECT_MS,
        "socket.connection.setup.timeout.ms": int(_ANSWER_SECONDS * 1000),
        "log_level": 0,  # an absent broker is told once, by us
    }


async def acknowledged(futures: "list[asyncio.Future[None]]", seconds: float) -> int:
    """How many of the records were acknowledged in time; the others go on being tried."""
    if not futures:
        return 0
    done, late = await asyncio.wait(futures, timeout=seconds)
    for future in late:
        future.add_done_callback(_look_at)
    return sum(future.exception() is None for future in done)


def _look_at(future: "asyncio.Future[Any]") -> None:
    """An exception nobody asks for would be reported as forgotten."""
    if not future.cancelled():
        future.exception()
