"""Contrasts keep what tells arms apart."""

import numpy as np
import pytest

from lakehouse.targeting.contrasts import contrasts


@pytest.mark.parametrize("arms", [1, 2, 3, 6])
def test_contrasts_keep_all_but_the_mean(arms: int) -> None:
    basis, row = contrasts(arms), np.random.default_rng(arms).normal(size=arms)
    assert basis.shape == (arms, arms - 1)
    np.testing.assert_allclose(row @ basis @ basis.T, row - row.mean(), atol=1e-12)
