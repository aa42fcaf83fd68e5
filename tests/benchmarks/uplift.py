"""Whether a policy that is offered can be trusted, in worlds whose truth is known, against limits.

    ./spark-submit.sh tests/benchmarks/uplift.py [--splits 200] [--worlds 4] [--logs 2000]

worse than blanket   of customers shaped like Hillstrom's, half are learned from and half are the truth: the share of splits whose policy is
                     worse than the best blanket action (everybody gets the same). A split in which none is offered is not worse.
gain                 of the oracle's gain over the best blanket action, what the policy that is offered earns on fresh people; 0 where none is.
launched             share of logs without an effect, or with the same for everybody, in which a policy is offered.

Exit code 1 beyond a limit.
"""

import argparse
import json
from collections.abc import Sequence

import numpy as np

from lakehouse.config import load
from lakehouse.job import run
from lakehouse.uplift.study import Study, study
from tests.benchmarks.machine import machine
from tests.lakehouse.uplift.worlds import KINDS, World, even_world, hillstrom, world

MOST_WORSE, LEAST_GAIN, MOST_LAUNCHED = 0.05, 0.90, 0.05
CUSTOMERS, ROWS, ROWS_WITHOUT_EFFECT = 64_000, 20_000, 2_000
MAIL_COSTS = 0.09  # visits; of a mail that everybody gets, most of what it brings


def policy_arms(found: Study, truth: World) -> np.ndarray:
    """Of fresh people, what the policy gives them."""
    assert found.policy is not None
    return found.policy.effects(truth.features).argmax(axis=1)


def of_rows(whole: World, means: np.ndarray, rows: np.ndarray) -> World:
    return World(
        features=whole.features.iloc[rows].reset_index(drop=True), means=means[rows], chances=whole.chances[rows]
    )


def hillstrom_split(seed: int) -> tuple[bool, bool, float]:
    """Whether a policy is offered, whether it is worse, and its gain over the best blanket action in shares of that one's value."""
    rng = np.random.default_rng(seed)
    whole, others = hillstrom(CUSTOMERS, rng)
    what = ("visit", "visit less cost", "conversion", "spend")[seed % 4]
    cost = np.array([0.0, MAIL_COSTS, MAIL_COSTS]) if what == "visit less cost" else np.zeros(3)
    means = others.get(what, whole.means)
    rows = rng.permutation(CUSTOMERS)
    learned, truth = of_rows(whole, means, rows[: CUSTOMERS // 2]), of_rows(whole, means - cost, rows[CUSTOMERS // 2 :])
    arm = learned.drawn(rng)
    expected = learned.means[np.arange(len(arm)), arm]
    if what == "spend":
        bought = rng.random(len(arm)) < others["conversion"][rows[: CUSTOMERS // 2], arm]
        size = expected / others["conversion"][rows[: CUSTOMERS // 2], arm]
        reward = np.where(bought, size * rng.gamma(1.5, 1 / 1.5, len(arm)), 0.0)
    else:
        reward = (rng.random(len(arm)) < expected).astype(float)
    costs = {f"arm {place}": one for place, one in enumerate(cost) if one}
    found = study(learned.log(rng, reward, arm), reward=what, baseline="arm 0", cost=costs)
    if not found.is_offered:
        return False, False, 0.0
    blanket = float(truth.means.mean(axis=0).max())
    gain = truth.value(policy_arms(found, truth)) - blanket
    return True, gain < 0, gain / blanket


def share_of_oracle(kind: str, seed: int) -> float:
    rng = np.random.default_rng(seed)
    found = study(world(kind, ROWS, rng).noisy_log(rng), reward="reward")
    if not found.is_offered:
        return 0.0
    truth = world(kind, 50_000, rng)
    return (truth.value(policy_arms(found, truth)) - truth.means.mean(axis=0).max()) / truth.oracle_gain()


def is_launched(seed: int) -> bool:
    """Every other log has no effect, the others one that is the same for everybody; two thirds are of rewards of 0 and 1."""
    rng = np.random.default_rng(seed)
    even = even_world(ROWS_WITHOUT_EFFECT, rng, effects=(0.0, 0.0, 0.0) if seed % 2 else (0.0, 0.3, 0.25))
    if seed % 3 == 0:
        return study(even.noisy_log(rng), reward="reward").is_offered
    arm = even.drawn(rng)
    chance = 1 / (1 + np.exp(2.0 - 0.5 * even.means[:, 0])) + (0.0 if seed % 2 else 0.05) * (arm > 0)
    return study(even.log(rng, (rng.random(len(arm)) < chance).astype(float), arm), reward="reward").is_offered


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="uplift")
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--worlds", type=int, default=4, help="of each kind")
    parser.add_argument("--logs", type=int, default=2000)
    options = parser.parse_args(argv)
    splits = [hillstrom_split(seed) for seed in range(options.splits)]
    gains = {kind: [share_of_oracle(kind, seed) for seed in range(options.worlds)] for kind in KINDS}
    launched = [is_launched(seed) for seed in range(options.logs)]
    worse, launches = float(np.mean([worse for _, worse, _ in splits])), float(np.mean(launched))
    least = min(float(np.mean(of_kind)) for of_kind in gains.values())
    result = {
        "benchmark": "uplift",
        "splits": options.splits,
        "policy_offered": float(np.mean([offered for offered, _, _ in splits])),
        "worse_than_blanket": worse,
        "worse_than_blanket_limit": MOST_WORSE,
        "gain_over_blanket": round(float(np.mean([gain for _, _, gain in splits])), 4),
        "share_of_oracle_gain": {kind: round(float(np.mean(of_kind)), 3) for kind, of_kind in gains.items()},
        "share_of_oracle_gain_limit": LEAST_GAIN,
        "logs_without_effect": options.logs,
        "launched": launches,
        "launched_limit": MOST_LAUNCHED,
    }
    print(json.dumps(result | machine(load())))
    return int(worse > MOST_WORSE or least < LEAST_GAIN or launches > MOST_LAUNCHED)


if __name__ == "__main__":
    run(main)
