"""Whether drift is found where it is, and not where it is not: nannyml's synthetic car loans, whose second half of "analysis" has drifted.

    ./spark-submit.sh tests/benchmarks/drift.py [--draws 1000]

flagged        of the 50,000 loans of the reference against the last 25,000: car_value and loan_length drifted, debt_to_income_ratio and driver_tenure did
               not. What follows from these two has drifted with them, and is told: the salary range and whether an earlier loan was repaid among them.
false alarms   over so many draws of 4,000 loans of the reference, cut in two by chance: the share with any alarm among all columns together, by
               chance alone (what the rate promises), and with an effect that matters asked for as well (what ops.drift tells).

Synthetic data with known truth. Exit code 1 where one of the four is wrong, or alarms are more frequent than the rate and its sampling error of two
standard deviations.
"""

import argparse
import io
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lakehouse.config import load
from lakehouse.demo.datasets.packages import read_from_wheel
from lakehouse.drift.bins import binned
from lakehouse.drift.shift import shift
from lakehouse.drift.verdicts import Look, verdicts
from lakehouse.job import run
from tests.benchmarks.machine import machine

REQUIREMENT, FOLDER = "nannyml==0.13.1", "nannyml/datasets/data"
COLUMNS = (
    "car_value",
    "loan_length",
    "debt_to_income_ratio",
    "driver_tenure",
    "salary_range",
    "repaid_loan_on_prev_car",
    "size_of_downpayment",
    "y_pred_proba",
)
DRIFTED, STABLE = ("car_value", "loan_length"), ("debt_to_income_ratio", "driver_tenure")
DRIFTS_FROM = 25_000
DRAWN, PERMUTATIONS = 2_000, 1_000


def loans(part: str) -> pd.DataFrame:
    rows = pd.read_csv(io.BytesIO(read_from_wheel(REQUIREMENT, f"{FOLDER}/synthetic_car_loan_{part}.csv")))
    if len(rows) != 50_000:
        raise SystemExit(
            f"{REQUIREMENT}: got {len(rows)} loans, expected 50,000. Delete the cached wheel and run again"
        )
    return rows


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="drift")
    parser.add_argument("--draws", type=int, default=1000)
    options = parser.parse_args(argv)
    settings = load().drift
    random = np.random.default_rng(settings.seed)
    reference, now = loans("reference"), loans("analysis").iloc[DRIFTS_FROM:]

    def looked(
        old: pd.DataFrame, new: pd.DataFrame, permutations: int
    ) -> list[tuple[float, float | None, float, float]]:
        """Of each column: psi, ks, p, effect over what matters."""
        found = []
        for name in COLUMNS:
            one = shift(binned(old[name], new[name]), random, permutations)
            found.append((one.psi, one.ks, one.p, max(one.psi / settings.min_psi, (one.ks or 0.0) / settings.min_ks)))
        return found

    def alarms(looks: list[tuple[float, float | None, float, float]], *, with_effect: bool = True) -> list[bool]:
        judged = verdicts(
            [Look(effect_over=over if with_effect else 1.0, p=p) for _, _, p, over in looks], settings.false_alarm_rate
        )
        return [bool(one.is_drifted) for one in judged]

    looks = looked(reference, now, 2_000)
    flagged = dict(zip(COLUMNS, alarms(looks), strict=True))
    for name, (psi, ks, p, _) in zip(COLUMNS, looks, strict=True):
        print(
            f"{name:<24} psi {psi:8.4f}  ks {'-' if ks is None else f'{ks:.4f}':>6}  p {p:.4f}  {'DRIFTED' if flagged[name] else 'as before'}"
        )

    by_chance = told = 0
    for _ in range(options.draws):
        rows = random.permutation(len(reference))[: 2 * DRAWN]
        halves = looked(reference.iloc[rows[:DRAWN]], reference.iloc[rows[DRAWN:]], PERMUTATIONS)
        by_chance += any(alarms(halves, with_effect=False))
        told += any(alarms(halves))
    rate, limit = by_chance / options.draws, settings.false_alarm_rate
    limit += 2 * np.sqrt(limit * (1 - limit) / options.draws)
    print(
        f"draws without drift: {options.draws:,}; any alarm by chance alone in {rate:.3f} (rate {settings.false_alarm_rate}), told in {told / options.draws:.3f}"
    )
    result = {
        "benchmark": "drift",
        "flagged": flagged,
        "psi": {name: round(one[0], 4) for name, one in zip(COLUMNS, looks, strict=True)},
        "draws": options.draws,
        "stated_rate": settings.false_alarm_rate,
        "false_alarms_by_chance": rate,
        "false_alarms_told": told / options.draws,
        "limit": round(float(limit), 4),
    }
    print(json.dumps(result | machine(load())))
    is_right = all(flagged[name] for name in DRIFTED) and not any(flagged[name] for name in STABLE)
    return int(not (is_right and rate <= limit and told / options.draws <= limit))


if __name__ == "__main__":
    run(main)
