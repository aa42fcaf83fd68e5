"""Estimates on a simulator whose truth is known: inside their intervals as often as these say; refused where they mean nothing."""

import numpy as np
import pytest

from lakehouse.experiments.off_policy import OffPolicy, evaluate

ARMS, ROWS = 4, 4000
RATES = np.array([0.05, 0.10, 0.15, 0.20])  # plus what the context adds


def simulated(rng: np.random.Generator, target: np.ndarray) -> tuple[OffPolicy, float]:
    """Logged by an uneven policy; evaluated for `target` (probabilities of the arms, the same for every context)."""
    logging = np.array([0.4, 0.3, 0.2, 0.1])
    context = rng.random(ROWS)
    arm = rng.choice(ARMS, ROWS, p=logging)
    rates = RATES[None, :] + 0.2 * context[:, None]
    reward = (rng.random(ROWS) < rates[np.arange(ROWS), arm]).astype(float)
    model = rates + 0.03  # wrong by a little, everywhere
    found = evaluate(
        reward,
        logging[arm],
        target[arm],
        expected=model[np.arange(ROWS), arm],
        expected_under_target=model @ target,
    )
    return found, float(RATES @ target + 0.1)


def test_the_truth_lies_in_the_intervals_as_often_as_they_say() -> None:
    rng, target = np.random.default_rng(8), np.array([0.1, 0.2, 0.3, 0.4])
    held = {"ipw": 0, "snipw": 0, "dr": 0}
    runs = 600
    for _ in range(runs):
        found, truth = simulated(rng, target)
        for name in held:
            low, high = getattr(found, name).interval
            held[name] += low <= truth <= high
    assert all(abs(count / runs - 0.95) < 0.03 for count in held.values()), held


def test_the_doubly_robust_interval_is_the_narrower() -> None:
    found, _ = simulated(np.random.default_rng(1), np.array([0.1, 0.2, 0.3, 0.4]))
    assert found.refused is None
    assert found.dr is not None
    assert found.ipw is not None
    assert np.ptp(found.dr.interval) < np.ptp(found.ipw.interval)


@pytest.mark.parametrize(
    ("propensity", "target", "told"),
    [
        (np.r_[np.full(10, 1e-6), np.full(990, 0.5)], np.full(1000, 0.5), "effective sample"),
        (np.full(1000, 0.5), np.full(1000, 0.9), "mean weight 1.80"),
        (np.r_[np.full(1, 0.004), np.full(999, 0.5)], np.r_[np.full(1, 0.3), np.full(999, 0.5)], "of the weight"),
    ],
)
def test_it_refuses_rather_than_guesses(propensity: np.ndarray, target: np.ndarray, told: str) -> None:
    found = evaluate(np.ones(1000), propensity, target)
    assert told in str(found.refused)
    assert (found.ipw, found.snipw, found.dr) == (None, None, None)


def test_propensities_that_are_none_are_an_error() -> None:
    with pytest.raises(ValueError, match="propensity"):
        evaluate(np.ones(3), np.array([0.5, 0.0, 0.5]), np.ones(3))
    with pytest.raises(ValueError, match="got 0 rewards"):
        evaluate(np.ones(0), np.ones(0), np.ones(0))
