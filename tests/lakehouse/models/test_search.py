"""A search tries what was asked for within the ranges, finds what is better where there is something to find, and is the same again."""

import math

import numpy as np
import pytest

from lakehouse.models.candidates import SETTINGS, Setting, fit
from lakehouse.models.score_model import BOOSTED, EVERYBODY, KINDS, LOGISTIC
from lakehouse.models.search import RANGES, search
from tests.lakehouse.models.test_score_model import drawn


def valley(setting: Setting) -> float:
    """Least where a line has C = 0.1; any other kind is worse by far."""
    return abs(math.log10(setting.options["C"]) + 1) if setting.kind == LOGISTIC else 9.0


def known() -> dict[Setting, float]:
    return {one: valley(one) for one in SETTINGS}


def test_what_is_found_is_within_the_ranges_better_and_the_same_again() -> None:
    found = search(valley, known(), 40, seed=3)
    assert min(found.values()) < 0.1 < min(known().values())
    assert search(valley, known(), 40, seed=3) == found
    assert search(valley, known(), 40, seed=4) != found
    for setting in found:
        for name, one in RANGES[setting.kind].items():
            assert one.low <= setting.options[name] <= one.high


def test_it_goes_where_the_losses_are_low_more_often_than_chance_would() -> None:
    tried = [one.kind for one in search(valley, known(), 40, seed=3)]
    assert tried.count(LOGISTIC) > 2 * 40 / len(KINDS)


def test_kinds_that_are_not_known_are_not_tried() -> None:
    boosted = {one: 1.0 for one in SETTINGS if one.kind == BOOSTED}
    assert {one.kind for one in search(lambda _: 1.0, boosted, 5, seed=3)} == {BOOSTED}
    assert search(valley, known(), 0, seed=3) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_the_ends_of_every_range_can_be_fitted(kind: str) -> None:
    rows, label = drawn(1, count=200)
    for end in ("low", "high"):
        options = {name: getattr(one, end) for name, one in RANGES[kind].items()}
        told = fit(Setting(kind=kind, options=options), rows, label, horizon_days=30, among=EVERYBODY, seed=3)
        assert np.isfinite(told.logit(rows)).all()
