"""Several queries end together, and one that fails is told in one line."""

import shutil
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.errors import BrokerError, ConfigError, ContractError, LakeError, QueryError, StitchlakeError, StoreError
from lakehouse.lake.delta import Lake
from lakehouse.machine import wait_until
from lakehouse.spark.restarts import FIRST_TRIES, PATIENCE_SECONDS
from lakehouse.spark.streams import await_all, cause, failure, started, supervise


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


class Clock:
    """Time that passes when it is asked for: by a step longer than any pause whatever is due is due at once."""

    def __init__(self, step: float) -> None:
        self.step, self.now = step, 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Scripted:
    """A query started again and again: each start takes the next of `fails`, and works where none is left."""

    def __init__(self, name: str, folder: Path, fails: list[int], error: Exception | None = None) -> None:
        self.name, self.folder, self.fails, self.error, self.starts = name, folder, fails, error, 0
        self.seen: list[int] = []

    def __call__(self, lake: Lake, *, available_now: bool) -> StreamingQuery:
        self.starts += 1
        batches = self.fails.pop(0) if self.fails else None  # how many it finishes before it fails; None = all

        def on_batch(rows: DataFrame, batch_id: int) -> None:
            nonlocal batches
            if batches == 0:
                raise self.error or OSError(f"no space left for batch {batch_id}")
            batches = None if batches is None else batches - 1
            self.seen.append(batch_id)
            if batches is None and len(self.seen) > 3:
                Thread(target=query.stop).start()

        rows = lake.spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 1).load()
        started = rows.writeStream.queryName(self.name).foreachBatch(on_batch)
        query = started.option("checkpointLocation", str(self.folder / self.name)).start()
        return query


def test_a_query_that_fails_is_started_again_where_it_was_and_the_others_run_on(lake: Lake, tmp_path: Path) -> None:
    failing, lasting = Scripted("failing", tmp_path, [0, 2, 0, 0, 0]), query(lake, "lasting", tmp_path, fails=False)

    def lasts(lake: Lake, *, available_now: bool) -> StreamingQuery:
        raise AssertionError("it never failed")

    first = failing(lake, available_now=False)
    ended = Thread(target=lambda: (wait_until(lambda: len(failing.seen) > 3, 60), lasting.stop()))
    ended.start()
    supervise(lake, [failing, lasts], [first, lasting], clock=Clock(100.0))
    ended.join()
    assert failing.starts == 6
    assert failing.seen[:4] == [0, 1, 2, 3], "every micro-batch once, in order"


def test_what_never_worked_is_given_up_soon_and_all_of_it_ends(lake: Lake, tmp_path: Path) -> None:
    failing, lasting = Scripted("failing", tmp_path, [0] * 9), query(lake, "lasting", tmp_path, fails=False)
    first = failing(lake, available_now=False)
    with pytest.raises(StitchlakeError, match="query failing: stopped, OSError: no space left for batch 0"):
        supervise(lake, [failing, failing], [first, lasting], clock=Clock(100.0))
    assert failing.starts == FIRST_TRIES
    assert not lasting.isActive


def test_what_has_worked_has_longer_and_is_given_up_at_last(lake: Lake, tmp_path: Path) -> None:
    failing = Scripted("failing", tmp_path, [1] + [0] * 40)
    with pytest.raises(StitchlakeError, match="batch 1"):
        supervise(lake, [failing], [failing(lake, available_now=False)], clock=Clock(PATIENCE_SECONDS / 8))
    assert FIRST_TRIES < failing.starts < 12


