"""Settings of Hadoop's that nothing here reads are not sent about; whatever somebody has set is."""

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from lakehouse.spark.hadoop_settings import UNREAD, leave_out

THEIRS = "mapreduce.input.fileinputformat.split.minsize"


@pytest.fixture
def settings(spark: SparkSession) -> Iterator[object]:
    """Those that each plan takes a copy of, with one that somebody has set."""
    settings = spark.sparkContext._jsc.hadoopConfiguration()
    settings.set(THEIRS, "7")
    yield settings
    settings.unset(THEIRS)


def test_what_nothing_reads_is_left_out_and_what_somebody_has_set_stays(spark: SparkSession, settings: object) -> None:
    leave_out(spark)
    of_a_plan = spark._jsparkSession.sessionState().newHadoopConf()
    copied = spark._jvm.org.apache.hadoop.mapred.JobConf(
        of_a_plan
    )  # whose class brings the settings of MapReduce and YARN
    for told in (of_a_plan, copied):
        names = told.getValByRegex("^(" + "|".join(UNREAD).replace(".", r"\.") + ")").keySet()
        assert {THEIRS} <= set(names) <= {THEIRS, *(name for name in names if "committer" in name)}
        assert told.size() < 350
        assert told.get("fs.AbstractFileSystem.file.impl")  # a checkpoint cannot be renamed without it


def test_a_table_is_written_and_read_as_ever(spark: SparkSession, tmp_path: object) -> None:
    path = f"{tmp_path}/rows"
    spark.range(3).write.parquet(path)
    spark.range(3, 5).write.mode("append").format("json").save(f"{path}.json")
    assert spark.read.parquet(path).count() + spark.read.json(f"{path}.json").count() == 5
