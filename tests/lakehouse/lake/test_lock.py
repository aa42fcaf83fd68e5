import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakehouse.config import PROJECT, Config, LakeConfig
from lakehouse.errors import LakeError
from lakehouse.lake.lock import DECISION_LOG, HOUSEHOLDS, LAKE_VERSION, REBUILT_FROM, SCRATCH, STAMP, open_lake, writer

HOLD = """
import dataclasses, sys
from lakehouse.config import LakeConfig, load
from lakehouse.lake.lock import writer
config = dataclasses.replace(load("dev", environ={}), lake=LakeConfig(root=sys.argv[1], keep_hours=1))
with writer(config, part=dict(enumerate(sys.argv)).get(2)):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_writer(config: Config, *part: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the lake, or a part of it, until its standard input is closed."""
    command = [sys.executable, "-c", HOLD, config.lake.root, *part]
    environ = os.environ | {"PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_rows_that_a_killed_writer_left_go_when_the_next_one_begins(config: Config) -> None:
    left = Path(config.lake.root) / SCRATCH / f"{os.getpid()}-x" / "leaves.parquet"  # in a container its pid is ours
    left.parent.mkdir(parents=True)
    left.write_bytes(b"ann")
    with writer(config, part=HOUSEHOLDS):
        assert left.exists()  # of the writer beside it
    with writer(config):
        assert not left.exists()


def stamp(config: Config) -> Path:
    return Path(config.lake.root) / STAMP


def with_key(config: Config, key: str, key_id: str) -> Config:
    return dataclasses.replace(config, privacy=dataclasses.replace(config.privacy, hmac_key=key, hmac_key_id=key_id))


def test_a_second_writer_is_refused_and_told_who_writes(config: Config) -> None:
    with another_writer(config) as other:
        with pytest.raises(LakeError) as caught, writer(config):
            pytest.fail("both write")
        assert f"pid {other.pid} (" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_lock_keeps_nothing_of_what_its_holder_was_told(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["person.py", "erase", "user_id", "u-17"])
    with writer(config):
        held = (Path(config.lake.root) / "_lock").read_text()
    assert held == f"pid {os.getpid()} (person.py)\n"


def test_the_lake_is_free_again_when_its_writer_ends(config: Config) -> None:
    with another_writer(config) as other:
        other.communicate("")
        with writer(config):
            pass


def test_the_lake_is_free_again_when_its_writer_is_killed(config: Config) -> None:
    with another_writer(config) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        with writer(config):
            pass


def test_one_process_may_take_the_lake_again_and_keeps_it_until_the_last_leaves(config: Config) -> None:
    with writer(config):
        with writer(config):
            pass
        command = [sys.executable, "-c", HOLD, config.lake.root]
        environ = os.environ | {"PYTHONPATH": str(PROJECT)}
        refused = subprocess.run(command, capture_output=True, text=True, env=environ, stdin=subprocess.DEVNULL)
        assert "another process writes this lake" in refused.stderr
    with another_writer(config), pytest.raises(LakeError), writer(config):
        pytest.fail("both write")


def test_a_failing_writer_frees_the_lake(config: Config) -> None:
    with pytest.raises(ZeroDivisionError), writer(config):
        raise ZeroDivisionError
    with another_writer(config):
        pass


def test_a_part_has_a_writer_of_its_own_beside_the_lakes(config: Config) -> None:
    with another_writer(config) as other, another_writer(config, HOUSEHOLDS):
        with writer(config, part=DECISION_LOG), pytest.raises(LakeError, match=f"pid {other.pid} "), writer(config):
            pytest.fail("both write")
        with pytest.raises(LakeError, match="another process writes its households"), writer(config, part=HOUSEHOLDS):
            pytest.fail("both write")


def test_a_reader_needs_no_lock(config: Config) -> None:
    with another_writer(config):
        open_lake(config)


def test_a_remote_lake_is_not_locked(config: Config) -> None:
    remote = dataclasses.replace(config, lake=LakeConfig(root="s3://bucket/lake", keep_hours=1))
    with writer(remote), writer(remote):
        open_lake(remote)


def test_a_file_uri_names_a_local_lake(config: Config) -> None:
    open_lake(dataclasses.replace(config, lake=LakeConfig(root=f"file://{config.lake.root}", keep_hours=1)))
    assert stamp(config).is_file()


def test_a_new_lake_is_stamped_with_version_and_key(config: Config) -> None:
    open_lake(config)
    written = json.loads(stamp(config).read_text())
    assert (written["version"], written["hmac_key_id"]) == (LAKE_VERSION, "dev")
    assert config.privacy.hmac_key not in stamp(config).read_text()
    open_lake(config)


@pytest.mark.parametrize("version", [0, LAKE_VERSION + 1, str(LAKE_VERSION)])
def test_a_lake_of_another_version_is_refused_and_says_which(config: Config, version: object) -> None:
    open_lake(config)
    stamp(config).write_text(json.dumps(json.loads(stamp(config).read_text()) | {"version": version}))
    with pytest.raises(
        LakeError, match=f"another version of Stitchlake, got lake version {version}, expected {LAKE_VERSION}"
    ):
        open_lake(config)
    with pytest.raises(LakeError, match="another version"), writer(config):
        pytest.fail("opened")


@pytest.mark.parametrize("version", REBUILT_FROM)
def test_a_lake_of_before_is_refused_by_all_but_a_rebuild_which_makes_it_one_of_ours(
    config: Config, version: int
) -> None:
    open_lake(config)
    text = stamp(config).read_text()
    stamp(config).write_text(json.dumps(json.loads(text) | {"version": version}))
    with pytest.raises(LakeError, match=r"another version of Stitchlake.*batch/rebuild\.py"), writer(config):
        pytest.fail("opened")
    with pytest.raises(OSError, match="no space left"), writer(config, rebuilds=True):
        raise OSError("no space left")
    with pytest.raises(LakeError, match="another version"):
        open_lake(config)
    with writer(config, rebuilds=True):
        pass
    assert stamp(config).read_text() == text


def test_another_key_is_refused_with_both_names(config: Config) -> None:
    open_lake(config)
    with pytest.raises(LakeError, match="hmac_key_id 'k2', expected 'dev'"):
        open_lake(with_key(config, "other", "k2"))


def test_another_key_under_the_same_name_is_refused_without_showing_it(config: Config) -> None:
    open_lake(config)
    with pytest.raises(LakeError, match="not the key 'dev'") as caught:
        open_lake(with_key(config, "other-key", "dev"))
    assert "other-key" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_a_spoilt_stamp_is_refused(config: Config, text: str) -> None:
    open_lake(config)
    stamp(config).write_text(text)
    with pytest.raises(LakeError, match="not a stamp of a lake"):
        open_lake(config)
