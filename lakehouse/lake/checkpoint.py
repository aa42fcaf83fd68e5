"""The checkpoint of a query, here or on an object store: how far it has read, and its end. By Hadoop's file system client."""

import json
from typing import Any

from pyspark.sql import SparkSession

from lakehouse.errors import LakeError

Ends = dict[str, dict[str, int]]
"""topic -> partition -> the first offset that was not read."""


def read_to(spark: SparkSession, path: str) -> Ends | None:
    """Where the next micro-batch begins; None while none was committed.

    Raises:
        LakeError: the checkpoint says that a micro-batch was committed, and not which.
    """
    files = _Files(spark)
    committed = [int(name) for name in files.names(f"{path}/commits") if name.isdigit()]
    if not committed:
        return None
    batch = max(committed)
    text = files.text(f"{path}/offsets/{batch}")
    try:
        ends: Ends = json.loads((text or "").splitlines()[-1])  # the last line: one source, the topic
        return {topic: dict(of_topic) for topic, of_topic in ends.items()}
    except (IndexError, ValueError, TypeError, AttributeError):
        raise LakeError(
            f"{path}: offsets of micro-batch {batch} are not there, got {(text or 'no file')[:40]!r}, expected those that were committed. "
            "Delete this checkpoint and start again: what is stored stays, and nothing is taken in twice"
        ) from None


def delete(spark: SparkSession, path: str) -> None:
    """Nothing when there is none."""
    _Files(spark).delete(path)


class _Files:
    def __init__(self, spark: SparkSession) -> None:
        assert spark._jvm is not None
        self._jvm: Any = spark._jvm
        self._hadoop: Any = spark._jsparkSession.sessionState().newHadoopConf()

    def names(self, folder: str) -> list[str]:
        files, path = self._at(folder)
        return [status.getPath().getName() for status in files.listStatus(path)] if files.exists(path) else []

    def text(self, file: str) -> str | None:
        files, path = self._at(file)
        if not files.exists(path):
            return None
        stream = files.open(path)
        try:
            return str(self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()

    def delete(self, folder: str) -> None:
        files, path = self._at(folder)
        files.delete(path, True)

    def _at(self, name: str) -> tuple[Any, Any]:
        path = self._jvm.org.apache.hadoop.fs.Path(name)
        return path.getFileSystem(self._hadoop), path
