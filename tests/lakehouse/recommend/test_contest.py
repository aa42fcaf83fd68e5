"""The contest finds a planted taste, refuses noise, and looks at nothing after the slice it trains on."""

import dataclasses

import numpy as np
import pytest

from lakehouse.errors import ModelError
from lakehouse.recommend import contest as contests
from lakehouse.recommend.als import AlsSettings
from lakehouse.recommend.contest import ALS, CHALLENGER, EASE, ITEM_ITEM, POPULAR, Contest, boundaries, choose, contest
from lakehouse.recommend.ease import ease_weights
from lakehouse.recommend.holdout import people
from lakehouse.recommend.interaction_table import Interactions
from lakehouse.recommend.training import FitSettings, fit, profile_baskets
from tests.lakehouse.recommend.shops import NOW, catalogue, planted

BASE = FitSettings(als=AlsSettings(rank=8, sweeps=5))


def held(rows: Interactions) -> Contest:
    first, second = boundaries(rows)
    found, judged = contest(rows, catalogue(60, 6), BASE, first=first, second=second, as_of_ms=NOW)
    assert judged.blend == found.settings.blend
    return found


def test_a_planted_taste_beats_popularity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contests, "CONFIDENCES", contests.CONFIDENCES[:2])
    found = held(planted(250, taste=0.8))
    assert set(found.figures) == {POPULAR, EASE, ITEM_ITEM, ALS, CHALLENGER}
    assert found.gain.low > 0.05
    value = {who: of["ndcg"].value for who, of in found.figures.items()}
    assert value[CHALLENGER] - value[POPULAR] == pytest.approx(found.gain.value)
    assert value[CHALLENGER] > value[EASE] - 0.02
    assert f"gain of its scores over popularity {found.gain}" in found.table()


def test_where_nobody_has_a_taste_the_winner_is_not_better(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contests, "CONFIDENCES", contests.CONFIDENCES[:1])
    assert held(planted(250, taste=0.0)).gain.low <= 0


def test_the_choice_does_not_know_what_comes_after_its_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contests, "CONFIDENCES", contests.CONFIDENCES[:1])
    rows = planted(80, taste=0.8)
    start, end = (int(one) for one in np.quantile(rows.at_ms, contests.SHARES))
    changed = dataclasses.replace(rows, product=np.where(rows.at_ms >= end, 59 - rows.product, rows.product))
    first, second = (choose(one, catalogue(60, 6), BASE, start, end) for one in (rows, changed))
    assert first == second


def test_who_is_judged_touched_something_new_to_them() -> None:
    rows = planted(80, taste=0.8)
    start, end = (int(one) for one in np.quantile(rows.at_ms, contests.SHARES))
    model = fit(rows.where(rows.at_ms < start), catalogue(60, 6), BASE, as_of_ms=start)
    found = people(rows, model, catalogue(60, 6), start, end)
    assert all(one.at_ms < start for person in found for one in person.history)
    assert all(len(person.relevant) and not np.isin(person.relevant, person.seen).any() for person in found)
    with pytest.raises(ModelError, match="too few people to judge by, got 0"):
        people(rows, model, catalogue(60, 6), NOW * 2, NOW * 3)


def test_ease_is_the_ridge_regression_of_each_product_on_the_others() -> None:
    rows = planted(60, taste=0.8)
    model = fit(rows, catalogue(60, 6), BASE, as_of_ms=NOW)
    seen = profile_baskets(model, rows, catalogue(60, 6), as_of_ms=NOW)
    weights = ease_weights(seen, 20.0)
    dense = seen.toarray()
    for product in (0, 7, 31):
        others = np.delete(dense, product, axis=1)
        ridge = np.linalg.solve(others.T @ others + 20.0 * np.eye(59), others.T @ dense[:, product])
        assert np.delete(weights[:, product], product) == pytest.approx(ridge, abs=1e-8)
        assert weights[product, product] == 0
