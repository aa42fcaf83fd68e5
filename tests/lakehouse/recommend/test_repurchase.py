"""What is bought again is told from what is not, on shops whose rule is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.recommend.interaction_table import Interactions
from lakehouse.recommend.interactions import DAY_MS
from lakehouse.recommend.repurchase import LEAST_RATE, Repurchase, repurchase
from tests.lakehouse.recommend.shops import NOW, pantry, table

WINDOW = 60


def learned(rows: Interactions, groups: list[int], as_of_ms: int = NOW) -> Repurchase:
    return repurchase(rows, np.array(groups, dtype=np.int32), as_of_ms=as_of_ms, window_days=WINDOW)


def orders(*rows: tuple[int, int, float], products: int) -> Interactions:
    """(person, product, days before NOW)."""
    lines = [
        (person, one, "order", NOW - int(days * DAY_MS), -1, number) for number, (person, one, days) in enumerate(rows)
    ]
    return table(lines, 1 + max(row[0] for row in rows), products)


def test_consumed_and_durable_goods_are_told_apart_and_the_wait_is_found() -> None:
    rows, is_consumed, median_days = pantry(400, seed=3)
    groups = [one % 10 for one in range(rows.products)]
    found = learned(rows, groups)
    assert ((found.rate > 0) == is_consumed).mean() > 0.97
    assert not (found.rate[~is_consumed] > 0).any()
    assert np.isinf(found.after_days[~is_consumed]).all()
    known = is_consumed & (found.rate > 0)
    earliest = median_days[known] * np.exp(-1.2816 * 0.3)  # the shop's own spread is 0.3
    assert np.median(np.abs(found.after_days[known] / earliest - 1)) < 0.15
    assert (found.after_days[known] < median_days[known]).all()


def test_a_product_few_have_bought_speaks_by_its_category() -> None:
    loyal = [(person, one, 100 - 20 * time) for person in range(60) for one in (0, 1, 2) for time in range(4)]
    once = [(person, one, 90.0) for person in range(60) for one in (4, 5, 6)]
    rare = [(0, 3, 10.0), (0, 7, 10.0)]  # too lately to be counted
    found = learned(orders(*loyal, *once, *rare, products=8), [0, 0, 0, 0, 1, 1, 1, 1])
    assert (found.rate[:4] > 0.5).all()
    assert (found.rate[4:] == 0).all()
    assert found.after_days[3] == pytest.approx(20, rel=0.05)


def test_who_had_no_time_to_come_back_does_not_count_as_one_who_did_not() -> None:
    others = [(person, person % 39 + 1, 100.0) for person in range(600, 1_200)]
    settled = [*others, *((person, 0, float(days)) for person in range(30) for days in (100, 80))]
    recent = [(person, 0, 10.0) for person in range(30, 530)]
    alone, together = (learned(orders(*rows, products=40), [0] * 40) for rows in (settled, settled + recent))
    assert alone.rate[0] == pytest.approx(together.rate[0], abs=1e-6)
    assert together.rate[0] > 0.8
    young = learned(orders(*((person, 0, days) for person in range(30) for days in (50, 40, 30)), products=1), [0])
    assert young.rate[0] == 0, "the record is shorter than a window"


def test_what_everybody_buys_is_consumed_though_no_more_likely_than_chance() -> None:
    random = np.random.default_rng(4)
    drawn = [(p, int(random.integers(0, 40)), float(d)) for p in range(300) for d in np.arange(1, 120, 6)]
    assert (learned(orders(*drawn, products=40), [0] * 40).rate > 0).all()


def test_what_buyers_buy_again_far_less_than_others_buy_it_is_durable() -> None:
    """A kettle, as a gift, is bought again by 15 %; that is more than LEAST_RATE and much less than chance."""
    random = np.random.default_rng(5)
    kettles = [(p, 0, 100.0) for p in range(400)] + [(p, 0, 80.0) for p in range(60)]
    filters = [(p, int(random.integers(1, 5)), float(d)) for p in range(400) for d in (110, 95, 90, 75, 60, 45)]
    rate = learned(orders(*kettles, *filters, products=5), [0, 1, 1, 1, 1]).rate
    assert rate[0] == 0
    assert (rate[1:] > 0.5).all()


def test_two_orders_of_one_day_are_one_purchase() -> None:
    twice = [(person, 0, 90 + hour / 24) for person in range(100) for hour in (1, 2)]
    assert learned(orders(*twice, (0, 1, 50.0), products=2), [0, 0]).rate[0] == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.floats(0, 300)), min_size=1, max_size=60))
def test_whatever_was_ordered_the_figures_are_sound(rows) -> None:
    found = learned(orders(*rows, products=5), [-1, 0, 0, 1, -1])
    assert ((found.rate == 0) == np.isinf(found.after_days)).all()
    is_consumed = found.rate > 0
    assert (found.rate[is_consumed] > LEAST_RATE).all()
    assert (found.rate <= 1).all()
    assert ((found.after_days[is_consumed] >= 1) & (found.after_days[is_consumed] <= WINDOW)).all()
    shuffled = learned(orders(*reversed(rows), products=5), [-1, 0, 0, 1, -1])
    np.testing.assert_array_equal(found.rate, shuffled.rate)


def test_nothing_ordered_is_nothing_learned() -> None:
    looks = table([(0, 0, "view", NOW - 100 * DAY_MS, 0, -1)], 1, 2)
    assert (learned(looks, [0, -1]).rate == 0).all()
