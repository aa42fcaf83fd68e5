"""What experiments began with: kept at once, told to Kafka once, never moved by a later start or a changed file."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse.errors import BrokerError, RuleError
from lakehouse.events.facts import ExperimentStart, read
from lakehouse.experiments.definitions import read_experiments
from lakehouse.online.engines import open_store
from lakehouse.online.fact_documents import START, document, start_in
from lakehouse.online.store import Document, OnlineStore
from serving.state.reloadable import Reloadable
from serving.state.running_experiments import Starts, read_running

NOW = datetime(2026, 11, 26, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
TEXT = """
experiments:
  - {name: one, owner: x, layer: l, buckets: [0, 5000], arms: [{name: a}, {name: b, weight: 3}], baseline: a, metrics: [m]}
  - {name: soon, owner: x, layer: k, buckets: [0, 10000], arms: [{name: a}, {name: b}], baseline: a, metrics: [m],
     valid_from: 2026-11-27T00:00:00Z}
metrics: []
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "experiments.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OnlineStore]:
    opened = open_store(f"lmdb://{tmp_path}/kept")
    yield opened
    opened.close()


def kept(store: OnlineStore) -> dict[str, ExperimentStart | None]:
    return {key.removeprefix(START): start_in(value) for key, value in store.scan(START)}


def test_what_runs_is_kept_as_it_began_and_a_change_is_refused(file: Path, store: OnlineStore) -> None:
    began = read_running(file, store, NOW).by_name["one"].start(NOW_MS)
    assert kept(store) == {"one": began}
    read_running(file, store, NOW + timedelta(hours=1))
    file.write_text(TEXT.replace("weight: 3", "weight: 4"))
    with pytest.raises(RuleError, match="one: its arms"):
        read_running(file, store, NOW + timedelta(hours=2))
    assert kept(store) == {"one": began}


def test_a_store_that_the_lake_filled_again_holds_a_later_file_to_the_first_start(
    file: Path, store: OnlineStore
) -> None:
    began = read_experiments(file).by_name["one"].start(NOW_MS)
    file.write_text(TEXT.replace("weight: 3", "weight: 4"))
    read_running(file, store, NOW + timedelta(days=1))  # the store was emptied, and knows no better
    store.put([document(began)])  # as fill_facts does
    with pytest.raises(RuleError, match="one: its arms"):
        read_running(file, store, NOW + timedelta(days=1))


def test_what_an_earlier_release_kept_still_holds_and_gets_its_form(file: Path, store: OnlineStore) -> None:
    one = read_experiments(file).by_name["one"]
    store.put([Document(START + "one", NOW_MS, b"0123456789abcdef")])
    with pytest.raises(RuleError, match="one: its arms"):
        read_running(file, store, NOW)
    store.put([Document(START + "one", NOW_MS + 1, one.fingerprint.encode())])
    read_running(file, store, NOW)
    assert kept(store) == {"one": one.start(NOW_MS)}


class Out:
    """Kafka, as far as it is asked for here: what was sent, and whether it takes it."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.is_connected = self.takes = True

    def send(self, topic: str, key: bytes, value: bytes) -> "asyncio.Future[None]":
        self.sent.append((topic, read(orjson.loads(value))))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.takes:
            done.set_result(None)
        else:
            done.set_exception(BrokerError("not taken"))
        return done


def test_kafka_is_told_of_each_start_once_also_of_what_begins_later(file: Path, store: OnlineStore) -> None:
    times = [NOW]
    experiments = Reloadable(file, lambda path: read_running(path, store, times[0]))
    out: Any = Out()
    out.takes = False
    starts = Starts(experiments, store, out, "events", lambda: times[0])
    asyncio.run(starts.tell())
    out.takes = True
    for _ in range(2):
        asyncio.run(starts.tell())
    one = kept(store)["one"]
    assert out.sent == [("events", one)] * 2, "not taken, then taken"
    times[0] = NOW + timedelta(days=2)  # nobody touches the file, and `soon` begins
    asyncio.run(starts.tell())
    soon = kept(store)["soon"]
    assert soon == replace(read_experiments(file).by_name["soon"].start(0), at_ms=int(times[0].timestamp() * 1000))
    assert out.sent[2:] == [("events", soon)]
    out.is_connected = False
    asyncio.run(Starts(experiments, store, out, "events", lambda: times[0]).tell())
    assert len(out.sent) == 3


def test_what_begins_while_kafka_is_away_is_kept_at_once(file: Path, store: OnlineStore) -> None:
    times = [NOW]
    experiments = Reloadable(file, lambda path: read_running(path, store, times[0]))
    out: Any = Out()
    out.is_connected = False
    assert experiments.current is not None
    times[0] = NOW + timedelta(days=2)
    asyncio.run(Starts(experiments, store, out, "events", lambda: times[0]).tell())
    assert kept(store)["soon"] is not None
    assert out.sent == []
