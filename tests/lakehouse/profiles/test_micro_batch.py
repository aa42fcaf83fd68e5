"""The micro-batch on real Delta tables: what a reader works out by hand, replays, merges and splits."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row

from lakehouse.lake.delta import Lake
from lakehouse.lake.row_runs import RowRuns
from lakehouse.models.registry import Champions
from lakehouse.online.engines import open_store, store_url
from lakehouse.online.online_step import OnlineStep
from lakehouse.profiles import touched_profiles
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.profiles.tables import GOLD, LEAF, made_first
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import SILVER_IDENTITY_LOG, SILVER_IDENTITY_MAP
from tests.accepted import at, event, few_leaves, leaves, once
from tests.small_lake import copy_empty_tables

TWO_DEVICES = [
    event("m1", "2026-02-01 10:00", anonymous_id="phone"),
    event("m2", "2026-02-02 10:00", "Order Completed", anonymous_id="laptop", order_id="o1", revenue="5.00"),
]
ONE_LOGIN = [
    event("m3", "2026-02-03 10:00", anonymous_id="phone", user_id="ann"),
    event("m4", "2026-02-03 11:00", anonymous_id="laptop", user_id="ann"),
]


def feed(lake: Lake, micro_batch: MicroBatch, batch_id: int, rows: Sequence[dict[str, Any]]) -> None:
    micro_batch(few_leaves(lake, rows), once(batch_id))


def new_batch(lake: Lake, *, has_store: bool = False) -> MicroBatch:
    copy_empty_tables(lake)
    online = OnlineStep(lake, lambda: open_store(store_url(lake.config))) if has_store else None
    return MicroBatch(lake, Champions(lake.config), clock=lambda: at("2026-03-01 00:00"), online=online)


def rows_of(lake: Lake, table: Any, *columns: str) -> list[Row]:
    return lake.read(table).select(*columns).orderBy(*columns).collect()


def content(lake: Lake, table: Table) -> list[str]:
    """Every row, read without Spark."""
    return sorted(str(row) for batch in lake.batches(table) for row in batch.to_pylist())


def test_browsing_then_login_becomes_one_profile_with_its_order(lake: Lake) -> None:
    batch = new_batch(lake)
    feed(lake, batch, 0, [event("m1", "2026-02-01 10:00", anonymous_id="cookie")])
    feed(
        lake,
        batch,
        1,
        [
            event("m2", "2026-02-01 10:05", anonymous_id="cookie", user_id="ann"),
            event("m3", "2026-02-01 10:06", "Order Completed", user_id="ann", order_id="o1", revenue="20.50"),
        ],
    )
    (activation,) = lake.read(GOLD_ACTIVATION).collect()
    assert activation["user_ids"] == ["ann"]
    assert (activation["event_count"], activation["frequency"]) == (3, 1)
    assert activation["monetary"] == Decimal("20.50")
    (rfm,) = lake.read(GOLD_RFM).collect()
    assert rfm["profile_id"] == activation["profile_id"]
    assert {row["type"] for row in lake.read(SILVER_IDENTITY_LOG).collect()} == {"create", "attach"}
    assert batch.records[1].committed_at is not None


def test_replaying_a_batch_changes_nothing(lake: Lake) -> None:
    batch = new_batch(lake)
    rows = [
        event("m1", "2026-02-01 10:00", anonymous_id="a", user_id="ann"),
        event("m2", "2026-02-01 11:00", "Order Completed", user_id="ann", order_id="o1", revenue="10.00"),
        event("m3", "2026-02-02 11:00", "Order Refunded", user_id="ann", order_id="o1", revenue="4.00"),
    ]
    feed(lake, batch, 0, rows)
    tables = [SILVER_ACTIVITY_DAILY, SILVER_ORDERS, SILVER_IDENTITY_MAP, SILVER_IDENTITY_LOG, GOLD_RFM, GOLD_ACTIVATION]
    before = {table.name: content(lake, table) for table in tables}
    feed(lake, new_batch(lake), 0, rows)
    assert {table.name: content(lake, table) for table in tables} == before
    assert before["gold.rfm"][0].count("Decimal('6.00')") == 1


def test_a_refund_before_its_order_and_from_another_person_counts_once_the_order_comes(lake: Lake) -> None:
    batch = new_batch(lake)
    feed(lake, batch, 0, [event("m1", "2026-02-03 10:00", "Order Refunded", user_id="clerk", order_id="o1")])
    assert lake.read(GOLD_RFM).count() == 0
    feed(
        lake,
        batch,
        1,
        [event("m2", "2026-02-01 10:00", "Order Completed", user_id="ann", order_id="o1", revenue="9.99")],
    )
    (rfm,) = lake.read(GOLD_RFM).collect()
    assert (rfm["frequency"], rfm["monetary"]) == (1, Decimal("0.00"))


def test_a_merge_removes_the_younger_profile_from_gold(lake: Lake) -> None:
    batch = new_batch(lake)
    feed(lake, batch, 0, TWO_DEVICES)
    assert lake.read(GOLD_ACTIVATION).count() == 2
    feed(lake, batch, 1, ONE_LOGIN)
    (activation,) = lake.read(GOLD_ACTIVATION).collect()
    assert activation["first_seen_at"] == at("2026-02-01 10:00").replace(tzinfo=None)
    assert activation["frequency"] == 1
    assert lake.read(GOLD_RFM).count() == 1
    assert lake.read(SILVER_IDENTITY_LOG).where("type = 'merge'").count() == 1


def test_a_merge_in_the_batch_that_takes_up_a_new_champion_still_removes_the_younger_profile(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = new_batch(lake)
    feed(lake, batch, 0, TWO_DEVICES)
    monkeypatch.setattr(Champions, "versions", {"segments": "2"})  # newer than anything in gold: every profile is due
    monkeypatch.delattr(touched_profiles.TouchedProfiles, "of_few")
    feed(lake, batch, 1, ONE_LOGIN)
    assert lake.read(GOLD_ACTIVATION).count() == 1
    assert lake.read(GOLD_RFM).count() == 1


def test_a_second_login_on_the_same_cookie_splits_the_profile(lake: Lake) -> None:
    batch = new_batch(lake)
    feed(
        lake,
        batch,
        0,
        [
            event("m1", "2026-02-01 10:00", anonymous_id="tv"),
            event("m2", "2026-02-01 11:00", anonymous_id="tv", user_id="ann"),
        ],
    )
    assert lake.read(GOLD_ACTIVATION).count() == 1
    feed(lake, batch, 1, [event("m3", "2026-02-02 10:00", anonymous_id="tv", user_id="bob")])
    user_ids = [row["user_ids"] for row in lake.read(GOLD_ACTIVATION).orderBy("profile_id").collect()]
    assert sorted(map(list, user_ids)) == [[], ["ann"], ["bob"]]


ALL_KINDS = [
    [
        *TWO_DEVICES,
        event("m5", "2026-02-02 10:05", "Product Added", anonymous_id="phone", product_id="p1"),
        event("m6", "2026-02-02 10:06", "Order Refunded", anonymous_id="laptop", order_id="o1", revenue="2.00"),
        event("m7", "2026-02-02 10:07", anonymous_id="phone", traits={"email": "a@example.com"}),
    ],
    [*ONE_LOGIN, event("m8", "2026-02-01 12:00", "Product Viewed", anonymous_id="phone", product_id="p1")],
    [event("m9", "2026-02-04 10:00", "Order Completed", user_id="ann", order_id="o1", revenue="6.00")],
]


def test_a_micro_batch_reads_no_table_of_profiles_as_a_whole(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = new_batch(lake)
    for number, rows in enumerate(ALL_KINDS[:2]):
        feed(lake, batch, number, rows)
    read: list[str] = []
    for name in ("read", "batches", "rows_with"):
        monkeypatch.setattr(Lake, name, _noting(getattr(Lake, name), read))
    for number, rows in enumerate(ALL_KINDS[2:], 2):
        feed(lake, batch, number, rows)
    assert {*read} & {table.name for table in (*LEAF, *GOLD)} == set()


def _noting(original: Callable[..., Any], read: list[str]) -> Callable[..., Any]:
    def noted(lake: Lake, table: Table, *args: Any, **kwargs: Any) -> Any:
        read.append(table.name)
        return original(lake, table, *args, **kwargs)

    return noted


def test_a_batch_that_died_between_a_table_and_its_rows_beside_the_driver_counts_once(
    lake: Lake, new_lake: Callable[[str], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, dying = new_batch(new_lake("whole")), new_batch(lake)
    for number, rows in enumerate(ALL_KINDS):
        feed(whole.lake, whole, number, rows)
        with monkeypatch.context() as patch:
            patch.setattr(RowRuns, "set_rows", _dies)
            with pytest.raises(KeyboardInterrupt):
                feed(lake, dying, number, rows)
        dying = MicroBatch(lake, Champions(lake.config), clock=lambda: at("2026-03-01 00:00"))
        feed(lake, dying, number, rows)
    for table in (*LEAF, *GOLD, SILVER_IDENTITY_MAP):
        told = [content(one, table) for one in (whole.lake, lake)]
        assert told[0] == told[1], table.name


def _dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("own_plans")
def test_few_rows_and_many_are_taken_in_alike(
    lake: Lake, new_lake: Callable[[str], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = new_batch(lake, has_store=True), new_batch(new_lake("many"))  # with a store gold is made in two turns
    for number, rows in enumerate(ALL_KINDS):
        few(few_leaves(lake, rows), once(number))
        with monkeypatch.context() as patch:
            patch.setattr(touched_profiles, "FEW_ACTORS", -1)
            many(leaves(lake.spark, rows), once(number))
        for table in (*LEAF, *GOLD, SILVER_IDENTITY_MAP):
            told = [content(one.lake, table) for one in (few, many)]
            assert told[0] == told[1], (number, table.name)
    assert lake.read(GOLD_ACTIVATION).count() == lake.read(SILVER_ORDERS).count() == 1


def test_what_the_online_store_holds_is_made_before_what_it_does_not() -> None:
    first = [table.name for table in made_first(GOLD_ACTIVATION, GOLD)]
    assert first == ["gold.rfm", "gold.scores", "gold.segments", "gold.activation"]
