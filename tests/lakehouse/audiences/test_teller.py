"""What is told on a real topic, of a real lake: the gate is asked with what gold and the service say now."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count, product
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
from tests.lakehouse.exports.test_permission import (
    CONSENTS,
    GROUPS,
    QUIET,
    SALT,
    SUPPRESSIONS,
    may_leave,
    named,
    with_consent,
)
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
    assert (held["profile_id"], held["state"]) == ("ann-phone", "in")
    set_row(here, GOLD_ACTIVATION, "ann-phone", consent_marketing=False)
    telling.tell({"ann-phone"}, fresh)
    assert [(one["profile_id"], one["change"]) for one in on_topic(here)] == [
        ("ann-phone", "entered"),
        ("ann-phone", "left"),
    ]
    assert here.read(OPS_AUDIENCE_MEMBERS).count() == 0


def may(gates: Gates, profile_id: str, declared: DeclaredAudience) -> bool:
    change = Change(
        event_id="i", profile_id=profile_id, audience=declared.name, change="entered", at=NOW, purpose=declared.purpose
    )
    verdict = gates.look([profile_id]).permit(change, declared)
    assert isinstance(verdict, Permitted | Refused)
    return isinstance(verdict, Permitted)


def test_nobody_is_told_of_against_their_word_and_everybody_else_is(here: Lake, tmp_path: Path) -> None:
    """The same matrix as that of exports."""
    (like,) = here.rows_with(GOLD_ACTIVATION, "profile_id", ["bob-web"]).to_pylist()
    people = {
        named(group, n): (consent, said, group)
        for n, (consent, said, group) in enumerate(product(CONSENTS, SUPPRESSIONS, GROUPS))
    }
    rows = [
        like | {"profile_id": name, "consent_marketing": consent, "is_suppressed": said == "by the lake" or None}
        for name, (consent, said, _) in people.items()
    ]  # fmt: skip
    here.add(pa.Table.from_pylist(rows, arrow_schema(GOLD_ACTIVATION)), GOLD_ACTIVATION)
    just_now = [name for name, (_, said, _) in people.items() if said == "just now"]
    edges = [
        {"actor_id": name, "identifier_type": "email", "identifier_token": f"token-{name}", "first_seen_at": NOW, "kind": "deterministic", "weight": 1.0}
        for name in just_now
    ]  # fmt: skip
    placed = [
        {"actor_id": name, "profile_id": name, "component_id": name, "first_seen_at": NOW, "resolved_at": NOW}
        for name in just_now
    ]
    here.add(pa.Table.from_pylist(edges, arrow_schema(SILVER_IDENTITY_EDGES)), SILVER_IDENTITY_EDGES)
    here.add(pa.Table.from_pylist(placed, arrow_schema(SILVER_IDENTITY_MAP)), SILVER_IDENTITY_MAP)
    (path := tmp_path / "experiments.yaml").write_text(
        yaml.safe_dump({"experiments": [QUIET], "holdout": {"share": 0.3, "salt": SALT}})
    )
    with closing(open_kept_store(here.config)) as kept:
        kept.put([suppression(("email", f"token-{name}"), NOW, is_suppressed=True) for name in just_now])
        for word, is_assumed in (("granted", True), ("denied", False)):
            gates = Gates(Lake(here.spark, with_consent(here.config, word)), kept, lambda: NOW, path)
            for declared in (VIP, VIP.model_copy(update={"use": "profile"})):
                told = {name for name in people if may(gates, name, declared)}
                expected = {
                    name for name, own in people.items() if may_leave(*own, declared.use, is_assumed=is_assumed)
                }
                assert told == expected
                assert expected


def test_each_audience_is_asked_for_its_own_purpose_and_experiments_once_read_stay_in_force(
    here: Lake, tmp_path: Path
) -> None:
    set_row(here, GOLD_ACTIVATION, "ann-phone", consent_marketing=False, consent_analytics=True, is_suppressed=None)
    set_row(here, GOLD_ACTIVATION, "bob-web", consent_marketing=True, consent_analytics=True, is_suppressed=None)
    path = tmp_path / "experiments.yaml"
    with closing(open_kept_store(here.config)) as kept:
        gates = Gates(here, kept, lambda: NOW, path)
        assert not may(gates, "bob-web", VIP), "no experiments could ever be read"
        path.write_text(yaml.safe_dump({"experiments": []}))
        told = {
            (name, one.name)
            for name in ("ann-phone", "bob-web", "nobody")
            for one in (VIP, KNOWN)
            if may(gates, name, one)
        }
        assert told == {("ann-phone", "known"), ("bob-web", "vip"), ("bob-web", "known")}
        path.write_text("experiments: [{")
        assert may(gates, "bob-web", VIP), "those of before stay in force"
        salt = next(f"s{n}" for n in count() if bucket(f"s{n}", "bob-web") < 5000)
        path.write_text(yaml.safe_dump({"experiments": [], "holdout": {"share": 0.5, "salt": salt}}))
        assert not may(gates, "bob-web", KNOWN)


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
