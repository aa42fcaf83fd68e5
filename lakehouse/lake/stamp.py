"""A small text in the lake's folder that is written once, and says from then on what the lake, or a part of it, was made with."""

import os
from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse import machine


def stamped(root: str, name: str, text: str, spark: SparkSession | None) -> str | None:
    """What stands in the file `name` below `root`; `text` is written, and None given, where there is none yet.

    `spark`: of a remote folder its file system client reads and writes the file.
    """
    folder = machine.local_folder(root)
    if folder is None:
        assert spark is not None
        return _remote(spark, f"{root.rstrip('/')}/{name}", text)
    path = folder / name
    if path.is_file():
        return path.read_text(encoding="utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, text)
    return None


def _write(path: Path, text: str) -> None:
    """All or nothing, so that a crash leaves no half stamp."""
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _remote(spark: SparkSession, uri: str, ours: str) -> str | None:
    """The stamp at `uri` by Hadoop's file system; written and None when there is none."""
    jvm, hadoop = spark._jvm, spark._jsparkSession.sessionState().newHadoopConf()
    assert jvm is not None
    path = jvm.org.apache.hadoop.fs.Path(uri)
    files = path.getFileSystem(hadoop)
    if files.exists(path):
        stream = files.open(path)
        text = jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
        stream.close()
        return str(text)
    stream = files.create(path, True)
    stream.write(bytearray(ours, "utf-8"))
    stream.close()
    return None
