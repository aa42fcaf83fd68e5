import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse import machine

SLEEPER = [sys.executable, "-c", "input()", "a-mark-of-ours"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); input()",
    "a-mark-of-ours",
]


def test_the_command_of_a_process_is_told_until_it_ends() -> None:
    with subprocess.Popen(SLEEPER, stdin=subprocess.PIPE) as process:
        assert "a-mark-of-ours" in (machine.command_of(process.pid) or "")
        process.communicate(b"\n")
    assert machine.command_of(process.pid) is None


def test_a_child_that_ended_unwaited_for_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()  # returns when it ends
    assert machine.wait_until(lambda: machine.command_of(process.pid) is None, 10)


# Has a child that ended, which it never waits for: a zombie, as under an init that does not reap.
NEGLECTFUL = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", ""])
os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
print(child.pid, flush=True)
input()
"""


def test_a_zombie_of_another_process_is_gone() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", NEGLECTFUL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert machine.command_of(int(parent.stdout.readline())) is None
        parent.communicate("\n")


def test_a_process_with_the_mark_is_stopped() -> None:
    with subprocess.Popen(SLEEPER, stdin=subprocess.PIPE) as process:
        assert machine.stop_process(process.pid, "a-mark-of-ours", patience_seconds=10)
        assert machine.command_of(process.pid) is None


def test_a_process_that_ignores_the_request_is_killed() -> None:
    with subprocess.Popen(STUBBORN, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        assert machine.stop_process(process.pid, "a-mark-of-ours", patience_seconds=0.3)
        assert machine.command_of(process.pid) is None


def test_a_process_without_the_mark_is_left_alone() -> None:
    with subprocess.Popen(SLEEPER, stdin=subprocess.PIPE) as process:
        assert not machine.stop_process(process.pid, "another-mark", patience_seconds=0.1)
        assert process.poll() is None
        process.communicate(b"\n")


def test_a_port_is_free_until_somebody_listens() -> None:
    port = machine.free_port()
    assert machine.is_port_free(port)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        assert not machine.is_port_free(port)


def test_waiting_ends_when_patience_does() -> None:
    assert machine.wait_until(lambda: True, 0)
    assert not machine.wait_until(lambda: False, 0)


@pytest.mark.parametrize(
    ("root", "folder"),
    [
        ("/data/lake", "/data/lake"),
        ("file:///data/lake", "/data/lake"),
        ("lake", f"{os.getcwd()}/lake"),
        ("s3://bucket/lake", None),
        ("s3a://bucket/lake", None),
        ("abfss://box@account.example/lake", None),
        ("dbfs:/lake", None),
        ("hdfs://name:8020/lake", None),
    ],
)
def test_only_a_path_or_a_file_uri_is_local(root: str, folder: str | None) -> None:
    assert machine.local_folder(root) == (Path(folder) if folder else None)


def test_the_cache_is_where_the_user_says(tmp_path: Path) -> None:
    assert machine.cache_folder({"STITCHLAKE_CACHE": str(tmp_path / "a" / "b")}) == tmp_path / "a" / "b"
    assert machine.cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "stitchlake"
    assert (tmp_path / "a" / "b").is_dir()


def test_java_is_that_of_java_home() -> None:
    assert machine.java({"JAVA_HOME": "/opt/jdk"}) == "/opt/jdk/bin/java"
    assert machine.java({}) == "java"


def test_an_account_without_a_name_is_known_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under any number."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    assert machine.account() == "uid 987654"
