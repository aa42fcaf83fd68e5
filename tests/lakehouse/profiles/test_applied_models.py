"""By which champions gold was made, as two readers of it say."""

import pyarrow as pa

from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.profiles.applied_models import versions_in
from lakehouse.profiles.declared_scores import PURCHASE_PROPENSITY
from lakehouse.profiles.gold.scores import GOLD_SCORES
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS
from tests import small_lake

VERSION = PURCHASE_PROPENSITY.version_column


def told(lake: Lake) -> dict[str, str]:
    """Without Spark, and by it."""
    found = versions_in(lake)
    lake.uses_delta_rs = False
    by_spark = versions_in(lake)
    lake.uses_delta_rs = True
    assert found == by_spark
    return found


def test_the_versions_of_rows_that_hold_now_and_none_where_there_are_two(lake: Lake) -> None:
    small_lake.copy_empty_tables(lake)
    assert told(lake) == {}
    for table, more in ((GOLD_SEGMENTS, {}), (GOLD_SCORES, {VERSION: "1"})):
        rows = [{**row, **more} for row in small_lake.ROWS[table.name]]
        lake.add(pa.Table.from_pylist(rows, schema=arrow_schema(table)), table)
    both = {"segments": "2", PURCHASE_PROPENSITY.model: "1"}  # what another version said of segments is over
    assert told(lake) == both
    other = {**small_lake.ROWS["gold.scores"][0], "profile_id": "dan", VERSION: "2"}
    lake.add(pa.Table.from_pylist([other], schema=arrow_schema(GOLD_SCORES)), GOLD_SCORES)
    assert told(lake) == {"segments": "2"}
