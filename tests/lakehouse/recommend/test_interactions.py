import math

import pytest

from lakehouse.recommend.interactions import DAY_MS, Interaction, known
from tests.lakehouse.recommend.shops import NOW, did

INDEX = {"kettle": 0, "mug": 1, "novel": 2}


def weights(*history: Interaction, fade: float = 1.0, newest: int = 50) -> dict[int, float]:
    found = known(history, INDEX, now_ms=NOW, half_life_days=10, fade=fade, newest=newest)
    return dict(zip(found.positions.tolist(), found.weights.tolist(), strict=True))


def test_kinds_repeats_and_age_add_up_under_a_logarithm() -> None:
    look, old = Interaction("kettle", "view", NOW), Interaction("kettle", "view", NOW - 10 * DAY_MS)
    assert weights(look) == {0: 1.0}
    assert weights(old) == pytest.approx({0: math.log2(1.5)})
    assert weights(look, old, Interaction("kettle", "order", NOW)) == pytest.approx({0: math.log2(1 + 1 + 0.5 + 5)})
    assert weights(Interaction("kettle", "view", NOW + 10 * DAY_MS)) == {0: 1.0}  # a clock ahead makes nothing louder


def test_what_came_before_fades_step_by_step() -> None:
    assert weights(*did("view kettle", "view mug", "view novel", at_ms=NOW), fade=0.5) == pytest.approx(
        {2: 1, 1: 0.5, 0: 0.25}
    )


def test_only_the_newest_known_products_count() -> None:
    history = did("view kettle", "view mug", "view unknown", "view novel", at_ms=NOW)
    assert set(weights(*reversed(history), newest=2)) == {1, 2}


def test_the_cart_is_what_was_added_and_not_taken_back() -> None:
    steps = did("cart kettle", "cart mug", "remove mug", "cart novel", "order novel", "cart novel")
    found = known(reversed(steps), INDEX, now_ms=NOW, half_life_days=10, fade=1.0)
    assert (found.cart, found.ordered) == ((2, 0), {2: NOW - 6_000})
