"""Our policies against the best fixed arm and against mabwiser's, in the same worlds. Full figures: tests/benchmarks/bandits.py."""

import numpy as np
from mabwiser.mab import LearningPolicy

from lakehouse.bandits.state import Policy
from tests.lakehouse.bandits.worlds import contextual, plain, run, run_mabwiser

ROUNDS = 1_500


def test_thompson_loses_little_on_the_best_arm_and_no_more_than_mabwiser() -> None:
    ours, theirs, even = [], [], []
    for seed in range(3):
        world = plain(ROUNDS, 6, seed)
        ours.append(world.regret(run(world, Policy(kind="thompson", explore=0.02))))
        theirs.append(world.regret(run_mabwiser(world, LearningPolicy.ThompsonSampling(), seed)))
        even.append(world.regret(np.arange(ROUNDS) % 6))
    assert np.mean(ours) < 0.5 * np.mean(even)
    assert np.mean(ours) < 1.35 * np.mean(theirs)


def test_linucb_beats_every_fixed_arm_and_keeps_up_with_mabwiser() -> None:
    world = contextual(ROUNDS, 6, 6, seed=1)
    ours = world.regret(run(world, Policy(kind="linucb", features=6, explore=0.02)))
    theirs = world.regret(run_mabwiser(world, LearningPolicy.LinUCB(alpha=0.6), 1))
    assert ours < 0
    assert ours < theirs + 0.05 * ROUNDS * world.chances.mean()  # what exploring 2 % on top may cost
