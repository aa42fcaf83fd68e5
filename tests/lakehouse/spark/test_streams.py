"""Several queries end together, and one that fails is told in one line."""

from contextlib import suppress
from pathlib import Path

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.errors import StitchlakeError
from lakehouse.lake.delta import Lake
from lakehouse.spark.streams import await_all, cause


def query(lake: Lake, name: str, tmp_path: Path, *, fails: bool) -> StreamingQuery:
    def on_batch(rows: DataFrame, batch_id: int) -> None:
        if fails:
            raise OSError(f"no space left for batch {batch_id}")

    rows = lake.spark.readStream.format("rate").load()
    started = rows.writeStream.queryName(name).foreachBatch(on_batch)
    return started.option("checkpointLocation", str(tmp_path / name)).start()


@pytest.mark.parametrize("waits", [True, False])
def test_a_query_that_fails_is_one_line_with_its_cause_and_the_others_end(
    lake: Lake, tmp_path: Path, *, waits: bool
) -> None:
    lasting = query(lake, "lasting", tmp_path, fails=False)
    failing = query(lake, "failing", tmp_path, fails=True)
    if not waits:
        with suppress(StreamingQueryException):
            failing.awaitTermination()
    with pytest.raises(StitchlakeError) as caught:
        await_all(lake, [lasting, failing])
    assert str(caught.value) == (
        "query failing: stopped, OSError: no space left for batch 0. Mend the cause and start again: it resumes where it was"
    )
    assert not lasting.isActive


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ("[STREAM_FAILED] Query [id = 1] terminated with exception: Topic gone SQLSTATE: XXKST\n=== Streaming Query ===\nx: y",
         "[STREAM_FAILED] Query [id = 1] terminated with exception: Topic gone"),
        ("[A] B\nTraceback (most recent call last):\n  File x\nlakehouse.errors.BrokerError: no broker at kafka:1, start it. "
         "SQLSTATE: 39000 SQLSTATE: XXKST\n", "lakehouse.errors.BrokerError: no broker at kafka:1, start it"),
        ("[A] Job aborted\njava.io.IOException: No space left on device\n\tat java.io.Writer\n\nDriver stacktrace: SQLSTATE: XXKST\n",
         "java.io.IOException: No space left on device"),
    ],
)  # fmt: skip
def test_the_cause_is_the_line_that_names_the_error(told: str, line: str) -> None:
    assert cause(told) == line
