"""Stored sums of features: whatever comes in whichever batches, in whatever order and however often, the rows are those of one pass."""

import random
from pathlib import Path

import pytest
from pyspark.sql import DataFrame

from lakehouse.lake.delta import Lake
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS, merge, transform
from tests import feature_oracle as oracle
from tests.accepted import SCHEMA, once

SEED = 4


def told(rows: DataFrame) -> list[str]:
    return sorted(map(str, rows.select(*SILVER_FEATURE_DAYS.column_names).collect()))


@pytest.mark.parametrize("writer", ["delta-rs", "spark"])
def test_any_batching_any_order_and_replays_give_what_one_pass_gives(lake: Lake, writer: str, tmp_path: Path) -> None:
    lake.uses_delta_rs = writer == "delta-rs"
    lake.create(SILVER_FEATURE_DAYS)
    features = oracle.declared(tmp_path, oracle.random_declarations(SEED, 11))
    rows = oracle.random_events(SEED, 60, 3, 3)

    def leaves(part: list[dict[str, object]]) -> DataFrame:
        frame = lake.spark.createDataFrame([tuple(row.values()) for row in part], f"{SCHEMA}, {oracle.EXTRA}")
        return leaf(with_day(frame), rates={}, features=features)

    expected = told(transform(leaves(rows)))
    random.Random(SEED).shuffle(rows)
    for batch_id, (first, last) in enumerate([(0, 1), (1, 30), (30, 60)]):
        batch = leaves(rows[first:last])
        merge(lake, batch.toArrow() if writer == "delta-rs" else batch, once(batch_id))
        if batch_id % 2:
            merge(lake, batch, once(batch_id))  # after a crash behind the commit
    assert told(lake.read(SILVER_FEATURE_DAYS)) == expected
    assert 1 < len(expected) < len(rows), "some days have several events"
