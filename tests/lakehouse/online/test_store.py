"""One contract for all engines, each the real thing: LMDB in a folder, Redis servers of the tests' own: one, a cluster, by Sentinel."""

import itertools
import multiprocessing
import os
import random
import signal
import string
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from redis.cluster import RedisCluster, key_slot

from lakehouse.config import Config
from lakehouse.errors import StoreError
from lakehouse.machine import wait_until
from lakehouse.online import redis_store
from lakehouse.online.engines import open_store, store_url
from lakehouse.online.redis_cluster import RedisClusterStore
from lakehouse.online.redis_store import RedisStore
from lakehouse.online.store import MOST, Document, Entry, OnlineStore
from tests.lakehouse.online import store_writers
from tests.redis_server import cluster, running, sentinel

DAY_MS = 86_400_000
_number = itertools.count()


@pytest.fixture(params=["lmdb", "redis", "cluster", "sentinel"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a store that is empty."""
    if request.param == "lmdb":
        return f"lmdb://{tmp_path}/online"
    if request.param == "cluster":
        return str(request.getfixturevalue("redis_cluster_url"))
    return f"{request.getfixturevalue('redis_url' if request.param == 'redis' else 'redis_sentinel_url')}/{next(_number) % 16}"


@pytest.fixture
def store(url: str) -> Iterator[OnlineStore]:
    opened = fresh(url)
    yield opened
    opened.close()


def fresh(url: str) -> OnlineStore:
    """Empty also where an earlier test used the same Redis database. A slow machine is not what is tested."""
    store = open_store(url, timeout_ms=5000)
    if isinstance(store, RedisClusterStore):
        store._redis.flushdb(target_nodes=RedisCluster.PRIMARIES)
    elif isinstance(store, RedisStore):
        store._redis.flushdb()
    return store


def test_a_document_is_read_back_and_one_that_never_was_is_none(store: OnlineStore) -> None:
    assert store.put([Document("p:a", 1, b"one"), Document("p:b", 1, b"")]) == 2
    assert store.get(["p:b", "p:x", "p:a", "p:a"]) == [b"", None, b"one", b"one"]
    assert store.get([]) == []


def test_an_older_version_and_the_same_again_change_nothing(store: OnlineStore) -> None:
    store.put([Document("k", 5, b"five")])
    assert store.put([Document("k", 5, b"other"), Document("k", 4, b"four")]) == 0
    assert store.get(["k"]) == [b"five"]
    assert store.put([Document("k", MOST, b"last"), Document("k", MOST - 1, b"not")]) == 1
    assert store.get(["k"]) == [b"last"]


def test_what_is_gone_does_not_come_back_with_an_older_version(store: OnlineStore) -> None:
    store.put([Document("k", 5, b"five"), Document("k", 6, None)])
    assert store.get(["k"]) == [None]
    assert store.put([Document("k", 5, b"five")]) == 0
    assert list(store.scan("")) == []
    assert store.put([Document("k", 7, b"seven")]) == 1
    assert store.get(["k"]) == [b"seven"]


@pytest.mark.parametrize("seed", range(3))
def test_replays_in_any_order_end_at_the_newest_versions(store: OnlineStore, seed: int) -> None:
    choose = random.Random(seed)
    documents = [Document(f"k{choose.randrange(40)}", v, choose.choice([None, str(v).encode()])) for v in range(600)]
    newest = {one.key: one.value for one in documents}  # ascending versions: the last one said
    choose.shuffle(documents)
    for start in range(0, 600, 97):
        store.put(documents[start : start + 120])  # overlapping: a part is put twice
    assert dict(zip(newest, store.get(list(newest)), strict=True)) == newest
    assert dict(store.scan("k")) == {key: value for key, value in newest.items() if value is not None}


def test_scan_finds_what_begins_so_and_takes_no_character_for_a_pattern(store: OnlineStore) -> None:
    long = "é" * 400  # 800 bytes: more than LMDB's keys hold
    keys = ["p:1", "p:2", "px", "p*", "p[1]", "p?", "i:p:1", long + "a", long + "b", "k\0", "\ud800"]
    store.put([Document(key, 1, key.encode("utf-8", "surrogatepass")) for key in keys])
    for prefix in ["", "p:", "p*", "p[", "p?", "p", "é", long, long + "b", "k\0", "\ud800", "zzz"]:
        found = list(store.scan(prefix))
        assert sorted(key for key, _ in found) == sorted(key for key in keys if key.startswith(prefix))
        assert all(value == key.encode("utf-8", "surrogatepass") for key, value in found)


def test_scan_names_each_of_many_once_while_others_write(store: OnlineStore) -> None:
    store.put(Document(f"p:{n:05}", 1, b"x") for n in range(3500))
    found = []
    for count, (key, _) in enumerate(store.scan("p:")):
        found.append(key)
        if count % 500 == 0:
            store.put([Document(f"q:{count}", 1, b"y"), Document(f"p:{count:05}", 2, b"z")])
    assert sorted(found) == [f"p:{n:05}" for n in range(3500)]


def test_what_is_few_is_found_without_looking_through_everything(store: OnlineStore, url: str) -> None:
    store.put(Document(f"p:{number}", 1, b"x") for number in range(3000))
    store.put([Document("u:a", 1, b"a"), Document("u:b", 1, b"b"), Document("b:c", 1, b"c")])
    if url.startswith("redis"):
        store._redis.delete(b"stitchlake:l:u:")  # type: ignore[attr-defined] # as if an earlier version had written
    assert sorted(store.scan("u:")) == [("u:a", b"a"), ("u:b", b"b")]
    other = open_store(url, timeout_ms=5000)
    other.put([Document("u:b", 2, None), Document("u:d", 1, b"d")])
    if url.startswith("redis"):
        store._redis.config_resetstat()  # type: ignore[attr-defined]
    assert sorted(store.scan("u:")) == [("u:a", b"a"), ("u:d", b"d")]
    if url.startswith("redis://"):
        assert "cmdstat_scan" not in store._redis.info("commandstats")  # type: ignore[attr-defined]
    other.close()


def test_a_timeline_is_in_order_of_time_then_id_and_keeps_the_newest(store: OnlineStore) -> None:
    entries = [Entry(30, "b", b"3b"), Entry(10, "z", b"1"), Entry(30, "a", b"3a"), Entry(-5, "old", b"0")]
    store.append({"r:x": entries}, keep=10)
    store.append({"r:xy": [Entry(99, "other", b"o")]}, keep=10)  # begins like the other: a timeline of its own
    assert [e.id for e in store.latest(["r:x"], 10)[0]] == ["b", "a", "z", "old"]
    assert store.until("r:x", 30, 2) == [Entry(-5, "old", b"0"), Entry(10, "z", b"1")]
    assert store.until("r:x", 29, 9) == [Entry(-5, "old", b"0"), Entry(10, "z", b"1")]
    store.append({"r:x": [Entry(20, "new", b"2")]}, keep=3)
    assert [e.id for e in store.latest(["r:x"], 10)[0]] == ["b", "a", "new"]
    assert store.latest(["r:none", "r:xy"], 1) == [[], [Entry(99, "other", b"o")]]
    assert store.latest(["r:x"], 0) == [[]]
    assert store.until("r:x", 10**12, 0) == []


def test_an_id_that_is_there_stays_as_it_is(store: OnlineStore) -> None:
    store.append({"r:x": [Entry(10, "m1", b"first"), Entry(11, "m1", b"twice")]}, keep=5)
    store.append({"r:x": [Entry(99, "m1", b"later")]}, keep=5)
    assert store.latest(["r:x"], 5) == [[Entry(10, "m1", b"first")]]
    assert store.remove("r:x", ["m1", "m1", "m2"]) == 1
    assert store.remove("r:x", ["m1"]) == 0
    assert store.remove("r:x", []) == 0
    store.append({"r:x": [Entry(99, "m1", b"later")]}, keep=5)
    assert store.latest(["r:x"], 5) == [[Entry(99, "m1", b"later")]]


PAST_MS, NOW_MS, FUTURE_MS = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) for year in (2001, 2020, 2100))


def expire(store: OnlineStore) -> None:
    while store.expire(NOW_MS, 2) == 2:
        pass


def test_a_document_is_there_up_to_its_end_and_gone_some_time_after(store: OnlineStore) -> None:
    ends = {"d:past": PAST_MS, "d:later": FUTURE_MS, "d:never": None, "é" * 400: PAST_MS}
    store.put(Document(key, 7, b"x", ends_ms) for key, ends_ms in ends.items())
    store.put([Document("d:moved", 1, b"x", PAST_MS), Document("d:gone", 1, None, PAST_MS)])
    store.put([Document("d:moved", 2, b"y", FUTURE_MS)])
    expire(store)
    assert store.get(list(ends)) == [None, b"x", b"x", None]
    assert store.get(["d:moved"]) == [b"y"]
    assert store.put([Document("d:past", 1, b"z"), Document("d:gone", 1, b"z")]) == 2  # the version is forgotten, too
    assert store.put([Document("d:later", 1, b"z"), Document("d:never", 1, b"z")]) == 0
    expire(store)
    assert store.get(["d:past", "d:later"]) == [b"z", b"x"]
    assert sorted(key for key, _ in store.scan("d:")) == ["d:gone", "d:later", "d:moved", "d:never", "d:past"]


def test_a_timeline_ends_after_its_newest_entry(store: OnlineStore) -> None:
    old, new = Entry(PAST_MS, "m1", b"old"), Entry(FUTURE_MS, "m2", b"new")
    store.append({"r:past": [old], "r:went_on": [old]}, keep=9, keep_ms=DAY_MS)
    store.append({"r:never": [old]}, keep=9)
    store.append({"r:went_on": [new]}, keep=9, keep_ms=DAY_MS)
    store.append({"r:emptied": [old]}, keep=9, keep_ms=DAY_MS)
    store.remove("r:emptied", ["m1"])
    store.append({"r:emptied": [old]}, keep=9)
    expire(store)
    found = store.latest(["r:past", "r:never", "r:emptied"], 9)
    assert found == [[], [old], [old]]
    assert store.latest(["r:went_on"], 1) == [[new]]
    store.append({"r:past": [Entry(FUTURE_MS, "m1", b"again")]}, keep=9, keep_ms=DAY_MS)
    expire(store)
    assert store.latest(["r:past"], 9) == [[Entry(FUTURE_MS, "m1", b"again")]]


def test_many_timelines_are_added_to_at_once(store: OnlineStore) -> None:
    sent = {f"r:{n}": [Entry(at, f"m{at}", str(n).encode()) for at in range(n % 3 + 1)] for n in range(1_200)}
    store.append(sent, keep=2)
    store.append(sent, keep=2)
    for key, entries in sent.items():
        assert store.latest([key], 5) == [entries[::-1][:2]]


def test_many_threads_write_each_version_once(store: OnlineStore) -> None:
    with ThreadPoolExecutor(6) as pool:
        assert sum(len(own) for own in pool.map(lambda _: store_writers.firsts(store, 60), range(6))) == 60


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., list["Future[Any]"]]]:
    """Lets two processes of their own act at once; the same two for all engines, for a start is what it costs."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, spawn, store_writers.meet_at, (spawn.Barrier(2),)) as pool:
        yield lambda act, url, *told: [pool.submit(act, url, one) for one in told]


def test_two_processes_write_each_version_once(store: OnlineStore, url: str, processes: Any) -> None:
    won = [future.result(60) for future in processes(store_writers.first_writes, url, 200, 200)]
    assert sorted([*won[0], *won[1]]) == list(range(200))


def test_two_processes_write_and_a_third_reads(store: OnlineStore, url: str, processes: Any) -> None:
    writing = processes(store_writers.write_versions, url, 0, 1)
    seen = 0
    while not all(future.done() for future in writing):
        found = store.get(["k0"])[0]
        assert int(found or b"0") >= seen, "a version went back"
        seen = int(found or b"0")
    assert [future.result() for future in writing] == [None, None]
    newest = {f"k{version % 7}": b"%d" % version for version in range(400)}
    assert dict(store.scan("k")) == newest
    assert [e.at_ms for e in store.latest(["r:t"], 999)[0]] == list(range(399, 299, -1))


def test_one_closed_leaves_the_other_of_the_same_place_open(store: OnlineStore, url: str) -> None:
    other = open_store(url)
    other.put([Document("k", 1, b"x")])
    other.close()
    other.close()
    with pytest.raises(StoreError, match="closed"):
        other.get(["k"])
    assert store.get(["k"]) == [b"x"]


@pytest.mark.parametrize("version", [-1, MOST + 1])
def test_a_version_or_time_out_of_range_is_refused(store: OnlineStore, version: int) -> None:
    with pytest.raises(StoreError, match="version"):
        store.put([Document("k", version, b"x")])
    with pytest.raises(StoreError, match="time"):
        store.append({"t": [Entry(-MOST - 1, "a", b"")]}, keep=1)


KEYS = st.sampled_from(["a", "ab", "b", "é" * 300, "é" * 300 + "x"])
TEXTS = st.text(string.ascii_lowercase + "é\0 :", min_size=1, max_size=3)
ENTRIES = st.lists(st.builds(Entry, st.integers(-3, 6), TEXTS, st.binary(max_size=2)), max_size=5)


class LikeAModel(RuleBasedStateMachine):
    """The store does what a few lines over plain dictionaries do."""

    store: OnlineStore

    def __init__(self) -> None:
        super().__init__()
        self.run = f"{next(_number)}:"
        self.documents: dict[str, Document] = {}
        self.timelines: dict[str, list[Entry]] = {}

    @rule(rows=st.lists(st.tuples(KEYS, st.integers(0, 9), st.none() | st.binary(max_size=3)), max_size=6))
    def put(self, rows: list[tuple[str, int, bytes | None]]) -> None:
        written = 0
        for key, version, value in rows:
            if key not in self.documents or self.documents[key].version < version:
                self.documents[key] = Document(key, version, value)
                written += 1
        assert self.store.put(Document(self.run + key, *rest) for key, *rest in rows) == written

    @rule(key=KEYS, entries=ENTRIES, keep=st.integers(0, 5))
    def append(self, key: str, entries: list[Entry], keep: int) -> None:
        kept = self.timelines.setdefault(key, [])
        for entry in entries:
            if entry.id not in {one.id for one in kept}:
                kept.append(entry)
        if entries:
            self.timelines[key] = _ordered(kept)[max(len(kept) - keep, 0) :]
        self.store.append({self.run + key: entries}, keep=keep)

    @rule(key=KEYS, ids=st.lists(TEXTS, max_size=4))
    def remove(self, key: str, ids: list[str]) -> None:
        before = self.timelines.get(key, [])
        self.timelines[key] = [entry for entry in before if entry.id not in ids]
        assert self.store.remove(self.run + key, ids) == len(before) - len(self.timelines[key])

    @rule(key=KEYS, at=st.integers(-4, 7), limit=st.integers(0, 4))
    def look(self, key: str, at: int, limit: int) -> None:
        oldest = [entry for entry in self.timelines.get(key, []) if entry.at_ms <= at][:limit]
        assert self.store.until(self.run + key, at, limit) == oldest
        assert self.store.latest([self.run + key], limit) == [self.timelines.get(key, [])[::-1][:limit]]

    @invariant()
    def documents_are_the_same(self) -> None:
        there = {self.run + key: one.value for key, one in self.documents.items() if one.value is not None}
        assert dict(self.store.scan(self.run)) == there
        keys, timelines = [self.run + key for key in self.documents], [self.run + key for key in self.timelines]
        values = [one.value for one in self.documents.values()]
        assert self.store.get(keys) == values
        for count in (0, 2):
            newest = [kept[::-1][:count] for kept in self.timelines.values()]
            assert self.store.read([*keys, "none"], timelines, count) == ([*values, None], newest)


def _ordered(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (entry.at_ms, entry.id))


def test_the_store_does_what_a_model_does(store: OnlineStore) -> None:
    machine = type("OfThisStore", (LikeAModel,), {"store": store})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=15, deadline=None, derandomize=True, suppress_health_check=checks
        ),
    )


