"""Commits and files of tables, looked up now and then."""

import pyarrow as pa
import pytest

from lakehouse.catalog import TABLES
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.monitoring.table_sizes import KEPT_SECONDS, TableSizes
from tests.small_lake import ROWS

RFM, SCORES = TABLES["gold.rfm"], TABLES["gold.scores"]


def told(sizes: TableSizes) -> dict[str, float]:
    return {
        f"{sample.name} {sample.labels['table']}": sample.value
        for family in sizes.collect()
        for sample in family.samples
    }


def test_commits_and_files_are_told_and_looked_up_again_after_a_while(lake: Lake) -> None:
    now = [0.0]
    lake.create(RFM)
    sizes = TableSizes(lake, [RFM], clock=lambda: now[0])
    before = {
        "stitchlake_table_version gold.rfm": 0, "stitchlake_table_log_files gold.rfm": 1, "stitchlake_table_files gold.rfm": 0,
    }  # fmt: skip
    assert told(sizes) == before
    lake.add(pa.Table.from_pylist(ROWS["gold.rfm"], schema=arrow_schema(RFM)), RFM)
    now[0] = KEPT_SECONDS - 1
    assert told(sizes) == before
    now[0] = KEPT_SECONDS
    assert told(sizes) == dict(zip(before, (1, 2, 1), strict=True))


def test_a_table_that_is_made_later_is_told_at_once(lake: Lake) -> None:
    lake.create(RFM)
    sizes = TableSizes(lake, [RFM, SCORES], clock=lambda: 0.0)
    assert "stitchlake_table_version gold.scores" not in told(sizes)
    lake.create(SCORES)
    assert told(sizes)["stitchlake_table_version gold.scores"] == 0


def test_a_lake_elsewhere_is_not_looked_through(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "uses_delta_rs", False)
    assert told(TableSizes(lake, [RFM])) == {}
