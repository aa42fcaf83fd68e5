"""ops.data_quality by hand: windows, hours, verdicts that turn, a query that stops."""

import dataclasses
import logging
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from lakehouse.config import QualityConfig
from lakehouse.errors import QualityError
from lakehouse.lake.delta import Lake
from lakehouse.quality.counts import Counts
from lakehouse.quality.data_quality import DataQuality
from lakehouse.tables.contract import Table, required
from lakehouse.tables.expectation import Action, Expectation, Volume
from lakehouse.tables.quality import OPS_DATA_QUALITY
from tests.small_lake import at

CONFIG = QualityConfig(window_seconds=60, keep_days=30, may_stop=True)
WARNS = Expectation(name="sound", text="sound rows", breaks="is_bad", most=0.1, least_rows=10)
SHOP = Table(
    name="gold.shop", grain="one row per sale", key=("sale",), owner="shop.py", columns=(required("sale", "string", ""),),
    expectations=(WARNS,), volume=Volume(low=0.5, high=2.0, days=7, least_rows=10),
)  # fmt: skip
STRICT = dataclasses.replace(SHOP, expectations=(dataclasses.replace(WARNS, action=Action.STOP),))


class Time:
    """Of day, moved by hand."""

    now = at("03-10 09:00")

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)


Told = list[tuple[str, str, float | None, bool | None]]


@pytest.fixture
def new(lake: Lake) -> Callable[..., tuple[DataQuality, Time, Told]]:
    lake.create(OPS_DATA_QUALITY)

    def make(**changed: Any) -> tuple[DataQuality, Time, Told]:
        time, told = Time(), []
        config = dataclasses.replace(CONFIG, **changed)
        judge = DataQuality(lake, config, tables=[SHOP], clock=time, tell=lambda *verdict: told.append(verdict))
        return judge, time, told

    return make


def counts(rows: int, broken: int) -> Counts:
    return Counts(rows, {"sound": (rows, broken)})


def stored(lake: Lake, name: str) -> list[tuple[Any, ...]]:
    rows = lake.read(OPS_DATA_QUALITY).where(f"expectation = '{name}'").orderBy("window_start").collect()
    return [(row["row_count"], row["broken_count"], row["share"], row["is_met"]) for row in rows]


def test_micro_batches_of_a_window_are_judged_together_and_are_one_commit(lake: Lake, new: Any) -> None:
    judge, time, told = new()
    judge.took(SHOP, counts(9, 9))
    time.pass_by(seconds=59)
    judge.settle(60)
    assert (told, lake.size(OPS_DATA_QUALITY).version) == ([], 0)
    judge.took(SHOP, counts(91, 1))
    time.pass_by(seconds=1)
    judge.settle(60)
    assert told == [("gold.shop", "sound", 0.1, True)], "exactly as many as may"
    assert stored(lake, "sound") == [(100, 10, 0.1, True)]
    assert stored(lake, "volume") == [(100, 0, None, None)]
    assert lake.size(OPS_DATA_QUALITY).version == 1
    judge.settle(0)
    assert lake.size(OPS_DATA_QUALITY).version == 1, "nothing came"


def test_few_rows_say_nothing(lake: Lake, new: Any) -> None:
    judge, _, told = new()
    judge.took(SHOP, counts(9, 9))
    judge.settle(0)
    assert told == [("gold.shop", "sound", 1.0, None)]
    assert stored(lake, "sound") == [(9, 9, 1.0, None)]


def test_the_log_says_when_a_verdict_turns_and_not_while_it_lasts(new: Any, caplog: pytest.LogCaptureFixture) -> None:
    judge, _, _ = new()
    with caplog.at_level(logging.WARNING):
        for broken in (0, 20, 30, 0, 0):
            judge.took(SHOP, counts(100, broken))
            judge.settle(0)
    assert [record.getMessage().partition(".")[2] for record in caplog.records] == [
        "shop: expectation sound is broken, got a share of 0.2000. See ops.data_quality",
        "shop: expectation sound is met again",
    ]


def test_a_table_that_cannot_be_written_fails_nobody_and_hides_no_verdict(
    lake: Lake, new: Any, caplog: pytest.LogCaptureFixture
) -> None:
    judge, time, told = new()
    shutil.rmtree(lake.path(OPS_DATA_QUALITY))
    judge.took(SHOP, counts(100, 20))
    judge.settle(0)
    time.pass_by(hours=2)
    judge.settle(0)
    assert told == [("gold.shop", "sound", 0.2, False)]
    with pytest.raises(QualityError, match="sound is broken"):
        judge.took(STRICT, counts(100, 20))
    assert sum("were not written" in record.message for record in caplog.records) == 2


def test_what_may_not_be_written_stops_the_query_with_the_verdict_kept(lake: Lake, new: Any) -> None:
    judge, _, told = new()
    judge.took(STRICT, counts(90, 9))
    judge.check()
    expected = "gold.shop: expectation sound is broken by 11 of 100 rows, expected sound rows but for a share of 0.1"
    with pytest.raises(QualityError, match=expected):
        judge.took(STRICT, counts(10, 2))
    with pytest.raises(QualityError, match=expected):
        judge.check()
    assert told == [("gold.shop", "sound", 0.11, False)]
    assert stored(lake, "sound") == [(100, 11, 0.11, False)]


def test_a_person_may_let_them_in(lake: Lake, new: Any) -> None:
    judge, _, told = new(may_stop=False)
    judge.took(STRICT, counts(100, 50))
    judge.check()
    judge.settle(0)
    assert told == [("gold.shop", "sound", 0.5, False)]


def test_an_hour_is_judged_when_it_is_over_also_when_nothing_comes_and_old_rows_go(lake: Lake, new: Any) -> None:
    judge, time, told = new()
    for _ in range(5):
        judge.took(SHOP, counts(50, 0))
        judge.settle(0)
        time.pass_by(days=1)
        judge.settle(0)
    told.clear()
    time.pass_by(minutes=59)
    judge.settle(60)
    assert told == []
    time.pass_by(minutes=1)
    judge.settle(60)
    assert told == [("gold.shop", "hourly_volume", 0.0, False)], "nobody came at nine, as 50 do every day"
    assert stored(lake, "hourly_volume")[-1] == (0, 0, 0.0, False)
    time.pass_by(days=26)
    judge.settle(60)
    assert len(stored(lake, "volume")) == 3, "of the last 30 days"