def test_a_frozen_redis_raises_within_the_timeout_and_answers_again_once_it_thaws(tmp_path: Path) -> None:
    with running(tmp_path) as (url, pid):
        store = open_store(url, timeout_ms=100)
        store.put([Document("k", 1, b"x")])
        os.kill(pid, signal.SIGSTOP)
        try:
            for call in (
                lambda: store.get(["k"]),
                lambda: store.put([Document("k", 2, b"y")]),
                lambda: list(store.scan("k")),
                lambda: store.latest(["t"], 1),
            ):
                started = time.perf_counter()
                with pytest.raises(StoreError, match="no answer"):
                    call()
                assert time.perf_counter() - started < 0.5
        finally:
            os.kill(pid, signal.SIGCONT)
        assert store.get(["k"])[0] in (b"x", b"y")


def test_a_redis_that_is_not_there_or_was_restarted(tmp_path: Path) -> None:
    with running(tmp_path) as (url, _):
        store = open_store(url)
        assert store.put([Document("c", 1, b"x")]) == 1
        store._redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")  # type: ignore[attr-defined]
        assert store.get(["k"]) == [None], "a connection that was cut is opened again"
    with pytest.raises(StoreError, match=r"no answer.*ConnectionError"):
        store.get(["k"])


PATIENCE = 60


