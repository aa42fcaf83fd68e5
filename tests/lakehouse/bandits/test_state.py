import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.bandits.state import BanditState, Policy
from lakehouse.errors import ModelError

DAY_MS = 86_400_000
FADING = {"half_life_days": 2.0}
POLICIES = [
    Policy(kind="thompson"),
    Policy(kind="thompson", **FADING),
    Policy(kind="linucb", features=3),
    Policy(kind="linucb", features=3, **FADING),
]
Outcome = tuple[str, tuple[float, ...], float, int]
OUTCOMES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.tuples(*[st.floats(-2, 2)] * 3),
        st.floats(0, 1),
        st.integers(0, 5_000 * DAY_MS),  # 2,500 half-lives: beyond what a double can hold in one sum
    ),
    min_size=1,
    max_size=20,
)


def learned(policy: Policy, outcomes: list[Outcome]) -> BanditState:
    state = BanditState(policy)
    for arm, context, reward, at_ms in outcomes:
        state.observe(arm, context, reward, at_ms=at_ms)
    return state


def answers(state: BanditState, now_ms: int) -> list[dict[str, float]]:
    contexts = np.random.default_rng(1).normal(size=(4, 3))
    return [dict(state.choose("abc", one, decision_id="d", now_ms=now_ms).expected) for one in contexts]


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
@settings(max_examples=25, deadline=None)
@given(outcomes=OUTCOMES, data=st.data())
def test_order_does_not_matter(policy: Policy, outcomes: list[Outcome], data: st.DataObject) -> None:
    now_ms = max(at_ms for *_, at_ms in outcomes)
    whole = learned(policy, sorted(outcomes, key=lambda one: one[-1]))
    same = learned(policy, data.draw(st.permutations(outcomes)))
    for expected, found in zip(answers(whole, now_ms), answers(same, now_ms), strict=True):
        assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_a_state_goes_through_json(policy: Policy) -> None:
    state = learned(policy, [("a", (1.0, 0.5, -1.0), 1.0, DAY_MS), ("b", (0.0, 1.0, 2.0), 0.0, 3 * DAY_MS)])
    back = BanditState.from_json(json.loads(json.dumps(state.to_json())))
    assert back.policy == policy
    assert answers(back, 4 * DAY_MS) == answers(state, 4 * DAY_MS)


def test_an_outcome_counts_half_after_a_half_life_and_a_clock_set_back_makes_nothing_grow() -> None:
    state = learned(Policy(kind="thompson", prior=(1, 1), half_life_days=2.0), [("a", (), 1.0, 10 * DAY_MS)] * 8)

    def expected(day: int) -> float:
        return state.choose("ab", (), decision_id="d", now_ms=day * DAY_MS).expected["a"]

    assert expected(10) == pytest.approx(9 / 10)
    assert expected(12) == pytest.approx(5 / 6)
    assert expected(14) == pytest.approx(3 / 4)
    assert expected(5_000) == pytest.approx(1 / 2)
    assert expected(0) == expected(10)


def test_a_fading_policy_follows_a_change_that_another_sleeps_through() -> None:
    random = np.random.default_rng(2)

    def share_of_best(policy: Policy) -> float:
        state, hits = BanditState(policy), 0
        for number in range(3_000):
            at_ms = number * DAY_MS // 50
            chances = {"a": 0.3, "b": 0.1} if number < 2_000 else {"a": 0.05, "b": 0.3}
            choice = state.choose("ab", (), decision_id=f"{number}", now_ms=at_ms)
            state.observe(choice.arm, (), float(random.random() < chances[choice.arm]), at_ms=at_ms)
            hits += number >= 2_500 and choice.arm == "b"
        return hits / 500

    assert share_of_best(Policy(kind="thompson", half_life_days=5.0)) > 0.8
    assert share_of_best(Policy(kind="thompson")) < 0.5


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
        {"kind": "thompson", "half_life_days": 0.0}, {"kind": "thompson", "prior": (0.5, 1)},
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ModelError, match="Mend the policy"):
        Policy(**wrong)


def test_what_cannot_be_learned_or_asked_is_told_and_changes_nothing() -> None:
    state = learned(Policy(kind="linucb", features=2), [("a", (1.0, 0.0), 1.0, 0)])
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


@pytest.mark.parametrize(
    "change", [{"schema": 2}, {"arms": {"a": [1]}}, {"arms": []}, {"policy": {}}, {"landmark_ms": "x"}]
)
def test_a_damaged_state_is_refused(change: dict) -> None:
    document = learned(Policy(kind="thompson"), [("a", (), 1.0, 0)]).to_json()
    with pytest.raises(ModelError, match=r"cannot be read|Mend the policy"):
        BanditState.from_json(document | change)
