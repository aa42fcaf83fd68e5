"""Settings of Hadoop's that nothing here reads are not sent about; whatever somebody has set is."""

from typing import Any

from pyspark.sql import SparkSession

from lakehouse.spark.hadoop_settings import UNREAD, leave_out

THEIRS = "mapreduce.input.fileinputformat.split.minsize"


def left(settings: Any) -> set[str]:
    """Names of what nothing reads: how files are committed is read."""
    names = settings.getValByRegex("^(" + "|".join(UNREAD).replace(".", r"\.") + ")").keySet()
    return {name for name in names if "committer." not in name}


def test_what_nothing_reads_does_not_go_with_a_plan(spark: SparkSession) -> None:
    of_a_plan = spark._jsparkSession.sessionState().newHadoopConf()
    copied = spark._jvm.org.apache.hadoop.mapred.JobConf(of_a_plan)  # whose class brings those of MapReduce and YARN
    for settings in (of_a_plan, copied):
        assert left(settings) == set()
        assert settings.size() < 350
        assert settings.get("fs.AbstractFileSystem.file.impl")  # a checkpoint cannot be renamed without it


def test_what_somebody_has_set_stays(spark: SparkSession) -> None:
    settings = spark.sparkContext._jsc.hadoopConfiguration()
    settings.set(THEIRS, "7")
    leave_out(spark)
    assert left(settings) == {THEIRS}
    settings.unset(THEIRS)


def test_a_table_is_written_and_read_as_ever(spark: SparkSession, tmp_path: object) -> None:
    path = f"{tmp_path}/rows"
    spark.range(3).write.parquet(path)
    spark.range(3, 5).write.mode("append").format("json").save(f"{path}.json")
    assert spark.read.parquet(path).count() + spark.read.json(f"{path}.json").count() == 5
