import numpy as np
import pytest
from scipy.stats import false_discovery_control

from lakehouse.drift.verdicts import Look, verdicts


def test_p_is_adjusted_as_scipy_does() -> None:
    p = np.random.default_rng(1).uniform(0, 0.3, 25)
    found = verdicts([Look(effect_over=2.0, p=one) for one in p], 0.05)
    adjusted = false_discovery_control(p, method="bh")
    assert [one.p_adjusted for one in found] == pytest.approx(adjusted.tolist())
    assert [one.is_drifted for one in found] == (adjusted <= 0.05).tolist()


def test_both_an_effect_that_matters_and_no_chance_are_asked_for() -> None:
    looks = [Look(effect_over=1.0, p=0.001), Look(effect_over=0.99, p=0.001), Look(effect_over=9.0, p=0.4)]
    assert [one.is_drifted for one in verdicts(looks, 0.05)] == [True, False, False]


def test_too_few_rows_are_no_verdict_and_make_the_others_no_stricter() -> None:
    few, one = Look(effect_over=0.0, p=None), Look(effect_over=2.0, p=0.04)
    found = verdicts([few, one, few], 0.05)
    assert [each.is_drifted for each in found] == [None, True, None]
    assert found[1].p_adjusted == 0.04


def test_nothing_looked_at_has_no_verdict() -> None:
    assert verdicts([], 0.05) == ()
