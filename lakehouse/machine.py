"""What this machine offers: Java, a cache folder, free ports; processes looked up and stopped by pid."""

import ctypes
import errno
import fcntl
import getpass
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

POLL_SECONDS = 0.1
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of Linux


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where downloads live that every lake shares: `STITCHLAKE_CACHE`, else the user's cache. Created when missing."""
    base = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(environ.get("STITCHLAKE_CACHE") or f"{base}/stitchlake").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def account() -> str:
    """Who uses this machine, by the operating system: a name, or the number of an account without one, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def java(environ: Mapping[str, str] = os.environ) -> str:
    """The Java to start: that of `JAVA_HOME`, else the one on the path, as Spark's own scripts choose."""
    home = environ.get("JAVA_HOME")
    return f"{home}/bin/java" if home else "java"


def local_folder(root: str) -> Path | None:
    """The folder a lake root names on this machine; None for s3://, abfss://, dbfs: and every other remote URI."""
    parts = urlsplit(root)
    if parts.scheme == "file":
        return Path(parts.path).absolute()
    return None if parts.scheme else Path(root).absolute()


def free_port() -> int:
    """A port of 127.0.0.1 nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port left in TIME_WAIT is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def command_of(pid: int) -> str | None:
    """The command line of a living process; None when there is none (a zombie is none)."""
    _reap(pid)
    if Path("/proc/self").exists():
        return _command_on_linux(Path(f"/proc/{pid}"))
    ps = ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)]
    shown = subprocess.run(ps, capture_output=True, text=True, check=False).stdout
    state, _, command = shown.strip().partition(" ")
    return None if not state or state.startswith("Z") else command.strip()


def stop_process(pid: int, mark: str, *, patience_seconds: float) -> bool:
    """SIGTERM, wait, SIGKILL. Touches only a process whose command line holds `mark`; True when it was there."""
    if mark not in (command_of(pid) or ""):
        return False
    os.kill(pid, signal.SIGTERM)
    if not wait_until(lambda: mark not in (command_of(pid) or ""), patience_seconds):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: mark not in (command_of(pid) or ""), patience_seconds)
    return True


def wait_until(is_done: Callable[[], bool], patience_seconds: float) -> bool:
    """Ask again and again until `is_done`; False when `patience_seconds` went by first."""
    deadline = time.monotonic() + patience_seconds
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _command_on_linux(process: Path) -> str | None:
    try:
        for _ in range(20):
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            if words or state in "ZX":
                return words or None
            time.sleep(POLL_SECONDS / 10)  # between fork and exec the line is empty for a moment
        return f"[{(process / 'comm').read_text().strip()}]"  # a thread of the kernel
    except OSError:
        return None


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold `path` alone among processes, waiting for it. The lock goes with the process, however it ends."""
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def exchange(one: Path, other: Path) -> None:
    """Let two folders take each other's place, at once: nobody ever finds either missing. On Linux.

    Raises:
        OSError: it cannot be done.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError as error:
        raise OSError(errno.ENOSYS, "no exchange of folders on this system", str(other)) from error
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE):
        raise OSError(ctypes.get_errno(), "cannot exchange folders", str(other))


def _reap(pid: int) -> None:
    """A child of ours that ended stays a zombie until it is waited for."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except (ChildProcessError, OSError):
        return
