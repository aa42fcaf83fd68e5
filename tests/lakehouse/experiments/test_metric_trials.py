"""The simulations of the benchmark, few of them: what they compute is what the product says, and it is what is claimed."""

import pytest

from tests.lakehouse.experiments import metric_trials
from tests.lakehouse.experiments.metric_trials import cuped, quantiles, quotients


def test_running_sums_say_what_the_product_says() -> None:
    metric_trials.check(seed=1)


@pytest.mark.parametrize("draw", [cuped, quotients])
def test_experiments_on_nothing_that_are_looked_at_often_find_nothing(draw) -> None:
    trials = draw(300, 30, 3000, seed=2)
    assert trials.found() <= 0.05
    assert trials.found_once() == pytest.approx(0.05, abs=0.04)


def test_so_do_quantiles() -> None:
    assert quantiles(60, 10, 600, seed=3, share=0.9).found() <= 0.05
