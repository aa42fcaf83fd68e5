"""A person taken out of a store, to the last byte on disk; everybody else's stays, whoever writes meanwhile."""

import multiprocessing
from contextlib import closing
from pathlib import Path

import orjson

from lakehouse.online.forgetting import forget
from lakehouse.online.lmdb_store import LmdbStore
from lakehouse.online.store import MOST, Document, Entry

ANN, FAMILY = ("email", "k1:aaaabbbbccccdddd"), ("device_id", "tv-of-the-family")
WRITES = 150


def test_whatever_is_hers_goes_and_nothing_else(tmp_path: Path) -> None:
    hers = {
        "p:ann-1": b"{}",
        "i:email:k1:aaaabbbbccccdddd": b'"ann-1"',
        "unit:profile_id:ann-1": b"[1]",
        "m:email:k1:aaaabbbbccccdddd": b"{}",
        "d:7": orjson.dumps({"unit": "ann-1"}),
        "d:8": orjson.dumps({"unit": ":".join(ANN)}),
        "o:7:bought": b"{}",
        "a:7:mail": b"{}",
        "a:9:mail": orjson.dumps({"action": {"identifiers": [ANN]}}),
    }
    others = {
        "p:bob-1": b"{}",
        "i:device_id:tv-of-the-family": b'"bob-1"',
        "d:6": orjson.dumps({"unit": "bob-1"}),
        "o:6:bought": b"{}",
        "a:6:mail": orjson.dumps({"action": {"identifiers": [FAMILY]}}),
        "d:x": b"no JSON",
    }
    user = ("user_id", "ann-4711")
    with closing(LmdbStore(tmp_path / "online")) as store:
        store.put(Document(key, 1, value) for key, value in {**hers, **others}.items())
        mine, bobs = (Entry(1, name, orjson.dumps({"user": name})) for name in ("ann-4711", "bob"))
        store.append({"x:email:k1:aaaabbbbccccdddd": [mine], "s:device_id:tv-of-the-family": [mine, bobs]}, keep=9)
        store.append(
            {"timers:1": [Entry(5, "5@ann", ":".join(ANN).encode()), Entry(6, "6@bob", b"user_id:bob")]}, keep=9
        )
        count = forget(store, [ANN, user], [FAMILY], ["ann-1"], ["timers:0", "timers:1"])
        assert count == len(hers) + 3
        assert store.get([*hers]) == [None] * len(hers)
        assert store.get([*others]) == [*others.values()]
        assert [entry.id for entry in store.latest(["s:device_id:tv-of-the-family"], 9)[0]] == ["bob"]
        assert [entry.id for entry in store.until("timers:1", MOST, 9)] == ["6@bob"]
        assert store.put([Document("p:ann-1", 1, b"{}")]) == 1  # not even a version is left: who comes anew is new


def _write(folder: Path, number: int) -> None:
    with closing(LmdbStore(folder, survives=True)) as store:
        for one in range(WRITES):
            assert store.put([Document(f"p:{number}-{one}", 1, b"x" * 100)]) == 1


def test_a_store_written_anew_has_nothing_of_what_is_gone_and_loses_no_write(tmp_path: Path) -> None:
    folder, secret = tmp_path / "kept", b"k1:aaaabbbbccccdddd"
    with closing(LmdbStore(folder, survives=True)) as store:
        store.put([Document(f"i:email:{secret.decode()}{n}", 1, secret) for n in range(200)])
        forget(store, [("email", f"{secret.decode()}{n}") for n in range(200)], [], [], [])
        data = folder / "store" / "data.mdb"
        assert secret in data.read_bytes()  # as LMDB leaves it
        spawn = multiprocessing.get_context("spawn")
        writers = [spawn.Process(target=_write, args=(folder, number)) for number in range(2)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            store.rewrite()
        for writer in writers:
            writer.join()
            assert writer.exitcode == 0
        store.rewrite()
        assert secret not in data.read_bytes()
        keys = [f"p:{number}-{one}" for number in range(2) for one in range(WRITES)]
        assert None not in store.get(keys)
        assert [path.name for path in folder.iterdir()] == ["store"]
