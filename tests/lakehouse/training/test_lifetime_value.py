"""Training on small lakes whose truth is known, and the rules by which a model becomes champion."""

from datetime import timedelta
from decimal import Decimal

import numpy as np

from lakehouse.lake.delta import Lake
from lakehouse.lifetime.bg_nbd import BgNbd
from lakehouse.lifetime.forecast_quality import MEAN, RATE_GOES_ON
from lakehouse.lifetime.gamma_gamma import GammaGamma
from lakehouse.lifetime.histories import Histories
from lakehouse.lifetime.lifetime_value import LifetimeValue
from lakehouse.models.registry import Champions
from lakehouse.models.value_model import ValueModel
from lakehouse.profiles.declared_scores import CLV
from lakehouse.training.lifetime_value import CHAMPION, OWN, judge, train
from tests.lakehouse.training.test_scores import DAYS, START, write_tables

TRUTH = BgNbd(r=0.6, alpha=20.0, a=0.8, b=2.5)


def model(orders: BgNbd) -> LifetimeValue:
    return LifetimeValue(
        orders=orders, value=GammaGamma(p=6.0, q=4.0, gamma=15.0), horizon_days=90, yearly_discount=0.0
    )


def world(customers: int, seed: int, known_days: float = 150, holdout: float = 60) -> tuple[Histories, np.ndarray]:
    """Customers who buy and leave as BG/NBD says: what is known of them, and their orders of the holdout."""
    random = np.random.default_rng(seed)
    rates = random.gamma(TRUTH.r, 1 / TRUTH.alpha, customers)
    leaves = random.beta(TRUTH.a, TRUTH.b, customers)
    ages = random.uniform(known_days / 2, known_days, customers)
    rows, later = [], []
    for rate, chance, age in zip(rates, leaves, ages, strict=True):
        at, times = 0.0, []
        while True:
            at += random.exponential(1 / rate)
            if at > age + holdout:
                break
            times.append(at)
            if random.random() < chance:
                break
        before = [time for time in times if time <= age]
        rows.append((len(before), before[-1] if before else 0.0, age))
        later.append(len(times) - len(before))
    repeats, last, age = np.array(rows, dtype=float).T
    return Histories(repeats=repeats, last=last, age=age, value=np.full(customers, 20.0)), np.array(later, dtype=float)


def test_the_true_model_beats_every_rule_and_a_champion_that_is_wrong() -> None:
    known, actual = world(2000, seed=1)
    wrong = model(BgNbd(r=5.0, alpha=20.0, a=0.1, b=9.0))
    judged, gain, over_champion = judge(model(TRUTH), wrong, known, actual, 60, seed=7)
    assert set(judged) == {OWN, MEAN, RATE_GOES_ON, CHAMPION}
    assert gain.low > 0
    assert over_champion is not None
    assert over_champion.low > 0
    assert abs(judged[OWN].bias or 1) < 0.15


def test_a_wrong_model_is_not_shown_to_be_better_than_a_rule() -> None:
    known, actual = world(2000, seed=2)
    _, gain, over_champion = judge(
        model(BgNbd(r=9.0, alpha=10.0, a=0.01, b=9.0)), model(TRUTH), known, actual, 60, seed=7
    )
    assert gain.low < 0
    assert over_champion is not None
    assert over_champion.high < 0


def write(lake: Lake, rates: np.ndarray) -> None:
    """Everybody is seen on the first day, and orders each day with a chance of their own."""
    random = np.random.default_rng(3)
    names = [f"a{i:04}" for i in range(len(rates))]
    days, orders = [(name, 0, 1, 0) for name in names], []
    for name, rate in zip(names, rates, strict=True):
        for day in 1 + np.flatnonzero(random.random(DAYS - 1) < rate):
            days.append((name, int(day), 0, 1))
            orders.append((f"o-{name}-{day}", name, START + timedelta(days=int(day), hours=12), Decimal("20.00")))
    write_tables(lake, days, orders, names)


def test_a_lake_is_learned_from_registered_and_followed(lake: Lake) -> None:
    write(lake, np.random.default_rng(1).choice([0.0, 0.01, 0.06], 250))
    summary = train(lake)
    assert summary.holdout_days == 37
    assert summary.profiles > 120
    assert summary.is_champion
    assert summary.judged[OWN].deviance < min(summary.judged[rule].deviance for rule in (MEAN, RATE_GOES_ON))
    assert not summary.model.value.is_certain  # every order is worth 20
    champions = Champions(lake.config)
    champions.refresh()
    held = champions.scores[CLV.column]
    assert isinstance(held, ValueModel)
    assert held.version == summary.version
    assert held.model == summary.model
    assert "is champion" in summary.table()
