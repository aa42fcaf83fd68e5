"""A policy as plain values."""

import json

import numpy as np
import pandas as pd

from lakehouse.targeting.contrasts import contrasts
from lakehouse.targeting.policy import TargetingPolicy
from lakehouse.targeting.response_model import ResponseModel
from lakehouse.uplift.contenders import CONTENDERS, fit
from lakehouse.uplift.learned_encoding import encoding_of

FRAME = pd.DataFrame({"x": np.linspace(-2, 2, 81)})


def policy(cost: tuple[float, float, float]) -> TargetingPolicy:
    """Arm b gives x more than a; c gives nothing more."""
    encoding = encoding_of(FRAME)
    column = encoding.columns[0]
    scale = column.deviation
    weights = np.array([[0.0, scale, 0.0]]) @ contrasts(3)
    constant = np.array([0.0, column.mean, 0.0]) @ contrasts(3)
    model = ResponseModel(constant=constant, pairs=(), weights=weights, trees=())
    return TargetingPolicy(arms=("a", "b", "c"), cost=cost, reward="spend", encoding=encoding, model=model)


def test_everybody_gets_the_arm_whose_effect_less_its_cost_is_the_highest() -> None:
    x = FRAME["x"].to_numpy().clip(-1.97, 1.97)
    assert policy((0.0, 1.0, 5.0)).choose(FRAME).tolist() == np.where(x > 1.0 + 1e-9, "b", "a").tolist()
    assert set(policy((9.0, 9.0, 0.0)).choose(FRAME)) == {"c"}
    effects = policy((0.0, 1.0, 5.0)).effects(FRAME)
    np.testing.assert_allclose(effects.sum(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(effects[2:-2, 1] - effects[2:-2, 0], x[2:-2] - 1.0, atol=0.05)


def test_a_persons_effects_are_the_same_to_the_last_bit_whoever_else_is_asked_about() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(400, 20)), columns=[f"x{place}" for place in range(20)])
    encoding = encoding_of(frame)
    learned = fit(encoding.people(frame), rng.normal(size=(400, 3)) + frame.to_numpy()[:, :3])
    model = learned.blend(np.full(CONTENDERS, 1 / CONTENDERS))
    one = TargetingPolicy(arms=("a", "b", "c", "d"), cost=(0.0,) * 4, reward="spend", encoding=encoding, model=model)
    together = one.effects(frame)
    for size in (1, 2, 3, 7, 64, 399):
        np.testing.assert_array_equal(one.effects(frame.iloc[-size:]), together[-size:])


def test_it_is_the_same_after_json() -> None:
    one = policy((0.0, 0.5, 0.2))
    again = TargetingPolicy.from_parameters(json.loads(json.dumps(one.to_parameters())))
    np.testing.assert_allclose(again.effects(FRAME), one.effects(FRAME))
    assert (again.arms, again.cost, again.reward) == (one.arms, one.cost, one.reward)
