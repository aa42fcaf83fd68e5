"""gold.features, kept by micro-batches: late events, merges, splits and windows that close give what one pass over all events gives.

So do the documents of the online store, at whatever instant they are read.
"""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame

from lakehouse.errors import ContractError
from lakehouse.feature_book.kept_features import keep, marked, note_filled
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.features.online_values import OnlineFeatures
from lakehouse.features.windows import features_at
from lakehouse.identity.index import Index
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.models.registry import Champions
from lakehouse.online.content import differences
from lakehouse.online.engines import open_store, store_url
from lakehouse.online.online_profile import PROFILE, OnlineProfile
from lakehouse.online.online_step import OnlineStep
from lakehouse.profiles import due_rows
from lakehouse.profiles.gold.features import check_stored, gold_features
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.silver import feature_days
from lakehouse.tables.contract import Table
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from tests import feature_oracle as oracle
from tests.accepted import at, events, few_leaves, merge_and_split, once, sent
from tests.rows import completed
from tests.small_lake import copy_empty_tables

VIEWS: list[dict[str, Any]] = [
    {"name": "views_1h", "description": "d", "aggregation": "count", "where": "event_name = 'Product Viewed'", "window": "1 h"},
    {"name": "views_2d", "description": "d", "aggregation": "count", "where": "event_name = 'Product Viewed'", "window": "2 d"},
    {"name": "spent", "description": "d", "aggregation": "sum", "value": "amount", "where": "event_name = 'Order Completed'"},
    {"name": "per_view", "description": "d", "aggregation": "ratio", "numerator": "spent", "denominator": "views_2d"},
    {"name": "top", "description": "d", "aggregation": "top_k", "value": "product_id", "most": 2},
    {"name": "last_product", "description": "d", "aggregation": "last", "value": "product_id"},
]  # fmt: skip
VIEWS = oracle.online(VIEWS)
BATCHES = merge_and_split("5.10")

LATE, MERGE = 1, 2
NOW = at("2026-03-01 00:00")


@pytest.fixture
def features(tmp_path: Path) -> Features:
    return oracle.declared(tmp_path, VIEWS)


def online_step(lake: Lake, features: Features) -> OnlineStep:
    step = OnlineStep(lake, lambda: open_store(store_url(lake.config)))
    step.use(features)
    return step


def new_batch(lake: Lake, features: Features) -> MicroBatch:
    copy_empty_tables(lake)
    kept = keep(lake, features)
    online = online_step(lake, kept) if kept.online else None
    return MicroBatch(lake, Champions(lake.config), clock=lambda: NOW, features=kept, online=online)


def assert_documents_say_what_gold_says(lake: Lake, features: Features, index: Index) -> None:
    """Of every profile at the time of its row in gold; and a document written anew would be the same."""
    with closing(open_store(store_url(lake.config))) as store:
        rows = lake.read(gold_features(features)).collect()
        stored = {key.removeprefix(PROFILE): OnlineProfile.decode(data) for key, data in store.scan(PROFILE)}
        assert stored.keys() == {row["profile_id"] for row in rows}
        for row in rows:
            as_of = row["as_of"].replace(tzinfo=UTC)
            known = OnlineFeatures(features, stored[row["profile_id"]].read_sums, as_of)
            assert dict(known) == {name: row[name] for name in known}
        assert not any(
            differences(store, lake, index, features)[fault] for fault in ("missing", "different", "strangers")
        )


def rows_of(lake: Lake, table: Table) -> pa.Table:
    return pa.Table.from_batches(lake.batches(table), arrow_schema(table))


def told(rows: Sequence[Any], names: Sequence[str]) -> list[str]:
    return sorted(str([row[name] for name in names]) for row in rows)


def test_the_stream_says_at_every_moment_what_one_pass_says(lake: Lake, features: Features) -> None:
    batch, table = new_batch(lake, features), gold_features(features)
    so_far: list[dict[str, Any]] = []

    def one_pass(events: DataFrame, identity: DataFrame, moments: DataFrame) -> DataFrame:
        days = feature_days.transform(leaf(with_day(events), rates={}, features=features))
        return table.transform(identity, days, profiles=moments)

    for number, rows in enumerate(BATCHES):
        so_far += rows
        here = few_leaves(lake, rows, features)
        batch(lake.frame(here) if number == MERGE else here, once(number))
        if number == LATE:
            batch(here, once(number))  # again, after a crash
        if number < MERGE:
            continue
        newest = max(row["occurred_at"] for row in so_far)
        identity = rows_of(lake, SILVER_IDENTITY_MAP)
        profiles = sorted(set(identity["profile_id"].to_pylist()))
        at_newest = pa.array([newest] * len(profiles), pa.timestamp("us", tz="UTC"))
        moments = pa.table({"profile_id": profiles, "as_of": at_newest})
        names = [name for name in table.given_columns if name != "as_of"]
        expected = lake.few_rows.run(
            "one_pass", one_pass, version=features.version, events=sent(so_far), identity=identity, moments=moments
        )
        assert told(rows_of(lake, table).to_pylist(), names) == told(expected.to_pylist(), names), number
        assert_documents_say_what_gold_says(lake, features, batch.identity.index)
    (quiet,) = lake.read(table).where("last_product = 'p9'").collect()
    assert (quiet["views_1h"], quiet["views_2d"], quiet["due_at"]) == (0, 0, None)
    merged = {row["last_product"] for row in lake.read(table).collect()}
    assert {"p3", "p9"} <= merged


