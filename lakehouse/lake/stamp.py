"""A small text in the lake's folder that says what the lake, or a part of it, was made with. Written once, unless it is made anew."""

import os
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse import machine
from lakehouse.lake import hadoop


def stamped(root: str, name: str, text: str | Callable[[], str], spark: SparkSession | None) -> str | None:
    """What stands in the file `name` below `root`; `text` is written, and None given, where there is none yet.

    `text`: or what makes it, asked only then. `spark`: of a remote folder its file system client reads and writes the file.
    """
    folder = machine.local_folder(root)
    if folder is None:
        assert spark is not None
        return _remote(spark, f"{root.rstrip('/')}/{name}", text)
    path = folder / name
    if path.is_file():
        return path.read_text(encoding="utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, _made(text))
    return None


def read(root: str, name: str, spark: SparkSession | None) -> str | None:
    """What stands in the file `name` below `root`; None when there is none. `spark`: as of `stamped`."""
    folder = machine.local_folder(root)
    if folder is None:
        assert spark is not None
        return hadoop.read(spark, f"{root.rstrip('/')}/{name}")
    path = folder / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def restamp(root: str, name: str, text: str, spark: SparkSession | None) -> None:
    """Let the file `name` below `root` say `text` from now on. `spark`: as of `stamped`."""
    folder = machine.local_folder(root)
    if folder is None:
        assert spark is not None
        hadoop.write(spark, f"{root.rstrip('/')}/{name}", text)
    else:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _write(folder / name, text)


def unstamp(root: str, name: str, spark: SparkSession | None) -> None:
    """Remove the file; nothing when there is none. `spark`: as of `stamped`."""
    folder = machine.local_folder(root)
    if folder is None:
        assert spark is not None
        hadoop.delete(spark, f"{root.rstrip('/')}/{name}")
    else:
        (folder / name).unlink(missing_ok=True)


def _made(text: str | Callable[[], str]) -> str:
    return text if isinstance(text, str) else text()


def _write(path: Path, text: str) -> None:
    """All or nothing, so that a crash leaves no half stamp."""
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _remote(spark: SparkSession, uri: str, ours: str | Callable[[], str]) -> str | None:
    """The stamp at `uri`; written and None when there is none."""
    text = hadoop.read(spark, uri)
    if text is None:
        hadoop.write(spark, uri, _made(ours))
    return text
