"""Which profiles changed, told to whoever keeps answers: the topic online_store.changes_topic.

Key: the profile_id. Value: JSON {"profile_id", "version", "updated_at"}, the version of its document in the online store,
the time of the micro-batch. Told once gold has the change. Best effort: what nobody could be told is logged and let go,
since a cache may keep an answer for its own time at most.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Full, Queue
from threading import Thread
from typing import Any

import orjson
from kafka import KafkaProducer
from kafka.errors import KafkaError

from lakehouse.errors import BrokerError
from lakehouse.kafka import admin, clients
from lakehouse.kafka.clients import Cluster

log = logging.getLogger("stitchlake.online")
_MOST_WAITING = 50  # micro-batches
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Change:
    """A profile that was written or is gone."""

    profile_id: str
    version: int
    updated_at: datetime

    @property
    def value(self) -> bytes:
        at = self.updated_at.astimezone(UTC).isoformat(timespec="milliseconds")
        return orjson.dumps({"profile_id": self.profile_id, "version": self.version, "updated_at": at})


Publish = Callable[[Sequence[Change]], None]


class KafkaChanges:
    """A publisher that never makes its caller wait: a thread of its own sends."""

    def __init__(self, cluster: Cluster, topic: str, partitions: int) -> None:
        self._place = (cluster, topic, partitions)
        self._waiting: Queue[Sequence[Change] | None] = Queue(_MOST_WAITING)
        self._thread = Thread(target=self._send_all, name="profile-changes", daemon=True)
        self._thread.start()

    def __call__(self, changes: Sequence[Change]) -> None:
        try:
            self._waiting.put_nowait(tuple(changes))
        except Full:
            _let_go(len(changes), "the broker takes too long")

    def close(self) -> None:
        """Send what waits, for a while."""
        self._waiting.put(None)
        self._thread.join(_PATIENCE_SECONDS)

    def _send_all(self) -> None:
        producer: Any = None
        while (changes := self._waiting.get()) is not None:
            try:
                producer = producer or self._producer()
                self._send(producer, changes)
            except (KafkaError, BrokerError) as error:
                _let_go(len(changes), str(error))
        if producer is not None:
            try:
                producer.close(timeout=_PATIENCE_SECONDS)
            except KafkaError as error:
                log.warning("the last changes of profiles may not have been told: %s", error)

    def _producer(self) -> Any:
        cluster, topic, partitions = self._place
        admin.create_topic(cluster, topic, partitions)
        milliseconds = int(1000 * _PATIENCE_SECONDS)
        return KafkaProducer(
            **clients.python_producer(cluster),
            acks=1,
            linger_ms=5,
            max_block_ms=milliseconds,
            bootstrap_timeout_ms=milliseconds,
        )

    def _send(self, producer: Any, changes: Sequence[Change]) -> None:
        _, topic, _ = self._place
        for change in changes:
            future = producer.send(topic, key=change.profile_id.encode(), value=change.value)
            future.add_errback(lambda error: _let_go(1, str(error)))


def _let_go(count: int, why: str) -> None:
    log.warning("%d changes of profiles were not told: %s", count, why)
