"""Training on small lakes with a planted rule, and with none."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.demo.report.trainings import judgement
from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES, features
from lakehouse.lake.delta import Lake
from lakehouse.models import aliases
from lakehouse.models.candidates import SETTINGS
from lakehouse.models.examples import Examples
from lakehouse.models.gate import Verdict
from lakehouse.models.judgement import BASE_RATE, RECENCY, SELECTED
from lakehouse.models.registry import Champions
from lakehouse.models.score_model import BOOSTED, BUYERS, LOGISTIC, ScoreModel
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.rollup import profile_activity, profile_orders
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.tables.models import OPS_MODEL_VERDICTS
from lakehouse.training.score_examples import Read
from lakehouse.training.score_targets import CHURN
from lakehouse.training.scores import Reader, check, reader, train
from tests.lakehouse.models.test_judgement import CUTS, EVERYONE, drawn
from tests.rows import completed
from tests.small_lake import copy_empty_tables

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 150
FEW = [one for one in SETTINGS if one.kind in (LOGISTIC, BOOSTED)][::2]


PEOPLE = 400
ONSETS = np.random.default_rng(5).integers(-40, DAYS, PEOPLE)  # first day of the 40 on which somebody cares


def cares(day: int) -> np.ndarray:
    return (day >= ONSETS) & (day < ONSETS + 40)


def write(lake: Lake) -> None:
    """A lake of one actor per profile. Who cares looks every other day and orders once in two weeks; who does not looks now and then."""
    random = np.random.default_rng(3)
    orders, days = [], [(f"a{i:04}", 0, 1, 0) for i in range(PEOPLE)]  # everyone is seen on the first day
    for day in range(1, DAYS):
        bought = random.random(PEOPLE) < 0.07 * cares(day)
        looked = random.random(PEOPLE) < np.where(cares(day), 0.5, 0.02)
        for i in np.flatnonzero(bought | looked):
            days.append((f"a{i:04}", day, int(looked[i]), int(bought[i])))
        for i in np.flatnonzero(bought):
            orders.append((f"o{i}-{day}", f"a{i:04}", START + timedelta(days=day, hours=12), Decimal("20.00")))
    write_tables(lake, days, orders, [f"a{i:04}" for i in range(PEOPLE)])


def write_tables(lake: Lake, days: list, orders: list, actors: list[str]) -> None:
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


def as_served(lake: Lake, told: ScoreModel, as_of: datetime) -> np.ndarray:
    """What the stream would give everybody, by profile."""
    members = lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id")
    activity = profile_activity(lake.read(SILVER_ACTIVITY_DAILY), members)
    known = features(activity, profile_orders(lake.read(SILVER_ORDERS), members), as_of)
    return known.select("profile_id", told.value.alias("p")).orderBy("profile_id").toPandas()["p"].to_numpy()


def knowing(read: Read) -> Read:
    """The same with carts_7d as it would be if it knew what comes; that this is found out is `leaking`'s, see test_examples.py."""
    rows = read.known.rows.copy()
    rows[:, FEATURES.index("carts_7d")] = read.known.happened
    return dataclasses.replace(read, known=dataclasses.replace(read.known, rows=rows), leaking=("carts_7d",))


@pytest.fixture(scope="module")
def habits(new_lake: Callable[[str], Lake]) -> Lake:
    lake = new_lake("habits")
    # Everybody grows older here, and has ordered more often than at any cut-off before: a model is off by more than in a shop.
    gate = dataclasses.replace(lake.config.gate, max_calibration_error=0.15)
    lake = Lake(lake.spark, dataclasses.replace(lake.config, gate=gate))
    write(lake)
    return lake


@pytest.fixture(scope="module")
def read_of(habits: Lake) -> Reader:
    return reader(habits)


