"""One training after another, without a lake: what is promoted, what stays, and where the champion has seen too much."""

import dataclasses

import pytest

from lakehouse.config import load
from lakehouse.recommend import contest as contests
from lakehouse.recommend.interactions import DAY_MS
from lakehouse.recommend.model import PERSONAL, POPULARITY
from lakehouse.training.judged_model import JudgedModel, judged_model
from lakehouse.training.promotion import PROMOTED, STAYS, Reigning
from tests.lakehouse.recommend.shops import NOW, catalogue, pantry, planted

SETTINGS = dataclasses.replace(load().recommender, again_days=60, rank=8)


@pytest.fixture(autouse=True)
def few_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contests, "CONFIDENCES", contests.CONFIDENCES[:1])


def reigns(judged: JudgedModel) -> Reigning:
    assert judged.as_judged is not None
    return Reigning(version="1", model=judged.as_judged, until_ms=judged.until_ms)


def test_groceries_are_promoted_and_trained_again_on_the_same_day_they_stay() -> None:
    rows = pantry(250, seed=7)[0]
    first = judged_model(rows, catalogue(60, 10), SETTINGS, None, NOW)
    assert (first.outcome, first.model.kind, first.refusal) == (PROMOTED, PERSONAL, None)
    assert first.model.blend.again > 0
    metrics = first.metrics()
    assert metrics["list_ndcg_served"] > metrics["list_ndcg_popularity"]
    assert metrics["list_gain_over_popularity_low"] > 0
    assert 0 < metrics["served_coverage"] <= 1

    again = judged_model(rows, catalogue(60, 10), SETTINGS, reigns(first), NOW)
    assert (again.outcome, again.ruled.is_same) == (STAYS, True)

    seen = dataclasses.replace(reigns(first), until_ms=NOW - DAY_MS // 24)
    late = judged_model(rows, catalogue(60, 10), SETTINGS, seen, NOW)
    assert late.outcome == STAYS, "the champion has seen all but an hour: nothing is left to judge by"
    assert "too few people" in late.refusal


def test_where_nobody_has_a_taste_popularity_serves_and_nothing_is_left_to_beat() -> None:
    rows = planted(200, taste=0.0, seed=3)
    found = judged_model(rows, catalogue(60, 6), SETTINGS, None, NOW)
    assert (found.outcome, found.model.kind, found.as_judged) == ("popularity", POPULARITY, None)
    assert "not better than popularity" in found.refusal
