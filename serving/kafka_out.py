"""Records to Kafka from an event loop: each a future that is done when the broker has acknowledged it."""

import asyncio
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from lakehouse.errors import BrokerError

Headers = list[tuple[str, bytes]]
_REQUEST_SECONDS = 5.0  # longest the producer itself tries a record; a caller's own deadline is shorter
_BOOTSTRAP_MS = 2000  # for the first answer of a broker; then it is tried anew
_BLOCK_SECONDS = 0.02  # longest `send` may hold up the loop, when no metadata is known or the buffer is full
_MOST_UNDER_WAY = 20_000  # records; beyond, the caller is told to come again


class Overloaded(BrokerError):
    """More records wait for the broker than may: come again later."""


class KafkaOut:
    """One producer of the process. `connect` may be called again until it succeeds; until then every send fails.

    `headers`: of every record, asked for as it is sent. `linger_ms`: how long a record may wait for others to go with:
    a request to the broker costs half as much as a decision.
    """

    def __init__(self, bootstrap_servers: str, headers: Callable[[], Headers] = list, *, linger_ms: int = 0) -> None:
        self._servers = bootstrap_servers
        self._linger_ms = linger_ms
        self._headers = headers
        self._producer: KafkaProducer | None = None
        self._under_way = 0

    @property
    def is_connected(self) -> bool:
        return self._producer is not None

    def connect(self, topics: tuple[str, ...]) -> None:
        """Blocks while the broker is asked for its partitions; to be called outside the loop.

        Raises:
            BrokerError: nobody answers.
        """
        if self._producer is not None:
            return
        try:
            producer = KafkaProducer(
                bootstrap_servers=self._servers,
                acks="all",
                enable_idempotence=True,
                linger_ms=self._linger_ms,
                request_timeout_ms=int(_REQUEST_SECONDS * 600),
                delivery_timeout_ms=int(_REQUEST_SECONDS * 1000),
                max_block_ms=int(_REQUEST_SECONDS * 1000),
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
            )
            for topic in topics:
                producer.partitions_for(topic)
        except KafkaError as error:
            raise BrokerError(
                f"kafka at {self._servers}: got {error!r}, expected a broker. Start it with ./spark-submit.sh kafka start"
            ) from error
        producer.config["max_block_ms"] = int(_BLOCK_SECONDS * 1000)
        self._producer = producer

    def send(self, topic: str, key: bytes | None, value: bytes) -> "asyncio.Future[None]":
        """Hand a record over; the future fails with a BrokerError when the broker does not take it.

        Raises:
            Overloaded: too many records are under way.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        if self._producer is None:
            done.set_exception(BrokerError(f"kafka at {self._servers}: not connected yet, expected a broker"))
            return done
        if self._under_way >= _MOST_UNDER_WAY:
            raise Overloaded(f"kafka at {self._servers}: {self._under_way} records wait for it. Come again later")
        self._under_way += 1

        def settle(error: BaseException | None) -> None:
            self._under_way -= 1
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(BrokerError(f"kafka at {self._servers}: record not taken, got {error!r}"))

        try:
            sent = self._producer.send(topic, key=key, value=value, headers=self._headers())
        except KafkaError as error:
            settle(error)
            return done
        sent.add_callback(lambda _: loop.call_soon_threadsafe(settle, None))
        sent.add_errback(lambda error: loop.call_soon_threadsafe(settle, error))
        return done

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=_REQUEST_SECONDS)


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
