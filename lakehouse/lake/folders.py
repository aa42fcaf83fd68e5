"""A folder of small text files under a lake's root: on this machine, or wherever Hadoop's file system client reaches."""

from pathlib import Path
from typing import Protocol

from pyspark.sql import SparkSession

from lakehouse.lake import hadoop

SUFFIX = ".json"
_PART = ".part"


class Folder(Protocol):
    """Files are whole or not there: a reader never meets half of one."""

    def names(self) -> list[str]:
        """Of the files that end in SUFFIX, sorted; none when the folder is not there."""

    def read(self, name: str) -> str | None:
        """None when there is no such file (any more)."""

    def write(self, name: str, text: str) -> None:
        """Create or replace; makes the folder."""

    def delete(self, name: str) -> None:
        """Nothing when there is no such file."""


def folder(root: str, name: str, spark: SparkSession | None) -> Folder:
    """The folder below `root`, a path without `spark`, else a URI."""
    return HereFolder(Path(root) / name) if spark is None else RemoteFolder(spark, f"{root}/{name}".rstrip("/"))


class HereFolder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        found = self.path.iterdir() if self.path.is_dir() else ()
        return sorted(file.name for file in found if file.name.endswith(SUFFIX))

    def read(self, name: str) -> str | None:
        try:
            return (self.path / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        part = self.path / f"{name}{_PART}"
        part.write_text(text, encoding="utf-8")
        part.replace(self.path / name)

    def delete(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


class RemoteFolder:
    def __init__(self, spark: SparkSession, uri: str) -> None:
        self._spark = spark
        self._uri = uri

    def names(self) -> list[str]:
        return sorted(name for name in hadoop.names(self._spark, self._uri) if name.endswith(SUFFIX))

    def read(self, name: str) -> str | None:
        return hadoop.read(self._spark, self._at(name))

    def write(self, name: str, text: str) -> None:
        part = self._at(f"{name}{_PART}")
        hadoop.write(self._spark, part, text)
        self.delete(name)  # a rename does not replace
        hadoop.rename(self._spark, part, self._at(name))

    def delete(self, name: str) -> None:
        hadoop.delete(self._spark, self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._uri}/{name}"
