"""A policy as plain values."""

import json

import numpy as np
import pandas as pd

from lakehouse.targeting.contrasts import contrasts
from lakehouse.targeting.policy import TargetingPolicy
from lakehouse.targeting.response_model import ResponseModel
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


def test_it_is_the_same_after_json() -> None:
    one = policy((0.0, 0.5, 0.2))
    again = TargetingPolicy.from_parameters(json.loads(json.dumps(one.to_parameters())))
    np.testing.assert_allclose(again.effects(FRAME), one.effects(FRAME))
    assert (again.arms, again.cost, again.reward) == (one.arms, one.cost, one.reward)
