"""What a topic holds, read whole: up to where it ends as the reading begins."""

from typing import Any

from kafka import KafkaConsumer, TopicPartition


def values(servers: str, topic: str) -> list[bytes]:
    return [record.value for record in records(servers, topic)]


def records(servers: str, topic: str) -> list[Any]:
    """With key, headers and all else that kafka-python gives."""
    consumer = KafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest", enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning()
        found: list[Any] = []
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for polled in consumer.poll(timeout_ms=500).values():
                found += polled
        return found
    finally:
        consumer.close()
