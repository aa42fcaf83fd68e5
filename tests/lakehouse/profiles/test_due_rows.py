"""What time does to a profile shows within a quarter of an hour, without an event, and a rebuild as of then finds the same."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from lakehouse.features.point_in_time import DECAY, FEATURES, features, served_features
from lakehouse.lake import stamp
from lakehouse.lake.delta import Lake
from lakehouse.models.prospect_segments import ProspectSegment, ProspectSegments
from lakehouse.models.registry import Champions
from lakehouse.models.score_model import LOGISTIC, ScoreModel
from lakehouse.models.segment_model import SCORED, Segment, SegmentModel
from lakehouse.profiles.differences import compare
from lakehouse.profiles.due_rows import BEGUN, DueProfiles
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.profiles.gold.scores import GOLD_SCORES
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.rebuild import rebuild
from lakehouse.tables.events import SILVER_EVENTS
from tests.accepted import at, event, events, few_leaves, once
from tests.lakehouse.profiles.test_window_ends import NOW, Rows
from tests.rows import completed
from tests.small_lake import copy_empty_tables

QUARTER = timedelta(minutes=15)
ORDERED = at("2026-01-01 10:07")
LAPSES = at("2026-03-02 10:15")  # 60 days later, at the next quarter of an hour
MODEL = ScoreModel(
    version="3",
    kind=LOGISTIC,
    horizon_days=30,
    slope=1.0,
    offset=0.0,
    weights={"days_since_seen": -0.5, "views_7d": 1.0},
)
FADES = at("2026-03-02 13:15")  # three hours later, at the next quarter of an hour
_FADES_DAYS = 60 + 3 / 24
_FADES_LOG = float(np.log1p(_FADES_DAYS))


def group(name: str, log_days: float) -> Segment:
    return Segment(name=name, centroid=(log_days, 0.0, 0.0), profiles=1, recency_days=1.0, frequency=1.0, monetary=9.0)


def prospects(name: str, log_days: float) -> ProspectSegment:
    return ProspectSegment(name=name, centroid=(log_days, 0.0, 0.0), profiles=1, days=1.0, views=1.0, carts=0.0)


SEGMENTS = SegmentModel(
    version="5",
    reference_micros=int(ORDERED.timestamp() * 1e6),
    cuts={
        name: tuple(ORDERED.timestamp() * 1e6 - days * 86_400e6 for days in (61.0, _FADES_DAYS, 20.0, 10.0))
        for name in SCORED
    },
    means=(0.0, 0.0, 0.0),
    deviations=(1.0, 0.0, 0.0),
    segments=(group("fresh", _FADES_LOG - 1), group("faded", _FADES_LOG + 1)),
    prospects=ProspectSegments(
        means=(0.0, 0.0, 0.0),
        deviations=(1.0, 0.0, 0.0),
        segments=(
            prospects("here", 0.0),
            prospects("gone", 2 * float(np.log1p(3 / 24))),
        ),  # three hours after the visit
    ),
)


@dataclass
class OneModel(Champions):
    """A registry with one champion."""

    scores: dict[str, Any] = field(default_factory=lambda: {"purchase_propensity": MODEL})
    segments: Any = SEGMENTS
    matcher: Any = None
    absent: set[str] = field(default_factory=set)

    def refresh(self) -> bool:
        return False


@dataclass
class Clock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


def by_user(lake: Lake, *columns: str) -> dict[str, Any]:
    rows = lake.read(GOLD_ACTIVATION).select("user_ids", *columns).collect()
    return {row["user_ids"][0]: row[columns[0]] if len(columns) == 1 else tuple(row)[1:] for row in rows}


def test_a_lapse_and_a_decayed_score_show_within_a_quarter_of_an_hour_though_nobody_comes(lake: Lake) -> None:
    copy_empty_tables(lake)
    clock = Clock(ORDERED + timedelta(minutes=1))
    batch = MicroBatch(lake, OneModel(), clock=clock)
    order = event("m1", "2026-01-01 10:07", "Order Completed", user_id="ann", order_id="o1", revenue="9.00")
    other = event("m2", "2026-03-02 09:50", user_id="bob")
    batch(few_leaves(lake, [order]), once(0))
    clock.now = at("2026-03-02 09:51")
    batch(few_leaves(lake, [other]), once(1))
    told = by_user(lake, "next_best_action", "purchase_propensity")
    assert {who: action for who, (action, _) in told.items()} == {"ann": "nurture", "bob": "welcome"}

    clock.now = LAPSES - timedelta(microseconds=1)
    batch.catch_up()
    assert by_user(lake, "next_best_action")["ann"] == "nurture"
    clock.now = LAPSES
    batch.catch_up()
    assert by_user(lake, "next_best_action")["ann"] == "win_back"
    assert by_user(lake, "as_of")["ann"] == LAPSES.replace(tzinfo=None)
    assert by_user(lake, "as_of")["bob"] < LAPSES.replace(tzinfo=None), "nothing is due of him"
    stored = lake.commit(GOLD_ACTIVATION)
    batch.catch_up()
    batches = len(batch.records)
    batch.catch_up()
    assert (lake.commit(GOLD_ACTIVATION), len(batch.records)) == (stored, batches), "nothing is due"

    assert by_user(lake, "segment", "r_score") == {"ann": ("fresh", 3), "bob": ("here", None)}
    clock.now = FADES  # and bob's visit is more than three hours old
    batch.catch_up()
    after = by_user(lake, "purchase_propensity", "as_of")
    assert after["bob"][1] == clock.now.replace(tzinfo=None)
    assert 0 < after["bob"][0] < told["bob"][1]

    assert by_user(lake, "segment", "r_score") == {"ann": ("faded", 2), "bob": ("gone", None)}
    of_ann = lake.read(GOLD_SEGMENTS).where("segment LIKE 'f%'").select("segment", "valid_from", "valid_to")
    history = of_ann.orderBy("valid_from").collect()
    entered, left = (ORDERED + timedelta(minutes=1)).replace(tzinfo=None), FADES.replace(tzinfo=None)
    assert [tuple(row) for row in history] == [("fresh", entered, left), ("faded", left, None)]
    clock.now = FADES - timedelta(hours=2)  # the clock goes back: nobody is due, and nobody grows younger
    batch.catch_up()
    assert by_user(lake, "segment", "r_score")["ann"] == ("faded", 2)

    clock.now = at(
        "2026-03-20 12:00"
    )  # nobody came for more than a week: the lake is one of history, and its clock stands
    stored = lake.commit(GOLD_ACTIVATION)
    batch.catch_up()
    assert lake.commit(GOLD_ACTIVATION) == stored
    assert_rebuild_agrees(lake, batch, [order, other])


def test_where_nobody_is_left_it_is_not_noted_any_more_who_was_due(lake: Lake) -> None:
    """The last of them was erased after a crash."""
    copy_empty_tables(lake)
    stamp.restamp(lake.root, BEGUN, '["p1"]', lake.spark)
    batch = MicroBatch(lake, OneModel(), clock=Clock(NOW))
    batch.catch_up()
    assert batch.lake_clock.as_of(NOW) is None
    assert list(Path(lake.root).glob(f"{BEGUN}*")) == []


def assert_rebuild_agrees(lake: Lake, batch: MicroBatch, told: list[dict[str, Any]]) -> None:
    silver = completed(events(lake.spark, told).drop("traits"), SILVER_EVENTS)
    lake.overwrite(silver.select(*SILVER_EVENTS.column_names), SILVER_EVENTS)
    rebuilt = rebuild(lake, batch.champions, now=batch.clock(), keep_as_of=True).tables
    for table in (GOLD_SCORES, GOLD_RFM, GOLD_SEGMENTS, GOLD_ACTIVATION):
        compared = compare(table, lake.read(table), rebuilt[table])
        assert {row["status"] for row in compared.collect()} == {"same"}, table.name
    for table in (GOLD_SCORES, GOLD_ACTIVATION):
        assert lake.read(table).where("due_at IS NULL").count() == 0


def moments_of(spark: SparkSession, as_of: datetime) -> tuple[DataFrame, DataFrame, DataFrame]:
    schema = "profile_id string, activity_date date, view_count bigint, cart_count bigint, revenue decimal(18,2), first_at timestamp, last_at timestamp"
    days = [(at("2026-01-10 08:00"), 1), (at("2026-02-03 08:00"), 0), (at("2026-02-09 08:00"), 2)]
    rows = [("ann", day.date(), views, 0, Decimal(0), day, day) for day, views in days]
    orders = spark.createDataFrame([], "profile_id string, ordered_at timestamp")
    moment = spark.createDataFrame([("ann", as_of)], "profile_id string, as_of timestamp")
    return spark.createDataFrame(rows, schema), orders, moment


def test_features_stay_what_they_are_until_they_are_due_but_for_a_twentieth_of_their_age(spark: SparkSession) -> None:
    def known(as_of: datetime) -> dict[str, Any]:
        (row,) = served_features(*moments_of(spark, as_of)).collect()
        (plain,) = features(*moments_of(spark, as_of)).collect()
        assert {name: plain[name] for name in FEATURES} == {name: row[name] for name in FEATURES}
        return row.asDict()

    soon = known(at("2026-02-09 09:00"))
    assert soon["due_at"].replace(tzinfo=UTC) == at("2026-02-09 10:15")  # an hour old: a twentieth of 25 hours later
    late = known(at("2026-02-15 23:50"))
    assert late["due_at"].replace(tzinfo=UTC) == at("2026-02-16 00:00")  # a day leaves the window of seven
    gone = known(at("2026-02-16 00:00"))
    assert (late["views_7d"], gone["views_7d"]) == (2.0, 0.0)
    then = known(gone["due_at"].replace(tzinfo=UTC))
    counts = [
        name for name in FEATURES if name.endswith("d") and name.startswith(("views", "carts", "orders", "revenue"))
    ]
    assert {name: then[name] for name in counts} == {name: gone[name] for name in counts}
    grown = (1 + then["days_since_seen"]) / (1 + gone["days_since_seen"]) - 1
    assert DECAY <= grown < DECAY + 0.002


def test_whose_rows_were_begun_is_known_after_a_crash_until_all_is_written(tmp_path: Path) -> None:
    first = DueProfiles(Rows(tmp_path), GOLD_ACTIVATION)
    assert first.begin(at("2026-02-10 00:00"), NOW, most=1) == {"a"}
    again = DueProfiles(Rows(tmp_path), GOLD_ACTIVATION)
    assert again.is_unfinished
    assert again.begin(at("2026-01-01 00:00"), NOW) == {"a"}
    again.end()
    assert not DueProfiles(Rows(tmp_path), GOLD_ACTIVATION).is_unfinished
    assert DueProfiles(Rows(tmp_path), GOLD_ACTIVATION).begin(at("2026-01-01 00:00"), NOW) == set()
