"""The records of a topic that nobody has taken in yet."""

import time
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from lakehouse.errors import BrokerError
from lakehouse.kafka import admin, clients
from lakehouse.kafka.clients import Cluster

Offsets = dict[int, int]  # partition -> offset
_POLL_SECONDS = 0.1  # for so many, or for as many as come in this time
_AT_ONCE = 5000  # records
_AHEAD_KB = 16_384  # that are fetched ahead, of each partition
SILENCE_SECONDS = 30.0  # longest wait for the next record of those that are there


def unread(cluster: Cluster, topic: str, taken_in: Offsets) -> Iterator[bytes]:
    """The values of the records from `taken_in` on, or from a partition's beginning, to its end as of now; none where the topic is not there.

    Raises:
        BrokerError: the broker cannot be reached, or does not give the records.
    """
    admin.hold_to_answer(cluster)
    consumer = Consumer(
        {
            **clients.librdkafka(cluster),
            "group.id": "stitchlake-unread",  # it must have one; of a group without commits no broker hears
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "queued.max.messages.kbytes": _AHEAD_KB,
            "log_level": 0,  # what goes wrong is told once, by us
        }
    )
    try:
        yield from _values(consumer, topic, taken_in)
    except KafkaException as error:
        raise BrokerError(
            f"kafka at {cluster.bootstrap_servers}: {topic} not read, got {error.args[0].str()}, expected its records. "
            "Start it with ./spark-submit.sh kafka start"
        ) from error
    finally:
        consumer.close()


def _values(consumer: Consumer, topic: str, taken_in: Offsets) -> Iterator[bytes]:
    begins, ends = {}, {}
    for partition in sorted(consumer.list_topics(topic, timeout=admin.ANSWER_SECONDS).topics[topic].partitions):
        first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=admin.ANSWER_SECONDS)
        begin = max(first, taken_in.get(partition, 0))
        if begin < end:
            begins[partition], ends[partition] = begin, end
    consumer.assign([TopicPartition(topic, partition, begin) for partition, begin in begins.items()])
    since = time.monotonic()
    while ends:
        found = consumer.consume(_AT_ONCE, _POLL_SECONDS)
        for message in found:
            if (value := _value(message, ends)) is not None:
                yield value
        if found:
            since = time.monotonic()
        elif time.monotonic() - since > SILENCE_SECONDS:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"nothing in {SILENCE_SECONDS:.0f} s"))


def _value(message: Message, ends: Offsets) -> bytes | None:
    """What a record says that lies before the end of its partition; None of any other. A partition that was read to its end leaves `ends`.

    A partition may end in records that are nobody's, such as marks of transactions: then only the broker can say that this is its end.
    """
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    partition, offset = message.partition(), message.offset()
    assert partition is not None  # a record has them, and so has the end of a partition
    assert offset is not None
    end = ends.get(partition, 0)
    if error is not None or offset + 1 >= end:
        ends.pop(partition, None)
    return message.value() if error is None and offset < end else None
