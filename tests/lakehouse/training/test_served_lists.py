"""Lists are judged as people see them: nothing is known after the visit began, and every part of the mixing counts."""

import dataclasses

import numpy as np
import pytest

from lakehouse.errors import ModelError
from lakehouse.recommend.als import AlsSettings
from lakehouse.recommend.contest import fit_at
from lakehouse.recommend.interactions import DAY_MS, ORDER, VIEW
from lakehouse.recommend.model import Blend, RecommenderModel
from lakehouse.recommend.training import FitSettings
from lakehouse.training.served_lists import (
    ALONE,
    COUNT,
    POPULAR,
    SERVED,
    choose_again,
    list_figures,
    lists,
    scores,
    shown_lists,
    visits,
)
from tests.lakehouse.recommend.shops import NOW, catalogue, pantry, planted, table

START = NOW - 40 * DAY_MS
SETTINGS = FitSettings(als=AlsSettings(rank=8, sweeps=4), blend=Blend(mix=1.0, again=0.5), again_days=60)
SHOP = catalogue(60, 10)


@pytest.fixture(scope="module")
def rows():
    return pantry(250, seed=5)[0]


@pytest.fixture(scope="module")
def model(rows) -> RecommenderModel:
    return fit_at(rows, SHOP, SETTINGS, START)[0]


def one_visitor(*steps: tuple[int, str, float]):
    """Twenty people who did the same: (product, kind, days after START)."""
    lines = [(who, one, kind, START + int(day * DAY_MS), -1, -1) for who in range(20) for one, kind, day in steps]
    return visits(table(lines, 20, 60), SHOP, START, NOW)[0]


def test_a_visit_is_asked_about_with_what_was_known_and_judged_by_what_came_after() -> None:
    visit = one_visitor(
        (1, ORDER, -100), (2, ORDER, -35), (3, VIEW, -20), (2, ORDER, -10),  # before
        (3, VIEW, 2), (4, VIEW, 2.1), (2, ORDER, 2.5), (5, VIEW, 2.9), (6, VIEW, 3.1), (7, VIEW, 30),
    )  # fmt: skip
    asked = visit.asked
    assert asked.now_ms == START + 2 * DAY_MS
    assert [one.product_id for one in asked.actions] == ["p002", "p003"], "of 30 days, newest first"
    assert asked.last_bought == {"p001": START - 100 * DAY_MS, "p002": START - 10 * DAY_MS}
    assert visit.wanted == {"p002", "p004", "p005"}, "ordered again, or new, within a day"


def test_what_comes_after_a_visit_changes_nothing_of_what_was_asked(rows) -> None:
    found = visits(rows, SHOP, START, NOW)
    changed = dataclasses.replace(rows, product=np.where(rows.at_ms >= START, 59 - rows.product, rows.product))
    assert [one.asked for one in visits(changed, SHOP, START, NOW)] == [one.asked for one in found]
    fitted = fit_at(changed, SHOP, SETTINGS, START)[0]
    for field in dataclasses.fields(fitted):
        np.testing.assert_array_equal(
            getattr(fitted, field.name), getattr(fit_at(rows, SHOP, SETTINGS, START)[0], field.name)
        )
    with pytest.raises(ModelError, match="too few people to judge lists by, got 0"):
        visits(rows, SHOP, NOW * 2, NOW * 3)


def test_a_product_that_came_later_is_neither_had_nor_new_before() -> None:
    rows = planted(60, taste=0.5)
    start = int(np.quantile(rows.at_ms, 0.7))
    late = rows.where((rows.product != 5) | (rows.at_ms >= start))
    shop = catalogue(60, 6)
    first = np.full(60, int(rows.at_ms.min()))
    first[5] = start + DAY_MS
    shop = dataclasses.replace(shop, first_seen_ms=first)
    model, _ = fit_at(late, shop, SETTINGS, start)
    position = model.product_ids.index("p005")
    assert not model.is_available[position]
    assert position not in model.new
    found = visits(late, shop, start, NOW + 1)
    assert all("p005" not in shown for shown in lists(model, found))


def test_figures_are_those_of_the_lists(rows, model: RecommenderModel) -> None:
    found = visits(rows, SHOP, START, NOW + 1)
    shown = lists(model, found)
    discounts = 1 / np.log2(np.arange(2, COUNT + 2))
    for (ndcg, recall), ids, visit in zip(scores(shown, found), shown, found, strict=True):
        hits = np.array([one in visit.wanted for one in ids] + [False] * (COUNT - len(ids)))
        most = min(COUNT, len(visit.wanted))
        assert recall == pytest.approx(hits.sum() / most)
        assert ndcg == pytest.approx(discounts[hits].sum() / discounts[:most].sum())


def test_where_goods_are_consumed_repurchase_and_waiting_for_it_bring_hits(rows, model: RecommenderModel) -> None:
    held_out = visits(rows, SHOP, START, NOW + 1)
    found = list_figures(model, shown_lists(model, held_out), held_out, 7)
    assert found.gains["without repurchase"].low > 0.05
    assert found.gains["without places for what is due"].low > 0.05
    assert found.gains["without waiting until it is due"].low > 0
    value = {who: of["ndcg"].value for who, of in found.figures.items()}
    assert value[SERVED] - value["without repurchase"] == pytest.approx(found.gains["without repurchase"].value)
    assert value[SERVED] > value[POPULAR]
    assert found.variety[SERVED].coverage > found.variety[POPULAR].coverage
    assert "served list over without repurchase: NDCG@10 gain 0." in found.table()


def test_what_the_mixing_spoils_is_seen_though_the_scores_are_the_same(rows, model: RecommenderModel) -> None:
    found = visits(rows, SHOP, START, NOW + 1)
    nobody_wants = np.array([model.product_ids.index("p059")], dtype=np.int32)
    spoiled = dataclasses.replace(model, new=nobody_wants, blend=dataclasses.replace(model.blend, again=1.0))
    figures = list_figures(spoiled, shown_lists(spoiled, found), found, 7)
    assert figures.gains["without new arrivals"].high <= 0
    assert figures.figures[ALONE] == list_figures(model, shown_lists(model, found), found, 7).figures[ALONE]


def test_the_share_of_places_for_what_is_due_is_learned(rows) -> None:
    start = START - 30 * DAY_MS
    assert choose_again(rows, SHOP, SETTINGS, start, START).blend.again >= 0.5
    durable = planted(150, taste=0.9)
    first, second = (int(one) for one in np.quantile(durable.at_ms, (0.7, 0.85)))
    assert choose_again(durable, catalogue(60, 6), SETTINGS, first, second) == SETTINGS
