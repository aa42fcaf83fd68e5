"""Gold is judged before it is written: few profiles on the driver, everybody in Spark."""

from collections.abc import Sequence
from typing import Any

import pytest

from lakehouse.config import QualityConfig
from lakehouse.errors import QualityError
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import Champions
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.profiles.gold_quality import judge
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.quality.counts import Counts
from lakehouse.quality.data_quality import DataQuality
from lakehouse.tables.contract import Table
from tests.accepted import at, event, few_leaves, once
from tests.small_lake import copy_empty_tables

NOW = at("2026-03-01 00:00")
ORDER = event("m1", "2026-02-01 10:00", "Order Completed", user_id="ann", order_id="o1", revenue="5.00")
LOOK = event("m2", "2026-02-01 11:00", user_id="bob")


class Judge(DataQuality):
    """Notes what it is handed, and refuses a table."""

    def __init__(self, lake: Lake, refused: Table | None = None) -> None:
        config = QualityConfig(window_seconds=60, keep_days=1, may_stop=True)
        super().__init__(lake, config, tables=[], clock=lambda: NOW)
        self.refused = refused
        self.seen: dict[str, int] = {}

    def took(self, table: Table, counts: Counts) -> None:
        self.seen[table.name] = counts.rows
        assert set(counts.by_name) == {expectation.name for expectation in table.expectations}
        if table is self.refused:
            raise QualityError(table.name)


def feed(batch: MicroBatch, batch_id: int, rows: Sequence[dict[str, Any]]) -> None:
    batch(few_leaves(batch.lake, rows), once(batch_id))


def test_what_may_not_be_written_is_not_and_is_once_it_may(lake: Lake) -> None:
    copy_empty_tables(lake)
    refusing, taking = Judge(lake, GOLD_RFM), Judge(lake)
    with pytest.raises(QualityError, match=r"^gold.rfm$"):
        feed(MicroBatch(lake, Champions(lake.config), clock=lambda: NOW, quality=refusing), 0, [ORDER, LOOK])
    assert (lake.read(GOLD_RFM).count(), lake.read(GOLD_ACTIVATION).count()) == (0, 0)

    batch = MicroBatch(lake, Champions(lake.config), clock=lambda: NOW, quality=taking)
    feed(batch, 0, [ORDER, LOOK])
    assert taking.seen == {"gold.rfm": 1, "gold.activation": 2}
    assert (lake.read(GOLD_RFM).count(), lake.read(GOLD_ACTIVATION).count()) == (1, 2)

    everybody = Judge(lake)
    as_of = batch.lake_clock.newest_event()
    assert as_of is not None
    judge(batch.touched.of_everybody(set(), as_of, NOW, batch.tables), batch.tables, everybody)
    assert everybody.seen == taking.seen | {"gold.scores": 0}
