"""The uplift curve by hand."""

import numpy as np
import pytest

from lakehouse.uplift.curve import SHARES, curve
from tests.lakehouse.uplift.test_evidence import log_and_chain


def test_gains_grow_by_the_most_promising_first() -> None:
    rows = 100
    scores = np.zeros((rows, 2))
    scores[:, 1] = np.arange(rows, dtype=float)  # what arm 1 gives the row over arm 0
    log, chain = log_and_chain(scores, np.ones(rows, dtype=int), np.full(rows, 3), np.zeros(rows, dtype=int))
    foreseen = chain.effects.copy()
    foreseen[:, 1] = np.arange(rows)
    for effects, sign in ((foreseen, 1), (-foreseen, -1)):
        found = curve(log, type(chain)(scores=scores, effects=effects, model=chain.model, shares=chain.shares), 0, 0.05)
        values = [gain.value for gain in found.gains]
        assert values[0] == 0
        assert values[-1] == pytest.approx(scores[:, 1].mean())
        first_tenth = np.arange(90, 100) if sign > 0 else np.arange(10)
        assert values[1] == pytest.approx(first_tenth.sum() / rows)
        assert np.sign(found.qini) == sign  # who is foreseen wrongly lies below the straight line
    assert len(found.gains) == len(SHARES)


def test_a_promise_is_of_the_best_arm_other_than_the_baseline() -> None:
    rows = 60
    scores = np.column_stack([np.ones(rows), np.full(rows, 3.0), np.full(rows, 2.0)])
    log, chain = log_and_chain(scores, np.full(rows, 1), np.full(rows, 3), np.zeros(rows, dtype=int))
    assert curve(log, chain, 0, 0.05).gains[-1].value == pytest.approx(2.0)
    assert curve(log, chain, 1, 0.05).gains[-1].value == pytest.approx(-2.0)  # of equals the first
