"""What only the embedded store can meet: full maps, replaced, foreign, truncated and lost files, a killed writer."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lmdb
import pytest

from lakehouse.errors import StoreError
from lakehouse.online import lmdb_environment
from lakehouse.online.engines import open_store
from lakehouse.online.store import Document, Entry, OnlineStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "online"


@pytest.fixture
def store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnlineStore]:
    monkeypatch.setattr(lmdb_environment, "LOOK_SECONDS", 0.0)
    opened = open_store(f"lmdb://{folder}")
    yield opened
    opened.close()


def data_of(folder: Path) -> Path:
    (found,) = folder.glob("*/data.mdb")
    return found


def test_a_full_map_grows_while_others_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_environment, "FIRST_BYTES", 2**20)
    store = open_store(f"lmdb://{folder}")
    store.put([Document("k", 1, b"x")])

    def write(part: int) -> int:
        return store.put(Document(f"{part}:{n}", 1, bytes(2000)) for n in range(1500))

    def read(_: int) -> bool:
        return all(store.get(["k"]) == [b"x"] for _ in range(3000))

    with ThreadPoolExecutor(4) as pool:
        written, read_ = pool.map(write, range(2)), pool.map(read, range(2))
        assert (list(written), list(read_)) == ([1500, 1500], [True, True])
    assert sum(1 for _ in store.scan("0:")) == 1500
    store.close()


def _fill(url: str) -> None:
    open_store(url).put(Document(f"p:{n}", 1, bytes(2000)) for n in range(1500))


def test_a_map_another_process_grew_is_taken_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_environment, "FIRST_BYTES", 2**20)
    store = open_store(f"lmdb://{folder}")
    assert store.get(["p:0"]) == [None]
    writer = multiprocessing.get_context("spawn").Process(target=_fill, args=(f"lmdb://{folder}",))
    writer.start()
    writer.join(60)
    assert sum(1 for _ in store.scan("p:")) == 1500
    assert store.put([Document("k", 1, bytes(100_000))]) == 1
    store.close()


def test_a_lake_that_was_made_again_is_noticed(folder: Path, store: OnlineStore) -> None:
    store.put([Document("k", 1, b"old")])
    shutil.rmtree(folder)
    with pytest.raises(StoreError, match="gone"):
        store.get(["k"])
    again = open_store(f"lmdb://{folder}")
    again.put([Document("k", 1, b"new")])
    assert again.get(["k"]) == [b"new"]
    again.close()


def _write_anew(folder: Path) -> None:
    shutil.rmtree(folder)
    open_store(f"lmdb://{folder}").put([Document("k", 1, b"new")])


def test_files_replaced_by_another_process_are_opened(folder: Path, store: OnlineStore) -> None:
    store.put([Document("k", 1, b"old")])
    other = multiprocessing.get_context("spawn").Process(target=_write_anew, args=(folder,))
    other.start()
    other.join(60)
    assert store.get(["k"]) == [b"new"]


def _write_forever(url: str) -> None:
    store = open_store(url)
    for n in range(10**9):
        store.append({"r:x": [Entry(n, f"m{n}", b"v")]}, keep=50)
        store.put([Document("k", n, b"%d" % n)])


def test_a_writer_that_is_killed_leaves_a_whole_store(folder: Path, store: OnlineStore) -> None:
    for _ in range(2):
        writer = multiprocessing.get_context("spawn").Process(target=_write_forever, args=(f"lmdb://{folder}",))
        writer.start()
        before = store.get(["k"])
        while store.get(["k"]) == before:
            pass
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join(60)
        (timeline,) = store.latest(["r:x"], 99)
        newest = int((store.get(["k"])[0] or b"0").decode())
        assert timeline[0].at_ms - newest in (0, 1), "what was committed is there"
        assert store.put([Document(f"c{newest}", 1, b"")]) == 1


@pytest.mark.parametrize("content", [b"not LMDB at all" * 1000, b"\0" * 8192])
def test_files_that_are_no_store_are_refused_with_what_to_do(folder: Path, content: bytes) -> None:
    open_store(f"lmdb://{folder}").close()
    data_of(folder).write_bytes(content)
    with pytest.raises(StoreError, match=r"Rebuild it from gold: \./spark-submit\.sh batch/online_store\.py"):
        open_store(f"lmdb://{folder}")


def test_a_truncated_file_is_refused_rather_than_killing_the_process(folder: Path) -> None:
    _fill(f"lmdb://{folder}/")
    lmdb_environment._OPEN.pop(folder).close()
    os.truncate(data_of(folder), data_of(folder).stat().st_size // 2)
    with pytest.raises(StoreError, match="Rebuild"):
        open_store(f"lmdb://{folder}")


def test_another_format_is_refused(folder: Path) -> None:
    open_store(f"lmdb://{folder}").close()
    with lmdb.open(str(data_of(folder).parent), max_dbs=9) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"format", b"0")
    with pytest.raises(StoreError, match="format"):
        open_store(f"lmdb://{folder}")


def test_a_place_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="Rebuild"):
        open_store(f"lmdb://{tmp_path}/file/online")


def test_the_files_of_an_earlier_start_of_the_machine_are_forgotten_and_nothing_else(folder: Path) -> None:
    earlier, foreign = folder / "0f3b1c52-8d7e-4a55-9c1b-6a0d2f4e8b11", folder / "somebody-elses"
    for home in (earlier, foreign):
        home.mkdir(parents=True)
        (home / "data.mdb").write_bytes(b"x")
    (folder / "letters").mkdir()
    open_store(f"lmdb://{folder}").close()
    assert not earlier.exists()
    lmdb_environment.discard(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["letters", "somebody-elses"]
