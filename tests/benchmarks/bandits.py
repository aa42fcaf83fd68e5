"""Regret of the policies against the best fixed arm and beside mabwiser's in the same worlds; time of a choice.

    ./spark-submit.sh tests/benchmarks/bandits.py [--rounds 5000] [--worlds 10]

Two kinds of world with eight arms: arms of fixed chances (Thompson sampling), and chances that hang on sixteen features
(LinUCB). Regret is expected rewards less than the best fixed arm's; below 0 a policy does better than any fixed arm.
Ours spread 2 % of their choices evenly, for propensities that are never 0; mabwiser's do not, and log none.
"""

import argparse
import json
import time

import numpy as np
from mabwiser.mab import LearningPolicy

from lakehouse.bandits.state import BanditState, Policy
from lakehouse.config import load
from lakehouse.job import run
from tests.benchmarks.machine import machine
from tests.lakehouse.bandits.worlds import World, contextual, plain, run_mabwiser
from tests.lakehouse.bandits.worlds import run as run_ours

ARMS, FEATURES, EXPLORE = 8, 16, 0.02
THOMPSON = Policy(kind="thompson", explore=EXPLORE)
LINUCB = Policy(kind="linucb", features=FEATURES, explore=EXPLORE)


def regrets(worlds: list[World], policy: Policy, theirs: object) -> dict[str, float]:
    """Means over the worlds, and the share of what even choices lose that ours lose."""
    found = {
        "regret": [world.regret(run_ours(world, policy)) for world in worlds],
        "mabwiser_regret": [world.regret(run_mabwiser(world, theirs, seed)) for seed, world in enumerate(worlds)],
        "even_regret": [world.regret(np.arange(len(world.contexts)) % ARMS) for world in worlds],
    }
    difference = np.array(found["regret"]) - np.array(found["mabwiser_regret"])
    means = {name: round(float(np.mean(values)), 1) for name, values in found.items()}
    error = float(difference.std(ddof=1) / np.sqrt(len(worlds))) if len(worlds) > 1 else float("nan")
    return means | {"regret_less_mabwiser_standard_error": round(error, 1)}


def milliseconds(policy: Policy, calls: int) -> dict[str, float]:
    """Wall time of one choice among ARMS that have each seen a thousand outcomes."""
    random = np.random.default_rng(3)
    state, arms = BanditState(policy), [f"arm-{number}" for number in range(ARMS)]
    contexts = random.normal(size=(max(calls, 1_000 * ARMS), FEATURES))
    for number in range(1_000 * ARMS):
        state.observe(arms[number % ARMS], contexts[number], float(random.random() < 0.1))
    took = []
    for number in range(calls):
        began = time.perf_counter()
        state.choose(arms, contexts[number], decision_id=f"d{number}")
        took.append(1e3 * (time.perf_counter() - began))
    return {
        "choice_p50_ms": round(float(np.median(took)), 3),
        "choice_p99_ms": round(float(np.quantile(took, 0.99)), 3),
    }


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bandits")
    parser.add_argument("--rounds", type=int, default=5_000)
    parser.add_argument("--worlds", type=int, default=10)
    arguments = parser.parse_args(argv)
    seeds = range(arguments.worlds)
    of = {
        "thompson": regrets(
            [plain(arguments.rounds, ARMS, seed) for seed in seeds], THOMPSON, LearningPolicy.ThompsonSampling()
        )
        | milliseconds(THOMPSON, 2_000),
        "linucb": regrets(
            [contextual(arguments.rounds, ARMS, FEATURES, seed) for seed in seeds],
            LINUCB,
            LearningPolicy.LinUCB(alpha=LINUCB.alpha),
        )
        | milliseconds(LINUCB, 2_000),
    }
    for name, figures in of.items():
        print(f"{name:<9} " + ", ".join(f"{figure} {value:,}" for figure, value in figures.items()))
    flat = {f"{name}_{figure}": value for name, figures in of.items() for figure, value in figures.items()}
    sizes = {"arms": ARMS, "features": FEATURES, "explore": EXPLORE, **vars(arguments)}
    print(json.dumps({"benchmark": "bandits", **flat, **sizes, **machine(load())}))


if __name__ == "__main__":
    run(main)
