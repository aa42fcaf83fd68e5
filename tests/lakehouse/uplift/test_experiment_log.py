"""Any frame becomes a log, or says in words why not."""

import numpy as np
import pandas as pd
import pytest

from lakehouse.errors import SourceError
from lakehouse.uplift.experiment_log import ExperimentLog, log_of

FRAME = pd.DataFrame(
    {
        "who": ["u1", "u2", "u3", None, "u5"],
        "arm": ["mail", "none", None, "mail", "mail"],
        "visit": [1, 0, 1, 1, "yes"],
        "p": [0.5, 0.25, 0.5, 0.5, 0.5],
        "age": [30, None, 40, 50, 60],
        "plan": [1, 2, 1, 2, 3],
    }
)


def read(frame: pd.DataFrame = FRAME, **changes: object) -> ExperimentLog:
    return log_of(frame, **({"arm": "arm", "reward": "visit", "features": ["age", "plan"], "unit": "who"} | changes))


def test_rows_without_an_arm_or_a_unit_are_left_out_and_counted() -> None:
    log = read(propensity="p")
    assert log.unit.tolist() == ["u1", "u2", "u5"]
    assert log.arm.tolist() == ["mail", "none", "mail"]
    assert log.reward.tolist() == [1.0, 0.0, 1.0]
    assert log.propensity.tolist() == [0.5, 0.25, 0.5]
    assert dict(log.left_out) == {"without an arm or a unit": 2}


def test_without_propensities_an_arms_share_is_its_chance() -> None:
    np.testing.assert_allclose(read().propensity, [2 / 3, 1 / 3, 2 / 3])
    np.testing.assert_allclose(read(shares=["mail=3", "none=1"]).propensity, [0.75, 0.25, 0.75])
    with pytest.raises(SourceError, match="--expected: no share of none"):
        read(shares=["mail=1"])


def test_categories_are_text_though_they_look_like_numbers() -> None:
    log = read(categories=["plan"])
    assert log.features["plan"].tolist() == ["1", "2", "3"]
    assert log.features["age"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": ["ages"]}, "no column 'ages'; did you mean 'age'"),
        ({"arm": "arms"}, "no column 'arms'"),
        ({"features": ["visit"]}, "--feature: column 'visit' is the reward"),
        ({"features": ["age", "age"]}, "column 'age' is named twice"),
        ({"reward": "p", "propensity": "age"}, "column 'age', row 2: got nothing"),
        ({"reward": "who", "unit": None}, "column 'who'"),
    ],
)
def test_what_cannot_be_used_is_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read(**({"features": ["plan"]} | changes))


def test_a_reward_that_is_missing_is_told_by_its_row() -> None:
    with pytest.raises(SourceError, match="column 'visit', row 2: got nothing"):
        read(FRAME.assign(visit=[1, None, 1, 1, 0]))
    with pytest.raises(SourceError, match="no row names an arm"):
        read(FRAME.assign(arm=None))