def test_what_one_command_touches_in_a_cluster_is_in_one_slot() -> None:
    for key in ("r:user_id:ana", "due:crm", "x:email:a{b}c", "s:{x}"):
        assert len({key_slot(name) for name in redis_store._both(key)}) == 1


def test_a_node_of_a_cluster_that_goes_away_costs_its_own_slots_and_comes_back(tmp_path: Path) -> None:
    documents = [Document(f"p:{number}", 1, b"x") for number in range(30)]
    keys = [document.key for document in documents]
    with cluster(tmp_path) as (url, processes):
        store = open_store(url, timeout_ms=500)
        assert store.put(documents) == 30
        os.kill(processes[1].pid, signal.SIGSTOP)
        try:
            with pytest.raises(StoreError, match="redis cluster at "):
                store.get(keys)
        finally:
            os.kill(processes[1].pid, signal.SIGCONT)

        def is_back() -> bool:
            try:
                return store.get(keys) == [b"x"] * 30
            except StoreError:
                return False

        assert wait_until(is_back, PATIENCE)
        store._redis.script_flush()  # type: ignore[attr-defined]
        assert store.put(Document(key, 2, b"y") for key in keys) == 30
        store.close()


def test_a_server_that_dies_is_followed_to_the_one_that_sentinel_names_next(tmp_path: Path) -> None:
    with sentinel(tmp_path) as (url, process):
        store = open_store(url, timeout_ms=500)
        store.put([Document("k", 1, b"x")])
        assert store._redis.wait(1, 5000) == 1  # type: ignore[attr-defined] # the replica has it
        process.kill()
        process.wait()
        with pytest.raises(StoreError, match="redis 'lake' by the Sentinels at"):
            store.get(["k"])

        def is_taken_over() -> bool:
            try:
                return store.put([Document("k", 2, b"y")]) == 1 or store.get(["k"]) == [b"y"]
            except StoreError:
                return False

        assert wait_until(is_taken_over, PATIENCE)
        assert store.get(["k"]) == [b"y"]
        store.close()


def test_a_cluster_and_sentinels_that_are_not_there_are_noticed_by_the_first_call() -> None:
    for url in ("redis+cluster://u:secret@127.0.0.1:1", "redis+sentinel://u:secret@127.0.0.1:1/lake"):
        store = open_store(url)
        with pytest.raises(StoreError, match="no answer") as told:
            store.get(["k"])
        assert "secret" not in str(told.value)
        store.close()


def test_a_password_is_never_told() -> None:
    store = open_store("redis://user:secret@127.0.0.1:1/0")
    with pytest.raises(StoreError) as told:
        store.get(["k"])
    assert "secret" not in str(told.value)
    with pytest.raises(StoreError) as told:
        open_store("rediss+x://user:secret@host")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("url", ["", "lmdb://", "mongodb://x", "/tmp/x", "redis://h:port"])
def test_an_unknown_url_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match=r"online_store\.url"):
        open_store(url)


def test_without_a_url_the_store_is_in_the_lake(config: Config) -> None:
    assert store_url(config) == f"lmdb://{config.lake.root}/_online"
