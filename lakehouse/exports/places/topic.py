"""A Kafka topic of our broker: a record for each row, its key the row's, its value JSON; a tombstone for one that is gone.

A topic that is compacted so comes to what gold says. What the broker has acknowledged is taken; else the whole batch is open.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import orjson

from lakehouse.actions.delivery import Retry, Sent
from lakehouse.actions.destinations import Topic
from lakehouse.config import KafkaConfig
from lakehouse.errors import BrokerError, ExportError
from lakehouse.exports.places.place import Layout, Outcome, away, keys_of
from lakehouse.exports.rows import Removal, Row, Sending
from lakehouse.kafka import admin
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce

MOST_ROWS = 10_000


class TopicPlace:
    """One topic."""

    takes_all = False

    def __init__(
        self, destination: Topic, kafka: KafkaConfig, *, most_rows: int | None, clock: Callable[[], datetime]
    ) -> None:
        self.most_rows: int = most_rows or MOST_ROWS
        self._topic, self._kafka, self._clock = destination.topic, kafka, clock

    def open(self, layout: Layout, *, holds_rows: bool) -> None:
        """See `Place`."""
        if layout.mode == "update":
            raise ExportError(
                f"mode: got {layout.mode}, expected insert, upsert or mirror for a topic: it does not know which rows it has. Mend it"
            )
        try:
            admin.create_topic(self._kafka, self._topic, self._kafka.partitions)
        except BrokerError as error:
            raise away(f"topic {self._topic}", str(error)) from error

    def identity(self, row: Row) -> str | None:
        """See `Place`."""
        return None

    def apply(self, batch_id: str, sends: Sequence[Sending], removals: Sequence[Removal]) -> dict[str, Outcome]:
        """See `Place`."""
        now = self._clock()
        gone = [Message(removal.key.encode(), None, now) for removal in removals]
        said = [
            Message(sending.key.encode(), orjson.dumps(sending.row.what, default=str, option=orjson.OPT_UTC_Z), now)
            for sending in sends
        ]
        keys = keys_of(sends, removals)
        try:
            produce([*gone, *said], self._kafka, self._topic, on_progress=lambda _: None)
        except BrokerError as error:
            return dict.fromkeys(keys, Retry(str(error)))
        return dict.fromkeys(keys, Sent())

    def close(self) -> None:
        """See `Place`."""
