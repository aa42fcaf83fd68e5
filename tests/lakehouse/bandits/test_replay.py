"""What replay says of a policy, against a world whose truth is known."""

import dataclasses

import numpy as np
import pytest

from lakehouse.bandits.state import BanditState, Policy
from lakehouse.errors import ModelError
from tests.lakehouse.bandits.replay import Logged, replay
from tests.lakehouse.bandits.worlds import World, contextual, run


def logged(world: World, shares: list[float], seed: int = 9) -> list[Logged]:
    """The world's log by a policy that chooses by `shares`, whatever the context."""
    chosen = np.random.default_rng(seed).choice(len(shares), size=len(world.contexts), p=shares)
    return [
        Logged(
            decision_id=f"d{number}",
            arms=world.arms,
            context=world.contexts[number],
            arm=world.arms[arm],
            propensity=shares[arm],
            reward=float(world.rewards[number, arm]),
        )
        for number, arm in enumerate(chosen)
    ]


@pytest.mark.parametrize("shares", [[0.25] * 4, [0.55, 0.15, 0.15, 0.15]])
def test_replay_tells_what_the_policy_earns_when_it_chooses_itself(shares: list[float]) -> None:
    world, policy = contextual(6_000, 4, 3, seed=2), Policy(kind="linucb", features=3, explore=0.05)
    found = replay(logged(world, shares), BanditState(policy))
    live = run(World(world.contexts[: found.matched], world.chances, world.rewards), policy)
    truth = world.chances[np.arange(found.matched), live].mean()
    assert found.mean == pytest.approx(truth, abs=3.5 * found.standard_error)
    even = world.chances.mean()
    assert truth > even + 5 * found.standard_error  # so the test can tell a learner from an even log
    assert found.kept == pytest.approx(6_000 * 4 * min(shares), rel=0.1)
    assert found.matched == pytest.approx(found.kept / 4, rel=0.15)


def test_too_few_matches_have_no_mean_and_a_wrong_propensity_is_refused() -> None:
    rows = logged(contextual(60, 4, 3, seed=2), [0.25] * 4)
    assert replay(rows, BanditState(Policy(kind="thompson"))).mean is None
    assert replay([], BanditState(Policy(kind="thompson"))).matched == 0
    for wrong in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(ModelError, match="propensity"):
            replay([dataclasses.replace(rows[0], propensity=wrong), *rows], BanditState(Policy(kind="thompson")))
