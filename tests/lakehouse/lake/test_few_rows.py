"""Plans that are kept: made once, run over other rows, and never over those of before."""

import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.lake.few_rows import FewRows
from lakehouse.lake.lock import SCRATCH

LOOKS = pa.schema([("who", pa.string()), ("seen", pa.list_(pa.struct([("at", pa.timestamp("us", "UTC"))])))])
NAMES = pa.schema([("who", pa.string()), ("name", pa.string())])


def counted(looks: DataFrame, names: DataFrame) -> DataFrame:
    """A join, which Spark would broadcast, a sum, which it would shuffle, and the same input twice, which it would exchange once."""
    summed = looks.groupBy("who").agg(F.sum(F.size("seen")).alias("looks"))
    everybody = looks.select("who").distinct().join(F.broadcast(names), on="who", how="left")
    return everybody.join(summed, on="who", how="left").select("who", "name", "looks")


def looks(**times: int) -> pa.Table:
    rows = [
        {"who": who, "seen": [{"at": second * 1_000_000} for second in range(count)]} for who, count in times.items()
    ]
    return pa.Table.from_pylist(rows, schema=LOOKS)


def names(**named: str) -> pa.Table:
    return pa.Table.from_pylist([{"who": who, "name": name} for who, name in named.items()], schema=NAMES)


def told(rows: pa.Table) -> list[tuple[str, str | None, int]]:
    return sorted((row["who"], row["name"], row["looks"]) for row in rows.to_pylist())


@pytest.fixture
def few_rows(spark: SparkSession, tmp_path: Path) -> FewRows:
    return FewRows(spark, str(tmp_path))


def test_a_plan_that_is_kept_says_what_the_rows_of_each_run_say(few_rows: FewRows) -> None:
    made = []

    def build(**frames: DataFrame) -> DataFrame:
        made.append(frames)
        return counted(**frames)

    first = few_rows.run("counted", build, looks=looks(ann=2, bob=1), names=names(ann="Ann"))
    second = few_rows.run("counted", build, looks=looks(cat=3), names=names(cat="Cat", ann="Ann"))
    nobody = few_rows.run("counted", build, looks=looks(), names=names())
    assert told(first) == [("ann", "Ann", 2), ("bob", None, 1)]
    assert told(second) == [("cat", "Cat", 3)]
    assert (nobody.num_rows, nobody.schema) == (0, first.schema)
    assert len(made) == 1


def shuffled(looks: DataFrame, names: DataFrame) -> DataFrame:
    """What Spark has shuffled once it uses again."""
    known = names.select("who").unionByName(looks.select("who"))
    return known.repartition(2, "who").groupBy("who").count().orderBy("who")


def broadcast(looks: DataFrame, names: DataFrame) -> DataFrame:
    """Without a key to join by, Spark broadcasts whatever it is told."""
    return looks.join(names.withColumnRenamed("who", "other"), on=F.col("who") < F.col("other"), how="left")


@pytest.mark.parametrize("build", [shuffled, broadcast])
def test_nothing_that_a_run_shuffled_or_broadcast_is_told_by_the_next(
    few_rows: FewRows, build: Callable[..., DataFrame]
) -> None:
    made = []

    def built(**frames: DataFrame) -> DataFrame:
        made.append(frames)
        return build(**frames)

    def others(rows: pa.Table) -> list[tuple[object, ...]]:
        return sorted((*tuple(row.values())[-1:], row["who"]) for row in rows.to_pylist())

    first = few_rows.run("built", built, looks=looks(ann=1), names=names(bob="Bob"))
    second = few_rows.run("built", built, looks=looks(bob=1, cat=1), names=names(cat="Cat", dan="Dan"))
    expected = {
        shuffled: ([(1, "ann"), (1, "bob")], [(1, "bob"), (1, "dan"), (2, "cat")]),
        broadcast: ([("Bob", "ann")], [("Cat", "bob"), ("Dan", "bob"), ("Dan", "cat")]),
    }
    assert (others(first), others(second)) == expected[build]
    assert len(made) == 1


def test_where_spark_changes_plans_as_they_run_no_row_of_before_is_told_either(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adaptive = spark.newSession()
    adaptive.conf.set("spark.sql.adaptive.enabled", "true")  # as --conf of spark-submit does
    monkeypatch.setattr(SparkSession, "newSession", lambda _: adaptive)
    few_rows = FewRows(spark, str(tmp_path))
    for looker, named in (("ann", "bob"), ("cat", "dan")):
        found = few_rows.run("shuffled", shuffled, looks=looks(**{looker: 1}), names=names(**{named: "Name"}))
        assert found["who"].to_pylist() == [looker, named]


def test_more_rows_than_ever_before_are_all_read(few_rows: FewRows) -> None:
    for count in (1, 100_000, 2):
        assert told(few_rows.run("counted", counted, looks=looks(ann=count), names=names())) == [("ann", None, count)]


def test_nothing_is_compiled_for_few_rows(few_rows: FewRows, spark: SparkSession) -> None:
    assert spark._jvm is not None
    compilations = spark._jvm.org.apache.spark.metrics.source.CodegenMetrics.METRIC_COMPILATION_TIME()
    before = compilations.getCount()

    def build(looks: DataFrame) -> DataFrame:
        """Nothing that was compiled for another test."""
        return looks.select((F.size("seen") * F.length("who") - F.ascii("who")).alias("number"))

    numbers = few_rows.run("numbers", build, looks=looks(ann=2, bob=1))
    assert numbers["number"].to_pylist() == [2 * 3 - ord("a"), 1 * 3 - ord("b")]
    assert compilations.getCount() == before


def test_another_version_is_another_plan(few_rows: FewRows) -> None:
    def doubled(looks: DataFrame) -> DataFrame:
        return looks.unionByName(looks)

    one = few_rows.run("same", lambda looks: looks, version=1, looks=looks(ann=1))
    two = few_rows.run("same", doubled, version=2, looks=looks(ann=1))
    assert (one.num_rows, two.num_rows) == (1, 2)
    assert one.to_pylist()[0]["seen"][0]["at"].isoformat() == "1970-01-01T00:00:00+00:00"


def test_one_plan_is_run_by_two_threads_and_none_sees_the_rows_of_the_other(few_rows: FewRows) -> None:
    found: dict[str, list[tuple[str, str | None, int]]] = {}

    def run(who: str) -> None:
        found[who] = told(few_rows.run("counted", counted, looks=looks(**{who: 1}), names=names()))

    threads = [Thread(target=run, args=(who,)) for who in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {who: [(who, None, 1)] for who in ("ann", "bob")}


def test_no_row_is_left_behind(few_rows: FewRows, tmp_path: Path) -> None:
    few_rows.run("counted", counted, looks=looks(ann=1), names=names())
    with pytest.raises(ZeroDivisionError):
        few_rows.run("fails", lambda looks: looks.where(1 / 0), looks=looks(ann=1))
    assert [path for path in (tmp_path / SCRATCH).rglob("*") if path.is_file()] == []


def test_a_place_that_another_writer_has_emptied_is_made_again_for_its_owner_alone(
    few_rows: FewRows, tmp_path: Path
) -> None:
    both = {"looks": looks(ann=1), "names": names(ann="Ann")}
    first = few_rows.run("counted", counted, **both)
    shutil.rmtree(tmp_path / SCRATCH)
    assert few_rows.run("counted", counted, **both) == first
    assert (tmp_path / SCRATCH).stat().st_mode & 0o077 == 0