def test_a_start_that_fails_counts_as_a_try_and_is_told_without_its_plan(
    lake: Lake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failing = Scripted("failing", tmp_path, [0])
    first = failing(lake, available_now=False)

    tries, says = [], "no broker at kafka:1\n=== Streaming Query ===\nthe plan of it"

    def fails(lake: Lake, *, available_now: bool) -> StreamingQuery:
        tries.append(lake.spark.sparkContext.getLocalProperty("spark.scheduler.pool"))
        raise BrokerError("" if len(tries) == 1 else says)

    with pytest.raises(StitchlakeError, match="query failing: did not start, BrokerError: no broker at kafka:1"):
        supervise(lake, [fails], [first], clock=Clock(100.0))
    assert tries == [__name__] * (FIRST_TRIES - 1), "each in the pool it had"
    told = [record.getMessage() for record in caplog.records if "did not start: Traceback" in record.getMessage()]
    assert len(told) == len(tries)
    assert told[-1].endswith("BrokerError: no broker at kafka:1")
    assert "the plan of it" not in caplog.text


def test_what_a_person_must_mend_is_not_tried_again(lake: Lake, tmp_path: Path) -> None:
    failing, lasting = Scripted("failing", tmp_path, [1, 0]), query(lake, "lasting", tmp_path, fails=False)
    tries = []

    def refused(lake: Lake, *, available_now: bool) -> StreamingQuery:
        tries.append(available_now)
        raise LakeError("another topic")

    with pytest.raises(LakeError, match=r"^another topic$"):
        supervise(lake, [refused, refuse], [failing(lake, available_now=False), lasting], clock=Clock(100.0))
    assert len(tries) == 1
    assert not lasting.isActive


@pytest.mark.parametrize("error", [ContractError, ConfigError, LakeError])
def test_what_a_micro_batch_refuses_for_a_person_is_not_tried_again(
    lake: Lake, tmp_path: Path, error: type[StitchlakeError]
) -> None:
    failing = Scripted("failing", tmp_path, [1] + [0] * 40, error("silver.events: got null in ['x']"))
    told = rf"query failing: stopped, lakehouse\.errors\.{error.__name__}: silver\.events: got null in \['x'\]\. Mend"
    with pytest.raises(StitchlakeError, match=told) as caught:
        supervise(lake, [failing], [failing(lake, available_now=False)], clock=Clock(100.0))
    assert failing.starts == 1
    assert not caught.value.may_pass


@pytest.mark.parametrize("error", [StoreError("no answer"), KeyError("x"), OSError("no space left")])
def test_what_may_pass_is_tried_again(lake: Lake, tmp_path: Path, error: Exception) -> None:
    failing = Scripted("failing", tmp_path, [0], error)
    first = failing(lake, available_now=False)
    with suppress(StreamingQueryException):
        first.awaitTermination()
    assert isinstance(failure(first), QueryError)
    supervise(lake, [failing], [first], clock=Clock(100.0))
    assert failing.starts == 2


def refuse(lake: Lake, *, available_now: bool) -> StreamingQuery:
    raise AssertionError("nobody starts it")


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


def repeated(lake: Lake, *, available_now: bool) -> StreamingQuery:
    """A query with state, over a file of records in the lake's folder; it ends by itself."""
    folder = Path(lake.root)
    records = lake.spark.readStream.schema("id string").json(str(folder / "records"))
    once = (
        records.withColumn("at", F.current_timestamp())
        .withWatermark("at", "1 day")
        .dropDuplicatesWithinWatermark(["id"])
    )
    writer = once.writeStream.queryName("repeated").foreachBatch(lambda rows, _: rows.count())
    return writer.option("checkpointLocation", str(folder / "checkpoint")).trigger(availableNow=True).start()


@pytest.mark.parametrize(
    ("gone", "at_start"),
    [("state", False), ("state/0/0/1.delta", False), ("sources", False), ("metadata", True)],
)
def test_a_checkpoint_that_cannot_be_read_is_one_line_with_the_remedy(lake: Lake, gone: str, at_start: bool) -> None:
    folder = Path(lake.root)
    for number in range(2):
        (folder / "records").mkdir(parents=True, exist_ok=True)
        (folder / "records" / f"{number}.json").write_text(f'{{"id": "{number}"}}', encoding="utf-8")
        if number == 0:
            repeated(lake, available_now=True).awaitTermination()
    damaged = folder / "checkpoint" / gone
    shutil.rmtree(damaged) if damaged.is_dir() else damaged.unlink()
    with pytest.raises(
        StitchlakeError, match=r"its checkpoint cannot be read, got .* delete it, .* nothing is taken in twice"
    ):
        await_all(lake, [started(lake, repeated, available_now=True)])
    if not at_start:
        shutil.rmtree(folder / "checkpoint")
        await_all(lake, [started(lake, repeated, available_now=True)])