def test_more_windows_than_one_batch_takes_are_closed_while_nothing_comes(
    lake: Lake, features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_rows, "MOST_DUE", 1)
    batch, table = new_batch(lake, features), gold_features(features)
    first, last = BATCHES[0], BATCHES[-1]
    for number, rows in enumerate((first, last)):
        batch(few_leaves(lake, rows, features), once(number))
    assert lake.read(table).where("views_2d > 0").count() == 3
    for _ in range(3):
        batch.catch_up()
    assert lake.read(table).where("views_2d > 0").count() == 1
    stored = lake.commit(table)
    batch.catch_up()
    assert lake.commit(table) == stored, "nothing is due"


def test_documents_are_written_anew_when_they_are_to_carry_something_else(lake: Lake, tmp_path: Path) -> None:
    batch = new_batch(lake, oracle.declared(tmp_path, VIEWS))
    batch(few_leaves(lake, BATCHES[0], batch.features), once(0))
    longer = {
        "name": "views_9d",
        "description": "d",
        "aggregation": "count",
        "where": VIEWS[1]["where"],
        "window": "9 d",
    }
    more = keep(lake, oracle.declared(tmp_path, oracle.online([*VIEWS, longer])))
    for features in (batch.features, more):
        online_step(lake, features).catch_up(batch.identity.index, NOW)
        with closing(open_store(store_url(lake.config))) as store:
            profiles = [OnlineProfile.decode(data) for _, data in store.scan(PROFILE)]
        told = [dict(OnlineFeatures(more, each.read_sums, NOW)) for each in profiles]
        assert {one["views_9d"] for one in told} == {0 if features is more else None}
        assert {one["views_2d"] for one in told} == {0}


def test_nothing_declared_writes_nothing(lake: Lake) -> None:
    batch = new_batch(lake, NO_FEATURES)
    before = (lake.commit(feature_days.SILVER_FEATURE_DAYS), lake.commit(gold_features(NO_FEATURES)))
    batch(few_leaves(lake, BATCHES[0]), once(0))
    after = (lake.commit(feature_days.SILVER_FEATURE_DAYS), lake.commit(gold_features(NO_FEATURES)))
    assert before == after
    assert "windows" not in batch.records[0].seconds


def test_a_new_filter_is_null_until_it_is_filled_and_a_new_window_is_there_at_once(lake: Lake, tmp_path: Path) -> None:
    kept = new_batch(lake, oracle.declared(tmp_path, VIEWS)).features
    assert kept.unfilled == frozenset(), "a new lake has no history"
    lake.overwrite(completed(lake.spark.range(1).selectExpr("'m' AS message_id"), SILVER_EVENTS), SILVER_EVENTS)
    views = VIEWS[1]["where"]
    later = [
        *VIEWS,
        {"name": "views_9d", "description": "d", "aggregation": "count", "where": views, "window": "9 d"},
        {"name": "carts", "description": "d", "aggregation": "count", "where": "event_name = 'Product Added'"},
        {"name": "carts_per_view", "description": "d", "aggregation": "ratio", "numerator": "carts", "denominator": "views_9d", "default": 0},
    ]  # fmt: skip
    features = oracle.declared(tmp_path, later)
    kept = keep(lake, features)
    assert [one.name for one in kept.features if not kept.is_filled(one)] == ["carts", "carts_per_view"]
    leaves = leaf(with_day(events(lake.spark, BATCHES[0])), rates={}, features=kept)
    moments = lake.spark.createDataFrame([("p", at("2026-02-02 12:00"))], "profile_id string, as_of timestamp")
    days = feature_days.transform(leaves).selectExpr("'p' AS profile_id", "partials")
    (row,) = features_at(days, moments, kept).collect()
    assert (row["views_9d"], row["carts"], row["carts_per_view"]) == (3, None, None)
    note_filled(lake, features)
    (row,) = features_at(days, moments, keep(lake, features)).collect()
    assert (row["views_9d"], row["carts"], row["carts_per_view"]) == (3, 0, 0.0)
    keep(lake, NO_FEATURES)
    assert marked(lake, features).unfilled == {partial.name for partial in features.partials}, (
        "nobody sums them meanwhile"
    )


def test_a_feature_that_is_stored_with_another_type_is_refused(features: Features) -> None:
    stored = {column.name: column.type for column in gold_features(features).columns}
    check_stored(gold_features(features), stored)
    with pytest.raises(ContractError, match=r"features\.yaml: spent: got double, expected string"):
        check_stored(gold_features(features), stored | {"spent": "string"})
