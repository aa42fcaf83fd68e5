"""The file of a real JVM's classes: left by one, taken by the next, replaced when the jars are others."""

import os
import shlex
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakehouse import machine
from lakehouse.spark import class_archive
from lakehouse.spark.class_archive import is_complete, options

COMPLETE = 0xF00BABA8.to_bytes(4, "little") + b"classes"


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    made = tmp_path / "a.jar"
    made.write_bytes(b"one")
    return made


def told(made: str) -> tuple[str, Path]:
    """The option's name, and the file it names."""
    name, _, file = shlex.split(made)[0].partition("=")
    return name, Path(file)


def test_a_jvm_leaves_what_the_next_one_maps(tmp_path: Path, jar: Path) -> None:
    cache = tmp_path / "a cache"
    cache.mkdir()
    assert options(cache, [jar], is_left=False) == ""
    leaves = options(cache, [jar], is_left=True)
    left = subprocess.run(
        [machine.java(), *shlex.split(leaves), "-version"], capture_output=True, text=True, check=True
    )
    assert left.stdout == ""
    assert is_complete(told(leaves)[1])
    maps = options(cache, [jar], is_left=True)
    assert told(maps)[0] == "-XX:SharedArchiveFile"
    assert not told(leaves)[1].exists()
    told_of = ["-Xlog:cds*=off", "-Xlog:class+path=info", "-Xshare:on"]  # without the file it would not start
    subprocess.run([machine.java(), *shlex.split(maps), *told_of, "-version"], capture_output=True, check=True)


def test_other_jars_have_a_file_of_their_own(tmp_path: Path, jar: Path) -> None:
    before = told(options(tmp_path, [jar], is_left=True))[1]
    before.write_bytes(COMPLETE)
    assert told(options(tmp_path, [jar], is_left=True))[0] == "-XX:SharedArchiveFile"
    jar.write_bytes(b"other")
    assert told(options(tmp_path, [jar], is_left=True))[0] == "-XX:ArchiveClassesAtExit"


def test_a_file_that_is_being_written_is_not_taken_and_goes_when_nobody_writes_it(tmp_path: Path, jar: Path) -> None:
    part = told(options(tmp_path, [jar], is_left=True))[1]
    part.write_bytes(bytes(8))
    assert options(tmp_path, [jar], is_left=False) == ""
    assert part.exists()
    os.utime(part, (time.time() - 7200,) * 2)
    jar.write_bytes(b"other")  # nobody comes with the old ones any more
    assert options(tmp_path, [jar], is_left=False) == ""
    assert not part.exists()


def test_many_that_start_at_once_do_not_meet(tmp_path: Path, jar: Path) -> None:
    told(options(tmp_path, [jar], is_left=True))[1].write_bytes(COMPLETE)

    def start(number: int) -> str:
        (tmp_path / f"{told(maps)[1].stem}.{number}.part").write_bytes(COMPLETE)
        return options(tmp_path, [jar], is_left=True)

    maps = options(tmp_path, [jar], is_left=True)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(start, range(400))) == {maps}


def test_only_those_used_last_are_kept(tmp_path: Path, jar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    for number in range(6):
        jar.write_bytes(b"x" * number)
        told(options(tmp_path, [jar], is_left=True))[1].write_bytes(COMPLETE)
        used = told(options(tmp_path, [jar], is_left=True))[1]
        os.utime(used, (number, number))
    assert len(list(tmp_path.glob("classes-*.jsa"))) == class_archive._KEPT
    assert used.exists()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, jar: Path) -> None:
    (cache := tmp_path / "no_folder").touch()
    assert options(cache, [jar], is_left=True) == ""
