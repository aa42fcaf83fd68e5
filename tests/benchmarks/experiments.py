"""What the statistics claim, measured on simulated experiments whose truth is known.

    ./spark-submit.sh tests/benchmarks/experiments.py [--runs 2000]

False positives of A/A tests that are looked at a hundred times; coverage of intervals; power; a 48/52 split; off-policy
estimates against the truth of a simulator.
"""

import argparse
import json

import numpy as np

from lakehouse.config import load
from lakehouse.experiments.fixed import fixed
from lakehouse.experiments.sample_ratio import BLOCKS, sample_ratio_p
from lakehouse.experiments.sample_statistics import moments
from lakehouse.experiments.sequential import sequential
from lakehouse.job import run
from tests.benchmarks.machine import machine
from tests.lakehouse.experiments.simulation import ALPHA, false_positives, interval_coverage
from tests.lakehouse.experiments.test_off_policy import simulated


def power(runs: int, units: int, seed: int) -> tuple[float, float]:
    """Share of experiments with rates of 10 and 11.5 % that are found: fixed, always valid."""
    rng = np.random.default_rng(seed)
    found = np.zeros(2)
    for _ in range(runs):
        arm, baseline = (moments((rng.random(units) < share).astype(float)) for share in (0.115, 0.10))
        found += (fixed(arm, baseline, alpha=ALPHA).p < ALPHA, sequential(arm, baseline, alpha=ALPHA).p < ALPHA)
    return float(found[0] / runs), float(found[1] / runs)


def off_policy(runs: int, seed: int) -> dict[str, float]:
    """Share of intervals that hold the truth."""
    rng, target = np.random.default_rng(seed), np.array([0.1, 0.2, 0.3, 0.4])
    held = dict.fromkeys(("ipw", "snipw", "dr"), 0)
    for _ in range(runs):
        found, truth = simulated(rng, target)
        for name in held:
            low, high = getattr(found, name).interval
            held[name] += low <= truth <= high
    return {name: round(count / runs, 3) for name, count in held.items()}


def blocked(runs: int, seed: int) -> float:
    """Share of experiments of 20,000 units split 48 to 52 that are blocked."""
    splits = np.random.default_rng(seed).binomial(20_000, 0.48, runs)
    even = {"a": 1.0, "b": 1.0}
    return float(np.mean([sample_ratio_p({"a": int(n), "b": 20_000 - int(n)}, even) < BLOCKS for n in splits]))


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="experiments")
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args(argv).runs
    at_once, always = false_positives(experiments=runs, looks=100, units=20_000, seed=1)
    found_fixed, found_always = power(min(runs, 500), 10_000, 2)
    result = {
        "benchmark": "experiments",
        "runs": runs,
        "false_positives_fixed_100_looks": at_once,
        "false_positives_sequential_100_looks": always,
        "coverage_proportion": interval_coverage("proportion", experiments=5 * runs, units=2000, seed=3),
        "coverage_skewed": interval_coverage("skewed", experiments=2 * runs, units=2000, seed=4),
        "power_fixed": found_fixed,
        "power_sequential": found_always,
        "blocked_48_52": blocked(runs, 5),
        "off_policy_coverage": off_policy(runs, 6),
    }
    print(json.dumps(result | machine(load())))


if __name__ == "__main__":
    run(main)
