"""What the reasons of a score cost and how exact they are: Shapley values beside one feature at a time, which was before, of every kind of model.

    ./spark-submit.sh tests/benchmarks/reasons.py [--rows 1000]

Drawn rows of all FEATURES, models fitted on others. Of each kind: microseconds of CPU a profile for either way, the quickest of five; how far the values are
from those over 25 times the orders (0 where they are exact), as the mean and as the 95th percentile of the farthest feature of a row; the share of profiles that would be told other
features or another order of them by one feature at a time. Exit code 1 where a profile costs more than MOST_MICROSECONDS, or values do not add up to 1e-9.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence

import numpy as np

from lakehouse.config import load
from lakehouse.features.point_in_time import FEATURES
from lakehouse.job import run
from lakehouse.models import shapley
from lakehouse.models.candidates import SETTINGS, fit
from lakehouse.models.evaluation import Array
from lakehouse.models.reasons import reasons
from lakehouse.models.score_model import EVERYBODY, ScoreModel
from tests.benchmarks.machine import machine
from tests.lakehouse.models.test_score_model import drawn

MOST_MICROSECONDS = 1_000
MORE_ORDERS = 25
TIMES = 5


def one_at_a_time(told: ScoreModel, rows: Array) -> Array:
    """As it was before: the log-odds less what they would be with this one feature as usual."""
    of_all, found = told.scaled(rows), np.zeros_like(rows)
    for place, name in enumerate(FEATURES):
        changed = rows.copy()
        changed[:, place] = told.usual[name]
        found[:, place] = of_all - told.scaled(changed)
    return found


def microseconds(explained: Callable[[], Array], rows: int) -> float:
    times = []
    for _ in range(TIMES):
        began = time.process_time()
        explained()
        times.append(time.process_time() - began)
    return round(1e6 * min(times) / rows, 1)


def figures(told: ScoreModel, rows: Array) -> dict[str, float]:
    found, before = told.contributions(rows), one_at_a_time(told, rows)
    usual = np.array([[told.usual[name] for name in FEATURES]])
    off = np.abs(found - told.contributions(rows, more_orders=MORE_ORDERS))
    said, said_before = reasons(found, rows), reasons(before, rows)
    return {
        "microseconds": microseconds(lambda: told.contributions(rows), len(rows)),
        "microseconds_one_at_a_time": microseconds(lambda: one_at_a_time(told, rows), len(rows)),
        "off_mean": round(float(off.mean()), 5),
        "off_farthest": round(float(np.quantile(off.max(axis=1), 0.95)), 5),
        "off_sum": float(np.abs(found.sum(axis=1) - (told.scaled(rows) - told.scaled(usual)[0])).max()),
        "off_sum_one_at_a_time": round(
            float(np.abs(before.sum(axis=1) - (told.scaled(rows) - told.scaled(usual)[0])).mean()), 3
        ),
        "told_otherwise": round(float(np.mean([a != b for a, b in zip(said, said_before, strict=True)])), 3),
    }


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="reasons")
    parser.add_argument("--rows", type=int, default=1000)
    count = parser.parse_args(argv).rows
    (rows, label), (asked, _) = drawn(1, count=4000), drawn(2, count=count)
    found = {}
    for kind, setting in {one.kind: one for one in SETTINGS}.items():
        found[kind] = figures(fit(setting, rows, label, horizon_days=30, among=EVERYBODY, seed=3), asked)
        print(kind, found[kind], flush=True)
    print(json.dumps({"benchmark": "reasons", "rows": count, "pairs": shapley.PAIRS, **found, **machine(load())}))
    is_met = all(one["microseconds"] <= MOST_MICROSECONDS and one["off_sum"] <= 1e-9 for one in found.values())
    return int(not is_met)


if __name__ == "__main__":
    run(main)
