"""How far a query has read stands in its checkpoint: the offsets of the last micro-batch that was committed."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakehouse.errors import LakeError
from lakehouse.lake import checkpoint


def batch(folder: Path, number: int, offsets: str, *, is_committed: bool = True) -> None:
    for name in ("offsets", "commits"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "offsets" / str(number)).write_text(f'v1\n{{"batchWatermarkMs":0}}\n{offsets}', encoding="utf-8")
    if is_committed:
        (folder / "commits" / str(number)).write_text('v1\n{"nextBatchWatermarkMs":0}', encoding="utf-8")
        (folder / "commits" / f".{number}.crc").write_text("", encoding="utf-8")


def test_a_batch_that_was_begun_and_not_committed_has_not_been_read(spark: SparkSession, tmp_path: Path) -> None:
    assert checkpoint.read_to(spark, str(tmp_path)) is None
    batch(tmp_path, 0, '{"events":{"0":5}}', is_committed=False)
    assert checkpoint.read_to(spark, str(tmp_path)) is None
    batch(tmp_path, 9, '{"events":{"0":5,"1":2}}')
    batch(tmp_path, 10, '{"events":{"0":7,"1":2}}')
    batch(tmp_path, 11, '{"events":{"0":9,"1":3}}', is_committed=False)
    assert checkpoint.read_to(spark, str(tmp_path)) == {"events": {"0": 7, "1": 2}}
    assert checkpoint.reached_here(tmp_path, "commits") == {"events": {"0": 7, "1": 2}}
    assert checkpoint.reached_here(tmp_path, "offsets") == {"events": {"0": 9, "1": 3}}
    assert checkpoint.reached_here(tmp_path / "none", "offsets") is None


def test_the_size_of_a_batch_that_was_begun_is_what_it_reads_of_every_partition(
    spark: SparkSession, tmp_path: Path
) -> None:
    batch(tmp_path, 0, '{"events":{"0":5}}')
    batch(tmp_path, 1, '{"events":{"0":7,"1":4},"others":{"0":1}}', is_committed=False)
    assert checkpoint.size(spark, str(tmp_path), 0) is None  # where it begins stands nowhere
    assert checkpoint.size(spark, str(tmp_path), 1) == 2 + 4 + 1


@pytest.mark.parametrize("offsets", ["", "-", '{"logOffset":3}', "[]"])
def test_offsets_that_cannot_be_read_are_told_with_the_remedy(
    spark: SparkSession, tmp_path: Path, offsets: str
) -> None:
    batch(tmp_path, 3, offsets)
    with pytest.raises(LakeError, match=r"offsets of micro-batch 3 are not there.* Delete this checkpoint and start"):
        checkpoint.read_to(spark, str(tmp_path))
    checkpoint.delete(spark, str(tmp_path))
    checkpoint.delete(spark, str(tmp_path))
    assert not tmp_path.exists()
