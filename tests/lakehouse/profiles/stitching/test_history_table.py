"""A lake that nobody has sent anything to; lakes with people are compared in tests/lakehouse/identity."""

from lakehouse.lake.delta import Lake
from lakehouse.profiles.stitching.history_table import compare_history, history_of, history_repairs, summarise_history
from lakehouse.tables.identity import SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_LOG


def test_of_nobody_nothing_differs(lake: Lake) -> None:
    lake.create_missing([SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_LOG])
    compared = compare_history(lake, history_of(lake))
    assert summarise_history(compared).total == 0
    assert history_repairs(compared).empty
