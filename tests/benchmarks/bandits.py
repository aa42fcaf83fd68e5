"""Regret of the policies against the best fixed arm and beside mabwiser's in the same worlds; time of a choice; size of the store.

    ./spark-submit.sh tests/benchmarks/bandits.py [--rounds 5000] [--worlds 30] [--window 300] [--decisions 100000]

Two kinds of world with eight arms: arms of fixed chances (Thompson sampling), and chances that hang on sixteen features
(LinUCB). Regret is expected rewards less than the best fixed arm's; below 0 a policy does better than any fixed arm.
Ours spread 2 % of their choices evenly, for propensities that are never 0; mabwiser's do not, and log none. What that costs is told apart:
`unexplored` is ours without it.

Rewards come at once, or delayed: after up to a window, by another delay for each arm, some never, some told three times, and
unsubscribes among them. Ours learns through the store as the service does. mabwiser is fed in three ways, see `run_mabwiser_delayed`: with
what a service of outcomes is posted, with rewards at once and failures at the window's end, and with the very counts that ours
takes. Exits with 1 where a limit is broken.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from mabwiser.mab import LearningPolicy

from lakehouse.bandits.learned import Settled
from lakehouse.bandits.state import BanditState, Policy
from lakehouse.config import load
from lakehouse.config.declarations import DAY_MS
from lakehouse.job import run
from lakehouse.learning.exposure import waiting
from lakehouse.learning.learned_store import LearnedStore
from lakehouse.learning.reward import Outcome, Reward
from lakehouse.online.engines import open_store
from lakehouse.online.store import MOST
from tests.benchmarks.decision_ends import MOST_GROWTH, store_size
from tests.benchmarks.machine import machine
from tests.lakehouse.bandits.worlds import (
    CLOSED,
    POSTED,
    TIMELY,
    World,
    contextual,
    delayed,
    plain,
    run_delayed,
    run_mabwiser,
    run_mabwiser_delayed,
)
from tests.lakehouse.bandits.worlds import run as run_ours

ARMS, FEATURES, EXPLORE = 8, 16, 0.02
UNEXPLORED = 1e-9  # as good as none: a policy has to explore a little
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


def delayed_regrets(worlds: list[World], policy: Policy, theirs: object, window: int) -> dict[str, float]:
    """Means over the worlds, mabwiser's by how it is fed; `explored`: what choosing evenly in 2 % of the rounds alone costs."""
    found: dict[str, list[float]] = defaultdict(list)
    for seed, world in enumerate(worlds):
        stream = delayed(world, window, seed)
        for name, one in (("regret", policy), ("unexplored_regret", replace(policy, explore=UNEXPLORED))):
            with tempfile.TemporaryDirectory() as folder:
                store = open_store(f"lmdb://{folder}/store")
                found[name].append(stream.regret(run_delayed(stream, one, store)))
                store.close()
        for fed in (POSTED, TIMELY, CLOSED):
            found[f"mabwiser_{fed}_regret"].append(stream.regret(run_mabwiser_delayed(stream, theirs, seed, fed=fed)))
        found["even_regret"].append(stream.regret(np.arange(len(world.contexts)) % ARMS))
        best = world.chances.max(axis=1).sum() - world.chances.mean(axis=1).sum()
        found["explored"].append(EXPLORE * float(best))
    difference = np.array(found["unexplored_regret"]) - np.array(found[f"mabwiser_{CLOSED}_regret"])
    means = {name: round(float(np.mean(values)), 1) for name, values in found.items()}
    error = float(difference.std(ddof=1) / np.sqrt(len(worlds))) if len(worlds) > 1 else 0.0
    return means | {"unexplored_less_mabwiser_standard_error": round(error, 1)}


