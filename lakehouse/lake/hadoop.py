"""Files by Hadoop's file system client of the session, with its credentials: on this machine and on an object store alike."""

from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession


def located(spark: SparkSession, uri: str) -> tuple[Any, Any]:
    """The file system that holds it, and its path there."""
    assert spark._jvm is not None
    path = spark._jvm.org.apache.hadoop.fs.Path(uri)
    return path.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf()), path


def names(spark: SparkSession, folder: str) -> list[str]:
    """Of what lies in a folder; none when it is not there."""
    files, path = located(spark, folder)
    return [status.getPath().getName() for status in files.listStatus(path)] if files.exists(path) else []


def read(spark: SparkSession, file: str) -> str | None:
    """The text of a file; None when there is none (any more)."""
    files, path = located(spark, file)
    assert spark._jvm is not None
    try:
        stream = files.open(path)
    except Py4JJavaError:
        if files.exists(path):
            raise
        return None
    try:
        return str(spark._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
    finally:
        stream.close()


def write(spark: SparkSession, file: str, text: str) -> None:
    """Create or replace it."""
    files, path = located(spark, file)
    stream = files.create(path, True)
    stream.write(bytearray(text, "utf-8"))
    stream.close()


def rename(spark: SparkSession, uri: str, to: str) -> None:
    """Within a file system, to where nothing is yet."""
    files, path = located(spark, uri)
    files.rename(path, located(spark, to)[1])


def delete(spark: SparkSession, uri: str) -> None:
    """A file, or a folder with all in it; nothing when there is none."""
    files, path = located(spark, uri)
    files.delete(path, True)
