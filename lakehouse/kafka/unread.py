"""The records of a topic that nobody has taken in yet."""

import time
from collections.abc import Iterator

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from lakehouse.errors import BrokerError
from lakehouse.kafka import clients
from lakehouse.kafka.clients import Cluster

Offsets = dict[int, int]  # partition -> offset
_POLL_MS = 500
_PATIENCE_MS = 3000  # for the first answer of the broker
SILENCE_SECONDS = 30.0  # longest wait for the next record of those that are there


def unread(cluster: Cluster, topic: str, taken_in: Offsets) -> Iterator[bytes]:
    """The values of the records from `taken_in` on, or from a partition's beginning, to its end as of now; none where the topic is not there.

    Raises:
        BrokerError: the broker cannot be reached, or does not give the records.
    """
    consumer = None
    try:
        consumer = KafkaConsumer(
            **clients.python_consumer(cluster),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            bootstrap_timeout_ms=_PATIENCE_MS,
        )
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions) if partitions else {}
        starts = consumer.beginning_offsets(partitions) if partitions else {}
        for partition in partitions:
            consumer.seek(partition, max(starts[partition], taken_in.get(partition.partition, 0)))
        reached, since = [starts[partition] for partition in partitions], time.monotonic()
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            polled = consumer.poll(timeout_ms=_POLL_MS).values()
            before, reached = reached, [consumer.position(partition) for partition in partitions]
            if reached == before and time.monotonic() - since > SILENCE_SECONDS:
                raise KafkaTimeoutError(f"nothing in {SILENCE_SECONDS:.0f} s")
            for records in polled:
                yield from (record.value for record in records if record.value is not None)
            if reached != before:
                since = time.monotonic()
    except KafkaError as error:
        raise BrokerError(
            f"kafka at {cluster.bootstrap_servers}: {topic} not read, got {error!r}, expected its records. "
            "Start it with ./spark-submit.sh kafka start"
        ) from error
    finally:
        if consumer is not None:
            consumer.close()
