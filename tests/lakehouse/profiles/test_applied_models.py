"""By which champions gold was made, as two readers of it say."""

from dataclasses import replace

import pyarrow as pa

from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.models.registry import Champions
from lakehouse.profiles.applied_models import AppliedModels, note_correction, versions_in
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


def test_gold_is_old_until_all_of_it_is_corrected_as_it_is_configured(lake: Lake) -> None:
    """Who switches a correction off is not to find the corrected scores of all that nothing happens to."""
    small_lake.copy_empty_tables(lake)
    fairness = replace(lake.config.fairness, corrects="gold.contacts.country")
    switched_on = Lake(lake.spark, replace(lake.config, fairness=fairness))

    def applied(of: Lake) -> AppliedModels:
        return AppliedModels(of, Champions.now(of.config))

    assert not applied(lake).are_old()
    streaming = applied(switched_on)
    assert streaming.are_old()
    streaming.renew()
    assert not streaming.are_old()
    assert not applied(switched_on).are_old(), "it is known by the next process, too"
    assert applied(lake).are_old(), "switched off"
    note_correction(lake)  # as a rebuild does
    assert not applied(lake).are_old()