def review_case() -> float:
    """Share of the choices of arm B, 100 conversions of 500 exposures, beside A, 200 of 10,000."""
    reward = Reward(metric="converted", is_higher_better=True, window_ms=DAY_MS)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"lmdb://{folder}/store")
        learning = LearnedStore(store, THOMPSON, reward)
        for arm, shown, converted in (("A", 10_000, 200), ("B", 500, 100)):
            names = [f"{arm}{number:05}" for number in range(shown)]
            learning.wait([waiting(Settled(0, name, arm, (), 0.0)) for name in names])
            store.put(Outcome(1.0, 0, False).document(name, "converted", MOST) for name in names[:converted])
        state = learning.settle(DAY_MS).state
        store.close()
    return sum(state.choose("AB", (), decision_id=f"d{number}").arm == "B" for number in range(1000)) / 1000


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bandits")
    parser.add_argument("--rounds", type=int, default=5_000)
    parser.add_argument("--worlds", type=int, default=30)
    parser.add_argument("--window", type=int, default=300)
    parser.add_argument("--decisions", type=int, default=100_000)
    arguments = parser.parse_args(argv)
    seeds, rounds = range(arguments.worlds), arguments.rounds
    plains = [plain(rounds, ARMS, seed) for seed in seeds]
    contextuals = [contextual(rounds, ARMS, FEATURES, seed) for seed in seeds]
    linucb = LearningPolicy.LinUCB(alpha=LINUCB.alpha)
    thompson = LearningPolicy.ThompsonSampling()
    of = {
        "thompson": regrets(plains, THOMPSON, thompson) | milliseconds(THOMPSON, 2_000),
        "linucb": regrets(contextuals, LINUCB, linucb) | milliseconds(LINUCB, 2_000),
        "thompson_delayed": delayed_regrets(plains, THOMPSON, thompson, arguments.window),
        "linucb_delayed": delayed_regrets(contextuals, LINUCB, linucb, arguments.window),
        "review_case": {"share_of_b": review_case()},
        "store": store_size(arguments.decisions),
    }
    for name, figures in of.items():
        print(f"{name:<16} " + ", ".join(f"{figure} {value:,}" for figure, value in figures.items()))
    flat = {f"{name}_{figure}": value for name, figures in of.items() for figure, value in figures.items()}
    sizes = {"arms": ARMS, "features": FEATURES, "explore": EXPLORE, **vars(arguments)}
    broken = broken_limits(of)
    print(json.dumps({"benchmark": "bandits", **flat, **sizes, "broken": broken, **machine(load())}))
    for limit in broken:
        print(f"error: {limit}")
    return 1 if broken else 0


def broken_limits(of: Mapping[str, Mapping[str, float]]) -> list[str]:
    """In words; a mean may be above its limit by two standard errors."""
    broken = []
    for name in ("thompson_delayed", "linucb_delayed"):
        found = of[name]
        closed = found[f"mabwiser_{CLOSED}_regret"] + 2 * found["unexplored_less_mabwiser_standard_error"]
        limits = {fed: found[f"mabwiser_{fed}_regret"] for fed in (POSTED, TIMELY)}
        limits["closed, explored as ours"] = closed + found["explored"]
        limits["a third of even choices"] = found["even_regret"] / 3
        if found["unexplored_regret"] >= closed:
            broken.append(
                f"{name}: unexplored {found['unexplored_regret']}, expected below {closed:.1f}: mabwiser closed"
            )
        broken += [
            f"{name}: regret {found['regret']}, expected below {limit:.1f}: mabwiser {fed}"
            for fed, limit in limits.items()
            if found["regret"] >= limit
        ]
    if of["linucb_delayed"]["regret"] >= 0:
        broken.append("linucb_delayed: no better than the best fixed arm, expected better")
    if of["review_case"]["share_of_b"] < 0.95:
        broken.append(f"review_case: B is chosen in {of['review_case']['share_of_b']:.0%}, expected 95 % or more")
    for what in ("documents", "store_bytes", "memory_bytes"):
        if of["store"][f"{what}_growth"] > MOST_GROWTH:
            broken.append(
                f"store: {what} grew by {of['store'][f'{what}_growth']:.1%}, expected {MOST_GROWTH:.0%} at most"
            )
    return broken


if __name__ == "__main__":
    run(main)
