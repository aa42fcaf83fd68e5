"""What is told on a real topic, of a real lake: the gate is asked with what gold and the service say now."""

import dataclasses
import itertools
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
import yaml
from kafka import KafkaConsumer

from lakehouse.audiences.declaration import DeclaredAudience
from lakehouse.audiences.teller import Gates, Hearing, teller
from lakehouse.audiences.telling import Change
from lakehouse.decisions.gate import Permitted, Refused
from lakehouse.decisions.visitor import suppression
from lakehouse.experiments.assignment import bucket
from lakehouse.kafka import admin, clients
from lakehouse.kafka.broker import RunningBroker
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.kafka.topics import event_topics
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.online.engines import open_kept_store
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.audiences import GOLD_AUDIENCES
from lakehouse.tables.audiences import OPS_AUDIENCE_MEMBERS
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP
from tests.lakehouse.exports.test_heard import finished
from tests.small_lake import build, copy_empty_tables

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VIP = DeclaredAudience(name="vip", owner="o", description="d", where="TRUE", purpose="marketing")
KNOWN = VIP.model_copy(update={"name": "known", "purpose": "analytics", "use": "profile"})


@pytest.fixture
def here(lake: Lake, kafka: RunningBroker) -> Lake:
    config = dataclasses.replace(
        lake.config,
        kafka=dataclasses.replace(
            lake.config.kafka, bootstrap_servers=kafka.bootstrap_servers, events_topic="heard_by_audiences"
        ),
        audiences=dataclasses.replace(lake.config.audiences, topic="told_of_audiences"),
    )
    return build(Lake(lake.spark, config))


def member(lake: Lake, profile_id: str, audience: str) -> None:
    row = {"profile_id": profile_id, "audience": audience, "version": "1", "valid_from": NOW, "valid_to": None}
    lake.add(pa.Table.from_pylist([row], arrow_schema(GOLD_AUDIENCES)), GOLD_AUDIENCES)


def on_topic(lake: Lake) -> list[dict[str, Any]]:
    """All that is there."""
    consumer = KafkaConsumer(
        lake.config.audiences.topic, **clients.python_consumer(lake.config.kafka), auto_offset_reset="earliest", consumer_timeout_ms=1500
    )  # fmt: skip
    with closing(consumer):
        return [orjson.loads(record.value) for record in consumer]


def set_row(lake: Lake, table: Table, profile_id: str, **columns: Any) -> None:
    (row,) = lake.rows_with(table, "profile_id", [profile_id]).to_pylist()
    lake.upsert(pa.Table.from_pylist([row | columns], arrow_schema(table)), table)


def test_who_entered_and_who_withdrew_are_on_the_topic(here: Lake) -> None:
    fresh = BatchRecord(0, first_arrival=NOW - timedelta(seconds=5))
    for name in ("ann-phone", "bob-web", "cat-web"):
        member(here, name, "vip")
    set_row(here, GOLD_ACTIVATION, "ann-phone", consent_marketing=True, is_suppressed=None)
    set_row(here, GOLD_ACTIVATION, "bob-web", consent_marketing=False, is_suppressed=None)
    set_row(here, GOLD_ACTIVATION, "cat-web", consent_marketing=True, is_suppressed=True)
    telling = teller(here, {"vip": VIP}, lambda: open_kept_store(here.config), clock=lambda: NOW)
    assert telling is not None
    telling.tell((), fresh)
    (held,) = here.rows_with(OPS_AUDIENCE_MEMBERS, "audience", ["vip"]).to_pylist()
    assert (held["profile_id"], held["is_open"]) == ("ann-phone", False)
    set_row(here, GOLD_ACTIVATION, "ann-phone", consent_marketing=False)
    telling.tell({"ann-phone"}, fresh)
    assert [(one["profile_id"], one["change"]) for one in on_topic(here)] == [
        ("ann-phone", "entered"),
        ("ann-phone", "left"),
    ]
    assert here.read(OPS_AUDIENCE_MEMBERS).count() == 0


def test_the_gate_knows_purpose_use_suppressions_of_the_service_and_experiments(here: Lake, tmp_path: Path) -> None:
    set_row(here, GOLD_ACTIVATION, "ann-phone", consent_marketing=False, consent_analytics=True, is_suppressed=None)
    set_row(here, GOLD_ACTIVATION, "bob-web", consent_marketing=True, consent_analytics=True, is_suppressed=None)
    path = tmp_path / "experiments.yaml"
    kept = open_kept_store(here.config)
    gates = Gates(here, kept, lambda: NOW, path)

    def may(profile_id: str, declared: DeclaredAudience) -> bool:
        change = Change(
            event_id="i", profile_id=profile_id, audience=declared.name, change="entered", at=NOW, purpose=declared.purpose
        )  # fmt: skip
        verdict = gates.look([profile_id]).permit(change, declared)
        assert isinstance(verdict, Permitted | Refused)
        return isinstance(verdict, Permitted)

    assert not may("bob-web", VIP), "no experiments could ever be read"
    path.write_text(yaml.safe_dump({"experiments": []}))
    assert may("bob-web", VIP)
    assert not may("ann-phone", VIP)
    assert may("ann-phone", KNOWN)
    assert not may("nobody", KNOWN)
    path.write_text("experiments: [{")
    assert may("bob-web", VIP), "those of before stay in force"
    salt = next(f"s{n}" for n in itertools.count() if bucket(f"s{n}", "bob-web") < 5000)
    path.write_text(yaml.safe_dump({"experiments": [], "holdout": {"share": 0.5, "salt": salt}}))
    assert not may("bob-web", VIP)
    assert not may("bob-web", KNOWN)
    path.write_text(yaml.safe_dump({"experiments": []}))
    edge = (
        here.read(SILVER_IDENTITY_EDGES)
        .join(here.read(SILVER_IDENTITY_MAP), "actor_id")
        .where("profile_id = 'bob-web'")
        .first()
    )
    assert edge is not None
    kept.put([suppression((edge["identifier_type"], edge["identifier_token"]), NOW, is_suppressed=True)])
    assert not may("bob-web", VIP)
    kept.close()


@pytest.mark.parametrize(("waited", "heard"), [(29, True), (31, False)])
def test_a_batch_that_is_up_to_date_knows_what_was_said_and_a_backlog_does_not(
    here: Lake, waited: int, heard: bool
) -> None:
    topic, kafka = here.config.kafka.events_topic, here.config.kafka
    admin.create_topic(kafka, topic, 1)
    produce([Message(b"k", b"{}", NOW)] * 3, kafka, topic, on_progress=lambda _: None)
    end = int(admin.end_offsets(kafka, event_topics(kafka))[topic]["0"])
    lake = Path(here.root)
    finished(lake, 6, end - 2, topic)
    finished(lake, 7, end - 1, topic)
    hearing = Hearing(here, lambda: NOW)
    record = BatchRecord(7, first_arrival=NOW - timedelta(seconds=waited))
    assert hearing.is_heard(record) is heard
    assert not hearing.is_heard(None)
    finished(lake, 8, end, topic)
    assert hearing.is_heard(None)
    assert hearing.is_heard(BatchRecord(8, first_arrival=NOW - timedelta(days=1))), "all there is, however old"


def test_without_a_topic_nobody_is_told(lake: Lake) -> None:
    copy_empty_tables(lake)
    lake.config = dataclasses.replace(lake.config, audiences=dataclasses.replace(lake.config.audiences, topic=""))

    def never() -> Iterator[None]:
        raise AssertionError

    assert teller(lake, {"vip": VIP}, never, clock=lambda: NOW) is None  # type: ignore[arg-type] # it is not called
