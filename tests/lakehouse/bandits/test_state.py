import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.bandits.state import BanditState, Policy
from lakehouse.errors import ModelError

POLICIES = [Policy(kind="thompson"), Policy(kind="linucb", features=3)]
Outcome = tuple[str, tuple[float, ...], float]
OUTCOMES = st.lists(
    st.tuples(st.sampled_from("abc"), st.tuples(*[st.floats(-2, 2)] * 3), st.floats(0, 1)), min_size=1, max_size=20
)


def learned(policy: Policy, outcomes: list[Outcome]) -> BanditState:
    state = BanditState(policy)
    for outcome in outcomes:
        state.observe(*outcome)
    return state


def answers(state: BanditState) -> list[dict[str, float]]:
    contexts = np.random.default_rng(1).normal(size=(4, 3))
    return [dict(state.choose("abc", context, decision_id="d").expected) for context in contexts]


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
@settings(max_examples=25, deadline=None)
@given(outcomes=OUTCOMES, data=st.data())
def test_order_does_not_matter(policy: Policy, outcomes: list[Outcome], data: st.DataObject) -> None:
    same = learned(policy, data.draw(st.permutations(outcomes)))
    for expected, found in zip(answers(learned(policy, outcomes)), answers(same), strict=True):
        assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_a_state_goes_through_json(policy: Policy) -> None:
    state = learned(policy, [("a", (1.0, 0.5, -1.0), 1.0), ("b", (0.0, 1.0, 2.0), 0.0)])
    back = BanditState.from_json(json.loads(json.dumps(state.to_json())))
    assert back.policy == policy
    assert answers(back) == answers(state)


def test_logged_propensities_tell_what_another_policy_would_earn() -> None:
    random, truth = np.random.default_rng(4), {"a": 0.2, "b": 0.3, "c": 0.5}
    state, log = BanditState(Policy(kind="thompson", explore=0.2)), []
    for number in range(4_000):
        choice = state.choose("abc", (), decision_id=f"{number}")
        reward = float(random.random() < truth[choice.arm])
        state.observe(choice.arm, (), reward)
        log.append((choice.arm, choice.propensity, reward))
    for arm, rate in truth.items():
        weighted = np.array([(name == arm) * reward / propensity for name, propensity, reward in log])
        assert abs(weighted.mean() - rate) < 3.5 * weighted.std() / np.sqrt(len(log))


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "epsilon"}, {"kind": "linucb"}, {"kind": "thompson", "explore": 0.0},
        {"kind": "thompson", "prior": (0.5, 1)},
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ModelError, match="Mend the policy"):
        Policy(**wrong)


def test_what_cannot_be_learned_or_asked_is_told_and_changes_nothing() -> None:
    state = learned(Policy(kind="linucb", features=2), [("a", (1.0, 0.0), 1.0)])
    before = state.to_json()
    for context, reward in (((1.0,), 1.0), ((1.0, float("nan")), 1.0), ((1.0, 1.0), float("inf"))):
        with pytest.raises(ModelError, match="outcome of 'a' not learned"):
            state.observe("a", context, reward)
    with pytest.raises(ModelError, match="no arm"):
        state.choose([], (1.0, 0.0), decision_id="d")
    with pytest.raises(ModelError, match="expected 2 finite numbers"):
        state.choose("ab", (1.0,), decision_id="d")
    with pytest.raises(ModelError, match="not learned: reward"):
        BanditState(Policy(kind="thompson")).observe("a", (), 2.0)
    assert state.to_json() == before


@pytest.mark.parametrize("change", [{"schema": 1}, {"arms": {"a": [1]}}, {"arms": []}, {"policy": {}}])
def test_a_damaged_state_is_refused(change: dict) -> None:
    document = learned(Policy(kind="thompson"), [("a", (), 1.0)]).to_json()
    with pytest.raises(ModelError, match=r"cannot be read|Mend the policy"):
        BanditState.from_json(document | change)