def test_what_is_learned_passes_the_gate_once_and_what_is_no_better_or_knows_the_future_does_not(
    habits: Lake, read_of: Reader
) -> None:
    first = train(habits, read_of=read_of, settings=FEW)
    selected = first.judgement.metrics[SELECTED]
    assert (first.is_champion, first.verdict.champion, first.verdict.reasons) == (True, None, ())
    assert selected["auc"].value > 0.7
    assert selected["brier"].value < first.judgement.metrics[BASE_RATE]["brier"].low
    assert len(first.cut_offs.splits) == 5
    assert all(
        name in first.table() for name in ("logistic", BASE_RATE, RECENCY, "at a touch", "is champion", "it goes by")
    )
    assert set(first.importance) == set(FEATURES)
    assert judgement({"name": "scores", **dataclasses.asdict(first)}) is not None  # as the demo's page has it
    assert max(first.importance.values()) > 0.1

    champions = Champions(habits.config)
    assert champions.refresh() is True
    assert champions.scores == {"purchase_propensity": first.model}
    found = as_served(habits, first.model, START + timedelta(days=DAYS))
    assert found[cares(DAYS)].mean() > found[~cares(DAYS)].mean() + 0.2

    again = train(habits, read_of=read_of, settings=FEW)
    assert [reason.split(":")[0] for reason in again.verdict.reasons] == ["quality"]
    assert "over champion 1 0.0000" in again.verdict.reasons[0]
    leaky = train(habits, read_of=lambda days: knowing(read_of(days)), settings=FEW)
    assert leaky.judgement.metrics[SELECTED]["auc"].value > 0.99 > selected["auc"].high
    assert [reason.split(":")[:2] for reason in leaky.verdict.reasons] == [["leakage", " carts_7d"]]
    assert champions.refresh() is False
    assert champions.versions == {"scores": first.version}

    told = {row["version"]: row for row in habits.read(OPS_MODEL_VERDICTS).collect()}
    assert [told[one.version]["is_champion"] for one in (first, again, leaky)] == [True, False, False]
    assert told[first.version]["reasons"] is None
    assert told[again.version]["champion"] == first.version
    assert "another figure when what came later is taken away" in told[leaky.version]["reasons"]
    checks = {check["name"] for check in json.loads(told[first.version]["checks"])}
    assert checks == {"schema", "leakage", "freshness", "quality", "calibration", "latency"}
    kept = aliases.version_of(habits.config, "scores", leaky.version)
    card = aliases.card_of(habits.config, kept)
    assert card is not None
    assert "It was rejected." in card
    most = max(leaky.importance, key=lambda name: leaky.importance[name])
    assert most == "carts_7d", "it goes by what it should not know"
    assert f"| {most} | {leaky.importance[most]:.3f} |" in card
    assert kept.metrics[f"importance_{most}"] == leaky.importance[most]


def test_churn_is_a_model_of_its_own_of_those_who_have_ordered_and_a_person_may_have_the_last_word(
    habits: Lake, read_of: Reader
) -> None:
    held = dataclasses.replace(
        habits.config,
        gate=dataclasses.replace(habits.config.gate, promotes=False),
        scores=dataclasses.replace(habits.config.scores, min_profiles=50),
    )
    churn = train(Lake(habits.spark, held), CHURN, read_of=read_of, settings=FEW)
    assert (churn.is_champion, churn.model.among) == (False, BUYERS)
    passed = dataclasses.replace(churn, verdict=Verdict(checks=()))
    assert f"model promote churn_risk {churn.version}" in passed.place
    found = as_served(habits, churn.model, START + timedelta(days=DAYS))
    bought = {row["actor_id"] for row in habits.read(SILVER_ORDERS).select("actor_id").distinct().collect()}
    assert [not np.isnan(p) for p in found] == [f"a{i:04}" in bought for i in range(PEOPLE)]
    assert np.nanmean(found[~cares(DAYS)]) > np.nanmean(found[cares(DAYS)]) + 0.1


def read(known: Examples) -> Read:
    return Read(known=known, cut_offs=CUTS, versions={}, newest_day=date(2026, 12, 31), leaking=())


def test_too_few_rows_and_one_outcome_only_are_one_line() -> None:
    settings, known = load("dev", environ={}).scores, drawn(1, signal=0.0, people=45)
    with pytest.raises(ModelError, match=r"too few training rows, got 180, expected scores.min_profiles = 200"):
        check(read(known), EVERYONE, settings)
    few = dataclasses.replace(settings, min_profiles=10)
    check(read(known), EVERYONE, few)
    nobody = dataclasses.replace(known, happened=np.zeros(len(known)))
    with pytest.raises(ModelError, match=r"one outcome only in the newest train slice of 2026-.*, got 0 of 90 rows"):
        check(read(nobody), EVERYONE, few)


def test_an_empty_lake_is_one_line(lake: Lake) -> None:
    copy_empty_tables(lake)
    with pytest.raises(ModelError, match="nothing to learn from"):
        train(lake)
