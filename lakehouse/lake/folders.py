"""A folder of small text files under a lake's root: on this machine, or wherever Hadoop's file system client reaches."""

from pathlib import Path
from typing import Any, Protocol

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

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
    """By Hadoop's file system client of the session, with its credentials."""

    def __init__(self, spark: SparkSession, uri: str) -> None:
        assert spark._jvm is not None
        self._hadoop: Any = spark._jvm.org.apache.hadoop.fs
        self._text: Any = spark._jvm.org.apache.commons.io.IOUtils
        self._uri = uri
        self._files: Any = self._path().getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())

    def names(self) -> list[str]:
        if not self._files.exists(self._path()):
            return []
        names = [status.getPath().getName() for status in self._files.listStatus(self._path())]
        return sorted(name for name in names if name.endswith(SUFFIX))

    def read(self, name: str) -> str | None:
        try:
            stream = self._files.open(self._path(name))
        except Py4JJavaError:
            if self._files.exists(self._path(name)):
                raise
            return None
        try:
            return str(self._text.toString(stream, "UTF-8"))
        finally:
            stream.close()

    def write(self, name: str, text: str) -> None:
        part = self._path(f"{name}{_PART}")
        stream = self._files.create(part, True)
        stream.write(bytearray(text, "utf-8"))
        stream.close()
        self.delete(name)  # a rename does not replace
        self._files.rename(part, self._path(name))

    def delete(self, name: str) -> None:
        self._files.delete(self._path(name), False)

    def _path(self, name: str = "") -> Any:
        return self._hadoop.Path(f"{self._uri}/{name}" if name else self._uri)
