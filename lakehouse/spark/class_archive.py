"""Class data sharing: the classes of a JVM in one file, as they lie in memory. The next JVM maps them, and neither reads nor verifies them.

A driver loads 25,000 classes, a third of the CPU of its first minute. The first job that ends by itself leaves the file when it ends; a JVM
that finds other jars or another Java than the file's goes on without it. JEP 350, https://openjdk.org/jeps/350.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from lakehouse import machine

_QUIET = "-Xlog:cds*=off"  # what it leaves out, line by line; and that a file is not of these jars
_COMPLETE = 0xF00BABA8.to_bytes(4, "little")  # a file begins so as soon as all the rest of it is written
_ABANDONED_SECONDS = 3600  # it is written within seconds
_KEPT = 4  # of 190 MB each: for so many folders with a .venv, or versions of Java


def options(cache: Path, jars: Iterable[Path], *, is_left: bool) -> str:
    """What a JVM with these jars is started with; empty = nothing. `is_left`: where there is no file yet, this JVM leaves one at its end.

    Where the folder cannot be written or locked, as on a disk that is read only, there is nothing to gain, and that is no error.
    """
    try:
        return _options(cache, jars, is_left=is_left)
    except OSError:
        return ""


def _options(cache: Path, jars: Iterable[Path], *, is_left: bool) -> str:
    archive = cache / f"classes-{_key(jars)}.jsa"
    with machine.file_lock(cache / "classes.lock"):
        for left in cache.glob("classes-*.part"):
            if left.name.startswith(f"{archive.stem}.") and is_complete(left):
                left.replace(archive)
                _prune(cache)
            elif time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                left.unlink()
        is_there = archive.is_file()
        if is_there:
            os.utime(archive)  # the one used last is kept longest
    if is_there:
        return f'"-XX:SharedArchiveFile={archive}" {_QUIET}'
    if not is_left:
        return ""
    return f'"-XX:ArchiveClassesAtExit={archive.with_suffix(f".{os.getpid()}.part")}" {_QUIET}'


def is_complete(archive: Path) -> bool:
    with archive.open("rb") as file:
        return file.read(len(_COMPLETE)) == _COMPLETE


def _key(jars: Iterable[Path]) -> str:
    """Of what a JVM compares: its own release, and name, size and time of every jar."""
    release = Path(shutil.which(machine.java()) or "java").resolve().parents[1] / "release"
    told = [release.read_text(encoding="utf-8") if release.is_file() else str(release)]
    for jar in jars:
        state = jar.stat()
        told.append(f"{jar} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _prune(cache: Path) -> None:
    newest_first = sorted(cache.glob("classes-*.jsa"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in newest_first[_KEPT:]:
        old.unlink()
