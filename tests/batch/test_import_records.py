"""The import on a real broker: sent once, whatever runs before the stream has taken it in; nothing is sent to try it out."""

import dataclasses
import json
import os
import signal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from kafka import KafkaProducer
from pyspark.sql import SparkSession

from batch import import_records
from lakehouse.config import Config, load
from lakehouse.config.sections import ImportsConfig
from lakehouse.errors import BrokerError, SourceError
from lakehouse.imports import begun_import, beside_stream
from lakehouse.imports.beside_stream import BesideStream
from lakehouse.kafka import admin
from lakehouse.kafka import unread as unread_records
from lakehouse.kafka.broker import RunningBroker
from lakehouse.kafka.unread import unread
from lakehouse.sources import history

ROWS = "event,customer_id,timestamp\n" + "".join(f"search,c-{n},2025-01-01\n" for n in range(7)) + "search,c-8,\n"


@pytest.fixture
def on_broker(kafka: RunningBroker, config: Config, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The configuration the job loads: the running broker, a lake and a topic of the test's own."""
    made = dataclasses.replace(
        config,
        kafka=dataclasses.replace(config.kafka, bootstrap_servers=kafka.bootstrap_servers, events_topic="imported"),
    )
    monkeypatch.setattr(import_records, "load", lambda: made)
    return made


def imported(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, ...]:
    """records, sent, known, skipped, unmapped of a run."""
    import_records.main([*argv, "--source", "simple-events"])
    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    return tuple(counts[name] for name in ("records", "sent", "known", "skipped", "unmapped"))


def test_each_record_is_sent_once(on_broker: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kafka, topic = on_broker.kafka, on_broker.kafka.events_topic
    path = tmp_path / "events.csv"
    path.write_text(ROWS)
    assert imported(capsys, str(path), "--dry-run") == (8, 8, 0, 0, 1)
    assert list(unread(kafka, topic, {})) == []
    assert imported(capsys, str(path)) == (8, 8, 0, 0, 1)
    again = path.rename(tmp_path / "again.csv")
    assert imported(capsys, str(again)) == (8, 0, 8, 0, 1)
    found = list(unread(kafka, topic, {}))
    assert len(found) == len(set(found)) == 8
    assert sum(json.loads(value)["type"] == "unmapped" for value in found) == 1
    assert len(list(unread(kafka, topic, dict.fromkeys(range(2), 10**6)))) == 0


class Killed(Exception):
    """The import ended here."""


def test_an_import_that_was_killed_goes_on_where_it_was(
    on_broker: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = dataclasses.replace(on_broker.kafka, events_topic="killed")
    config = dataclasses.replace(on_broker, kafka=kafka, imports=ImportsConfig(beside_stream=4))
    monkeypatch.setattr(import_records, "load", lambda: config)
    monkeypatch.setattr(history, "AT_ONCE", 2)
    monkeypatch.setattr(begun_import, "_EVERY_SECONDS", 0.0)
    times = iter(range(100))

    def killed(_: BesideStream) -> None:
        if next(times) in (1, 2):
            raise Killed

    monkeypatch.setattr(BesideStream, "wait", killed)
    path = tmp_path / "events.csv"
    path.write_text("event,customer_id,timestamp\n" + "".join(f"search,c-{n},2025-01-01\n" for n in range(17)))
    begun = Path(config.lake.root, "_imports", "simple-events.begun.json")
    for rows, in_topic in ((6, 8), (10, 12)):
        with pytest.raises(Killed):
            imported(capsys, str(path))
        (mark,) = json.loads(begun.read_text())["marks"].values()
        assert (mark[0], len(list(unread(kafka, "killed", {})))) == (rows, in_topic)
    assert imported(capsys, str(path)) == (17, 5, 12, 0, 0)
    values = [json.loads(value)["messageId"] for value in unread(kafka, "killed", {})]
    assert len(values) == len(set(values)) == 17
    assert not begun.exists()
    assert imported(capsys, str(path)) == (17, 0, 17, 0, 0)


def test_an_import_waits_for_the_stream_of_its_lake(
    on_broker: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(on_broker, imports=ImportsConfig(beside_stream=4))
    monkeypatch.setattr(import_records, "load", lambda: config)
    monkeypatch.setattr(beside_stream, "PATIENCE_SECONDS", 0.0)
    path = tmp_path / "events.csv"
    read_to = Path(on_broker.lake.root, "_checkpoints", "events", "offsets", "3")
    read_to.parent.mkdir(parents=True)
    for offset, is_waited_for in ((10**6, False), (0, True)):
        path.write_text(ROWS.replace("c-", f"by-{offset}-"))
        read_to.write_text(f'v1\n{{}}\n{{"imported":{{"0":{offset},"1":{offset}}}}}')
        import_records.main([str(path), "--source", "simple-events"])
        assert ("no stream reads the topic" in capsys.readouterr().err) == is_waited_for


def test_a_table_is_imported_by_what_it_has_more_of(
    on_broker: Config,
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STITCHLAKE_CACHE", str(tmp_path / "cache"))
    theirs = str(tmp_path / "theirs")

    def add(*customers: str) -> None:
        rows = pa.table(
            {
                "event": ["search"] * len(customers),
                "customer_id": customers,
                "timestamp": ["2025-02-01"] * len(customers),
            }
        )
        write_deltalake(theirs, rows, mode="append", configuration={"delta.enableChangeDataFeed": "true"})

    add("d-1", "d-2")
    assert imported(capsys, "--delta", theirs) == (2, 2, 0, 0, 0)
    add("d-3")
    assert imported(capsys, "--delta", theirs, "--dry-run") == (1, 1, 0, 0, 0)
    assert imported(capsys, "--delta", theirs) == (1, 1, 0, 0, 0), "a trial leaves no trace"
    with pytest.raises(SourceError, match="Name it by --delta"):
        imported(capsys, theirs)


def test_people_are_looked_at_and_what_is_told_is_stored(
    on_broker: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "people.csv"
    path.write_text(
        "customer_id,email,updated_at\n" + "".join(f"k-{n % 3},k{n}@example.com,2025-01-01\n" for n in range(4))
    )
    import_records.main([str(path), "--source", "crm", "--dry-run"])
    assert not list(Path(on_broker.lake.root).rglob("*.json"))
    import_records.main([str(path), "--source", "crm"])
    assert "4 records, 3 people" in capsys.readouterr().out
    (stored,) = Path(on_broker.lake.root, "_imports", "reports").glob("crm-*.json")
    told = json.loads(stored.read_text())
    assert (told["people"], told["identifiers"]["user_id"]["most_in_common"]) == (3, 2)
    assert "example.com" not in stored.read_text()


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["a.csv", "--delta", "b"],
        ["--jdbc", "jdbc:x"],
        ["--delta", "b", "--table", "t"],
        ["--jdbc", "x", "--table", "t", "--query", "q"],
        ["a.csv", "--version", "1"],
        ["a.csv", "--again"],
    ],
)
def test_what_does_not_go_together_is_refused(argv: list[str]) -> None:
    with pytest.raises(SystemExit):
        import_records.main([*argv, "--source", "crm"])


def test_a_broker_that_falls_silent_ends_the_reading(kafka: RunningBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread_records, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(unread_records, "_AT_ONCE", 1)
    monkeypatch.setattr(unread_records, "_AHEAD_KB", 1)
    admin.create_topic(kafka, "silent", 1)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    for number in range(4):  # each is more than one answer holds
        producer.send("silent", bytes([number]) * 900_000).get(20)
    producer.close()
    found = unread(kafka, "silent", {})
    assert next(found)[:1] == b"\0"
    os.kill(kafka.pid, signal.SIGSTOP)
    try:
        with pytest.raises(BrokerError, match=r"silent not read, got .*nothing in 1 s"):
            list(found)
    finally:
        os.kill(kafka.pid, signal.SIGCONT)


def test_a_file_that_is_not_there_is_told_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        import_records.main([str(tmp_path / "none.csv"), "--source", "crm"])


def test_a_broker_that_is_away_is_told() -> None:
    with pytest.raises(BrokerError, match="no answer, expected a broker"):
        list(unread(RunningBroker(bootstrap_servers="127.0.0.1:1", pid=0), "events", {}))
    assert load("dev", environ={}).kafka.events_topic == "events"
