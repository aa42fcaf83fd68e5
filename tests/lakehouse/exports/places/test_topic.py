import dataclasses
import json
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition

from lakehouse.kafka.broker import RunningBroker
from tests.lakehouse.exports.shop import Shop, person


def test_a_topic_comes_to_what_gold_says(tmp_path: Path, kafka: RunningBroker) -> None:
    one = Shop(tmp_path, {"kind": "topic", "topic": "exported_people"}, mode="mirror")
    servers = kafka.bootstrap_servers
    one.config = dataclasses.replace(one.config, kafka=dataclasses.replace(one.config.kafka, bootstrap_servers=servers))
    one.people(person("ann"), person("bob"))
    one.run()
    one.people(person("ann", "lost"), person("bob", is_suppressed=True))
    assert one.run().counts["removed"] == 1
    consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest")
    partitions = [TopicPartition("exported_people", one) for one in consumer.partitions_for_topic("exported_people")]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends, latest = consumer.end_offsets(partitions), {}
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        for records in consumer.poll(timeout_ms=500).values():
            latest |= {record.key: record.value for record in records}
    consumer.close()
    assert latest[b"bob"] is None
    assert json.loads(latest[b"ann"]) == {"id": "ann", "segment": "lost", "revenue": "12.50"}
