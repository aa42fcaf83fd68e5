import numpy as np
import pytest
from mabwiser.mab import MAB, LearningPolicy

from lakehouse.bandits.linucb import Evidence, choose

ARMS = ["a", "b", "c"]


def history(rounds: int = 200) -> tuple[np.ndarray, list[str], np.ndarray]:
    random = np.random.default_rng(5)
    contexts = random.normal(size=(rounds, 4))
    return contexts, [ARMS[one] for one in random.integers(0, 3, rounds)], random.integers(0, 2, rounds)


def test_it_chooses_what_mabwiser_chooses() -> None:
    contexts, arms, rewards = history()
    mab = MAB(ARMS, LearningPolicy.LinUCB(alpha=0.8, l2_lambda=1.0))
    mab.fit(arms, rewards, contexts)
    evidence = {arm: Evidence.none(4) for arm in ARMS}
    for context, arm, reward in zip(contexts, arms, rewards, strict=True):
        evidence[arm] = evidence[arm].observed(context, float(reward))
    asked = np.random.default_rng(6).normal(size=(100, 4))
    ours = [
        choose(evidence, dict.fromkeys(ARMS, 1.0), one, alpha=0.8, explore=1e-12, decision_id=f"{number}", seed=1).arm
        for number, one in enumerate(asked)
    ]
    assert ours == mab.predict(asked)
    assert len(set(ours)) == 3


def test_the_greedy_arm_has_all_but_what_exploring_gives_the_others() -> None:
    evidence = {"b": Evidence.none(1).observed([1.0], 1.0).observed([1.0], 1.0)}
    seen = {
        choose(evidence, dict.fromkeys(ARMS, 1.0), [1.0], alpha=0.0, explore=0.3, decision_id=f"{n}", seed=1)
        .arm: choose(evidence, dict.fromkeys(ARMS, 1.0), [1.0], alpha=0.0, explore=0.3, decision_id=f"{n}", seed=1)
        .propensity
        for n in range(100)
    }  # fmt: skip
    assert seen == pytest.approx({"a": 0.1, "b": 0.8, "c": 0.1})


def test_arms_of_which_nothing_is_known_are_chosen_evenly_until_something_is() -> None:
    chosen = [
        choose({}, dict.fromkeys(ARMS, 1.0), [1.0, 0.5], alpha=0.6, explore=0.01, decision_id=f"{n}", seed=1)
        for n in range(300)
    ]
    assert [choice.propensity for choice in chosen] == pytest.approx([1 / 3] * 300)
    assert min(sum(choice.arm == arm for choice in chosen) for arm in ARMS) > 70


@pytest.mark.parametrize("features", [[1.0], [1.0, float("nan")], [1.0, 2.0, 3.0]])
def test_what_is_no_context_is_not_learned(features: list[float]) -> None:
    with pytest.raises(ValueError, match="expected 2 finite numbers"):
        Evidence.none(2).observed(features, 1.0)
