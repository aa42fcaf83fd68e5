"""One figure for every table: what it says to Delta, and how an existing table follows it."""

import dataclasses
from datetime import timedelta

from delta.tables import DeltaTable

from lakehouse.config import LakeConfig
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import HOUSEHOLDS, writer
from lakehouse.lake.retention import LEAST_REMOTE, retention
from lakehouse.profiles.gold.households import GOLD_HOUSEHOLDS
from lakehouse.tables.facts import SILVER_EXPERIMENT_STARTS


def test_on_an_object_store_a_writers_files_are_safe_for_a_week() -> None:
    config = LakeConfig(root="any", keep_hours=2)
    assert retention(config, is_here=True).keep == timedelta(hours=2)
    assert retention(config, is_here=False).keep == LEAST_REMOTE
    assert retention(dataclasses.replace(config, keep_hours=400), is_here=False).keep == timedelta(hours=400)


def test_a_table_follows_a_changed_retention_and_its_rows_stay_of_their_version(lake: Lake) -> None:
    table = SILVER_EXPERIMENT_STARTS
    lake.create(table)
    version = lake.version(table)
    longer = Lake(
        lake.spark, dataclasses.replace(lake.config, lake=dataclasses.replace(lake.config.lake, keep_hours=24))
    )
    for _ in range(2):
        longer.create(table)
    properties = DeltaTable.forPath(lake.spark, lake.path(table)).detail().head(1)[0]["properties"]
    assert properties["delta.deletedFileRetentionDuration"] == "interval 86400 seconds"
    assert properties["delta.logRetentionDuration"] == "interval 86400 seconds"
    assert properties["delta.enableExpiredLogCleanup"] == "false"
    assert (longer.version(table), longer.commit(table)) == (version, 1)


def test_what_a_job_writes_follows_when_that_job_writes(lake: Lake) -> None:
    lake.create(GOLD_HOUSEHOLDS)
    longer = Lake(
        lake.spark, dataclasses.replace(lake.config, lake=dataclasses.replace(lake.config.lake, keep_hours=24))
    )
    longer.create(GOLD_HOUSEHOLDS)  # as the streaming driver does, beside the job
    assert longer.commit(GOLD_HOUSEHOLDS) == 0
    with writer(longer.config, part=HOUSEHOLDS):
        longer.create(GOLD_HOUSEHOLDS)
    assert longer.commit(GOLD_HOUSEHOLDS) == 1
