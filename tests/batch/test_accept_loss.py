"""Records that a topic dropped before a query read them stop it at its start, by name; who accepts that goes on, and it is written down."""

import dataclasses
import json
import shutil

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from batch import accept_loss
from lakehouse.errors import LakeError
from lakehouse.kafka import admin
from lakehouse.kafka.broker import RunningBroker
from lakehouse.lake.delta import Lake
from lakehouse.queries import bronze_events
from lakehouse.tables.events import BRONZE_EVENTS
from lakehouse.tables.operations import OPS_LOST_RECORDS

TOPIC = "dropped-early"


@pytest.fixture
def reading(lake: Lake, kafka: RunningBroker) -> Lake:
    """A lake whose bronze holds the first three records of a topic that has dropped the first five of six."""
    config = dataclasses.replace(lake.config.kafka, bootstrap_servers=kafka.bootstrap_servers, events_topic=TOPIC)
    lake = Lake(lake.spark, dataclasses.replace(lake.config, kafka=config))
    lake.create_missing([BRONZE_EVENTS, OPS_LOST_RECORDS])
    admin.create_topic(kafka, TOPIC, 1)
    send(kafka, "0", "1", "2")
    drain(lake)
    send(kafka, "3", "4", "5")
    of_records = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    of_records.delete_records({TopicPartition(TOPIC, 0): 5})
    of_records.close()
    return lake


def send(kafka: RunningBroker, *values: str) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    for value in values:
        producer.send(TOPIC, value.encode()).get(10)
    producer.close()


def drain(lake: Lake) -> None:
    bronze_events.start(lake, available_now=True).awaitTermination()


def kept(lake: Lake) -> list[str]:
    return [bytes(row["value"]).decode() for row in lake.read(BRONZE_EVENTS).orderBy("offset").collect()]


def test_a_gap_is_refused_with_or_without_the_checkpoint_until_somebody_accepts_it(
    reading: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = r"query bronze_events has not read .* got 2 of partition 0 from offset 3 gone.* batch/accept_loss\.py"
    with pytest.raises(LakeError, match=told):
        drain(reading)
    shutil.rmtree(reading.checkpoint(bronze_events.NAME))
    with pytest.raises(LakeError, match=told):
        drain(reading)
    monkeypatch.setenv("STITCHLAKE__LAKE__ROOT", reading.root)
    monkeypatch.setenv("STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS", reading.config.kafka.bootstrap_servers)
    monkeypatch.setenv("STITCHLAKE__KAFKA__EVENTS_TOPIC", TOPIC)
    gap = {"query": "bronze_events", "topic": TOPIC, "partition": 0, "first": 3, "end": 5}
    for ranges in ([gap], []):  # once accepted there is none
        accept_loss.main(["--by", "ops", "--why", "a week away"])
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["ranges"] == ranges
        assert kept(reading) == ["0", "1", "2", "5"]
    (row,) = reading.read(OPS_LOST_RECORDS).collect()
    assert (row["first_offset"], row["end_offset"], row["accepted_by"], row["reason"]) == (3, 5, "ops", "a week away")
    drain(reading)
    assert kept(reading) == ["0", "1", "2", "5"]
