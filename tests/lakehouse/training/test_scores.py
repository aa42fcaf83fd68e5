"""Training on small lakes with a planted rule, and with none."""

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from pyspark.sql import functions as F

from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import features
from lakehouse.lake.delta import Lake
from lakehouse.models.judgement import BASE_RATE, RECENCY
from lakehouse.models.registry import Champions
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.rollup import profile_activity, profile_orders
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.training.scores import train
from tests.rows import completed
from tests.small_lake import copy_empty_tables

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 150


def write(lake: Lake, rates: np.ndarray, views: np.ndarray, seed: int = 3) -> None:
    """A lake of one actor per profile, who each day orders with a chance of `rates` and looks with a chance of `views`."""
    random = np.random.default_rng(seed)
    orders, days = [], []
    for i, (rate, view) in enumerate(zip(rates, views, strict=True)):
        days.append((f"a{i:04}", 0, 1, 0))  # everyone is seen on the first day
        for day in range(1, DAYS):
            bought, looked = random.random() < rate, random.random() < view
            if bought:
                orders.append((f"o{i}-{day}", f"a{i:04}", START + timedelta(days=day, hours=12), Decimal("20.00")))
            if bought or looked:
                days.append((f"a{i:04}", day, int(looked), int(bought)))
    _write_tables(lake, days, orders, [f"a{i:04}" for i in range(len(rates))])


def _write_tables(lake: Lake, days: list, orders: list, actors: list[str]) -> None:
    for table in (SILVER_ACTIVITY_DAILY, SILVER_ORDERS, SILVER_IDENTITY_MAP, GOLD_ACTIVATION):
        lake.create(table)
    daily = [
        (
            actor,
            (START + timedelta(days=day)).date(),
            views,
            bought,
            Decimal(20 * bought),
            START + timedelta(days=day, hours=12),
        )
        for actor, day, views, bought in days
    ]
    schema = (
        "actor_id string, activity_date date, view_count int, order_count int, revenue decimal(18,2), last_at timestamp"
    )
    seen = lake.spark.createDataFrame(daily, schema).withColumns(
        {"event_count": F.lit(1), "first_at": F.col("last_at")}
    )
    lake.overwrite(completed(seen, SILVER_ACTIVITY_DAILY), SILVER_ACTIVITY_DAILY)
    schema = "order_id string, actor_id string, ordered_at timestamp, revenue decimal(18,2)"
    bought = lake.spark.createDataFrame(orders, schema).withColumn("buyers", F.lit(1))
    lake.overwrite(completed(bought, SILVER_ORDERS), SILVER_ORDERS)
    who = lake.spark.createDataFrame([(actor,) for actor in actors], "actor_id string")
    same = {name: F.col("actor_id") for name in ("profile_id", "component_id")}
    stamps = {name: F.lit(START) for name in ("first_seen_at", "resolved_at")}
    lake.overwrite(completed(who.withColumns({**same, **stamps}), SILVER_IDENTITY_MAP), SILVER_IDENTITY_MAP)


def test_a_planted_habit_is_learned_calibrated_and_scored_by_the_stream(lake: Lake) -> None:
    random = np.random.default_rng(1)
    rates = random.choice([0.0, 0.005, 0.05], 400)
    write(lake, rates, np.full(400, 0.05))
    summary = train(lake)
    judgement = summary.judgement
    champion = judgement.metrics[judgement.champion]
    assert champion["auc"].value > 0.8
    assert champion["brier"].value < judgement.metrics[BASE_RATE]["brier"].low
    assert judgement.calibration_error < 0.08
    assert all(name in summary.table() for name in ("logistic", "boosted", BASE_RATE, RECENCY, "Brier gain"))

    champions = Champions(lake.config)
    assert champions.refresh() is True
    assert champions.scores == {"purchase_propensity": summary.model}
    assert champions.versions == {"scores": summary.version}
    members = lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id")
    known = features(
        profile_activity(lake.read(SILVER_ACTIVITY_DAILY), members),
        profile_orders(lake.read(SILVER_ORDERS), members),
        START + timedelta(days=DAYS),
    )
    found = (
        known.select("profile_id", summary.model.value.alias("purchase_propensity")).orderBy("profile_id").toPandas()
    )
    assert len(found) == 400
    means = [found["purchase_propensity"].to_numpy()[rates == rate].mean() for rate in (0.0, 0.005, 0.05)]
    truth = [1 - (1 - rate) ** 30 for rate in (0.0, 0.005, 0.05)]
    # Wide: 400 profiles, and at day 150 everyone is older and has bought more often than at the cut-offs of training.
    assert means == pytest.approx(truth, abs=0.2)
    assert means == sorted(means)


def test_where_there_is_nothing_to_learn_no_model_is_called_better_than_the_baseline(lake: Lake) -> None:
    write(lake, np.full(300, 0.01), np.full(300, 0.05))
    summary = train(lake)
    judgement = summary.judgement
    assert not judgement.beats_baseline
    assert judgement.metrics[judgement.champion]["auc"].low < 0.55
    assert "NOT shown to be better" in summary.table()
    assert "is registered, and not champion" in summary.table()
    champions = Champions(lake.config)
    champions.refresh()
    assert dict(champions.scores) == {}


def test_too_few_profiles_and_too_short_a_history_are_one_line(lake: Lake) -> None:
    write(lake, np.full(20, 0.02), np.full(20, 0.05))
    with pytest.raises(ModelError, match=r"too few training rows, got 60, expected scores.min_profiles = 200"):
        train(lake)
    longer = dataclasses.replace(lake.config, scores=dataclasses.replace(lake.config.scores, horizon_days=60))
    with pytest.raises(ModelError, match="too short a history, got 149 days, expected 196 or more"):
        train(Lake(lake.spark, longer))


def test_nobody_buying_is_one_line(lake: Lake) -> None:
    write(lake, np.zeros(100), np.full(100, 0.05))
    with pytest.raises(ModelError, match="one outcome only in the train slice, got 0 buyers of 300 profiles"):
        train(lake)


def test_an_empty_lake_is_one_line(lake: Lake) -> None:
    copy_empty_tables(lake)
    with pytest.raises(ModelError, match="nothing to learn from"):
        train(lake)
