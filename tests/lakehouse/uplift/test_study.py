"""A log studied: offered where the truth is better, not offered where it is not, never a crash, always in words."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.errors import SourceError
from lakehouse.uplift import report
from lakehouse.uplift.experiment_log import ExperimentLog
from lakehouse.uplift.study import Study, study
from tests.lakehouse.uplift.worlds import even_world, world


def in_words(found: Study) -> str:
    json.dumps(report.as_json(found))
    return report.table(found)


@pytest.fixture(scope="module")
def stepped() -> Study:
    rng = np.random.default_rng(7)
    return study(world("step", 10_000, rng).noisy_log(rng), reward="spend")


def test_a_policy_that_is_better_is_offered_and_is_as_good_as_it_says(stepped: Study) -> None:
    assert stepped.is_offered
    assert stepped.policy is not None
    fresh = world("step", 20_000, np.random.default_rng(8))
    gain = fresh.value(stepped.policy.effects(fresh.features).argmax(axis=1)) - fresh.means.mean(axis=0).max()
    assert gain > 0.9 * fresh.oracle_gain()
    assert stepped.gain_low is not None
    assert 0 < stepped.gain_low < fresh.oracle_gain()
    for arm, truth in zip(stepped.arms, fresh.means.mean(axis=0), strict=True):
        assert abs(arm.value.value - truth) < arm.value.high - arm.value.low


def test_who_gets_what_is_told_by_what_sets_them_apart(stepped: Study) -> None:
    groups = {group.arm: group for group in stepped.groups}
    assert sum(group.share for group in stepped.groups) == pytest.approx(1)
    assert groups["arm 1"].traits[0].name == "x0"  # above 0.5 arm 1 gives more
    assert groups["arm 1"].traits[0].here > 0.5 > groups["arm 1"].traits[0].everybody
    words = in_words(stepped)
    assert "a policy is offered" in words
    assert f"best blanket action: {stepped.best}" in words
    assert "x0: " in words
    assert stepped.curve is not None
    assert stepped.curve.qini > 0


@pytest.mark.parametrize("effects", [(0.0, 0.0, 0.0), (0.0, 0.4, 0.1), (0.0, 0.2)])
def test_where_an_arm_gives_everybody_the_same_no_policy_is_offered(effects: tuple[float, ...]) -> None:
    offered = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        found = study(even_world(1500, rng, effects=effects).noisy_log(rng), reward="spend")
        offered += found.is_offered
        assert found.is_offered or "no policy: " in in_words(found)
    assert offered == 0


def small(rows: int = 900, seed: int = 1) -> ExperimentLog:
    rng = np.random.default_rng(seed)
    return even_world(rows, rng, effects=(0.0, 0.1)).noisy_log(rng)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (dataclasses.replace(small(), arm=np.full(900, "mail"), propensity=np.ones(900)), "mail alone has enough rows"),
        (small(rows=300), "300 persons, expected 500"),
        (dataclasses.replace(small(), features=pd.DataFrame({"x": np.ones(900)})), "no feature tells people apart"),
        (dataclasses.replace(small(), features=pd.DataFrame(index=range(900))), "no feature tells people apart"),
        (dataclasses.replace(small(), reward=np.ones(900)), "no policy"),
        (dataclasses.replace(small(), reward=np.zeros(900)), "no policy"),
        (dataclasses.replace(small(), features=pd.DataFrame({"x": np.full(900, np.nan)})), "no feature tells people"),
    ],
)
def test_a_log_that_allows_no_policy_says_why(log: ExperimentLog, words: str) -> None:
    found = study(log, reward="spend")
    assert not found.is_offered
    assert words in in_words(found)


def test_a_tiny_arm_is_left_out_and_the_others_are_judged() -> None:
    log = small(2000)
    arm = np.where(np.arange(2000) < 20, "rare", log.arm.astype("<U8"))
    chance = np.where(arm == "rare", 0.01, log.propensity * 0.99)
    found = study(dataclasses.replace(log, arm=arm, propensity=chance), reward="spend")
    assert dict(found.left_out)["rare"].startswith("20 effective rows")
    assert [one.name for one in found.arms] == ["arm 0", "arm 1"]
    assert found.policy is not None
    assert "left out: rare" in in_words(found)


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])
def test_propensities_that_cannot_be_right_are_refused(factor: float) -> None:
    log = small(4000)
    chance = np.where(log.arm == "arm 0", log.propensity * factor, 1 - log.propensity[log.arm == "arm 0"][0] * factor)
    found = study(dataclasses.replace(log, propensity=chance), reward="spend")
    assert (found.refused is not None) == (factor != 1.0)
    assert found.refused is None or "mean weight" in in_words(found)
    assert found.arms == () or found.refused is None


def test_a_cost_is_in_every_value_and_one_of_an_unknown_arm_is_told() -> None:
    free, dear = study(small(), reward="spend"), study(small(), reward="spend", cost={"arm 1": 2.0})
    assert dear.arms[1].value.value == pytest.approx(free.arms[1].value.value - 2.0)
    assert dear.best == "arm 0"
    with pytest.raises(SourceError, match="--cost: no arm 'arm 9', expected one of arm 0, arm 1"):
        study(small(), reward="spend", cost={"arm 9": 1.0})


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), missing=st.sampled_from([0.0, 0.3, 0.95]), rare=st.sampled_from([0.5, 0.02]))
def test_missing_values_rare_rewards_and_categories_never_stop_it(seed: int, missing: float, rare: float) -> None:
    rng = np.random.default_rng(seed)
    log = small(700, seed)
    holed = log.features.copy()
    holed["a"] = holed["a"].mask(rng.random(700) < missing)
    holed["f"] = rng.choice([f"c{n}" for n in range(400)], 700)
    log = dataclasses.replace(log, features=holed, reward=(rng.random(700) < rare).astype(float))
    found = study(log, reward="visit")
    assert found.verdict
    assert not found.is_offered or found.gain_low is not None
    in_words(found)


def test_several_rows_of_a_person_promise_no_more_than_one() -> None:
    log = small(1200)
    twice = {name: np.repeat(getattr(log, name), 2) for name in ("unit", "arm", "reward", "propensity")}
    doubled = dataclasses.replace(log, **twice, features=log.features.loc[np.repeat(log.features.index, 2)])
    one, two = study(log, reward="spend"), study(doubled, reward="spend")
    assert two.persons == one.persons
    widths = [[arm.value.high - arm.value.low for arm in found.arms] for found in (one, two)]
    np.testing.assert_allclose(widths[1], widths[0], rtol=0.05)
