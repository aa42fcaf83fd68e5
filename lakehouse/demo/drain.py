"""How far each query has come in the topic."""

import json
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.kafka import clients
from lakehouse.kafka.clients import Cluster


@dataclass(frozen=True)
class Position:
    """Records of the topic, and how many of them each query has committed."""

    produced: int
    done: dict[str, int]

    def drained(self, names: list[str]) -> bool:
        return all(self.done.get(name, 0) >= self.produced for name in names)


class Progress:
    """Reads positions; holds one consumer that never reads a record."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._topic = topic
        self._consumer = KafkaConsumer(**clients.python_consumer(cluster))

    def position(self, queries: list[StreamingQuery]) -> Position:
        return Position(self._end(), {query.name: self._committed(query) for query in queries})

    def close(self) -> None:
        self._consumer.close()

    def _end(self) -> int:
        partitions = self._consumer.partitions_for_topic(self._topic) or set()
        ends = self._consumer.end_offsets([TopicPartition(self._topic, p) for p in partitions])
        return sum(ends.values())

    def _committed(self, query: StreamingQuery) -> int:
        progress = query.lastProgress
        if progress is None or not progress["sources"]:
            return 0
        end = progress["sources"][0]["endOffset"]
        offsets = json.loads(end) if isinstance(end, str) else end
        return sum((offsets or {}).get(self._topic, {}).values())
