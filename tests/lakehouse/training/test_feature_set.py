"""ml/feature_set.py: a day of the past looks as if nothing had come since, and only those are in it who may be learned from."""

import dataclasses
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lakehouse.errors import StitchlakeError
from lakehouse.lake.delta import Lake
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.silver import feature_days
from lakehouse.training import feature_set
from ml import feature_set as job
from tests import feature_oracle as oracle
from tests.accepted import SCHEMA
from tests.small_lake import build

ENTRIES = [
    {"name": "orders_7d", "description": "d", "aggregation": "count", "where": "event_name = 'Order Completed'", "window": "7 d"},
    {"name": "spent", "description": "d", "aggregation": "sum", "value": "amount", "default": 0},
]  # fmt: skip
ACTORS = {"a0": "ann-phone", "a1": "bob-web", "a2": "cat-web"}  # of the small lake
DAYS = [date(2026, 1, 6), date(2026, 1, 20)]


def test_a_past_day_is_what_replaying_up_to_it_gives(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build(lake)
    lake.config = dataclasses.replace(
        lake.config, consent=dataclasses.replace(lake.config.consent, never_asked="denied")
    )
    features = oracle.declared(tmp_path, ENTRIES)
    rows = [row | {"actor_id": ACTORS[str(row["actor_id"])]} for row in oracle.random_events(3, 120, 3, 24)]
    raw = lake.spark.createDataFrame([tuple(row.values()) for row in rows], f"{SCHEMA}, {oracle.EXTRA}")
    table = feature_days.SILVER_FEATURE_DAYS
    lake.overwrite(feature_days.transform(leaf(with_day(raw), rates={}, features=features)), table)

    monkeypatch.setattr(job, "declared", lambda _: features)
    monkeypatch.setattr(job, "load", lambda: lake.config)
    days = ",".join(map(str, DAYS))
    assert job.main(["--days", days, "--to", f"{tmp_path}/set", "--purpose", "marketing"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    got = lake.spark.read.parquet(f"{tmp_path}/set").toArrow()
    assert got.column_names == ["profile_id", "as_of", "orders_7d", "spent"]
    assert told["rows"] == got.num_rows == len(DAYS)

    moments = [("ann-phone", datetime(day.year, day.month, day.day, 23, 59, 59, 999_999, tzinfo=UTC)) for day in DAYS]
    expected = oracle.brute_force(raw.toArrow(), [("ann-phone", "ann-phone")], moments, ENTRIES)
    assert oracle.differences(got, expected, ["orders_7d", "spent"]) == []
    assert expected[moments[0]] != expected[moments[1]]


def test_days_that_are_none_are_refused() -> None:
    with pytest.raises(StitchlakeError, match="--days: got 'yesterday', expected days"):
        job.main(["--days", "yesterday", "--to", "nowhere"])


def test_the_shipped_features_are_what_is_learned_from(lake: Lake) -> None:
    assert "views_30d" in feature_set.declared(lake).by_name
