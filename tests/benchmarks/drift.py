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

from lakehouse.config import DriftConfig, load
from lakehouse.demo.datasets.packages import read_from_wheel
from lakehouse.drift.bins import binned
from lakehouse.drift.shift import Shift, shift
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


class Watch:
    """Looks at all columns, by the settings in force."""

    def __init__(self, settings: DriftConfig) -> None:
        self._settings = settings
        self.random = np.random.default_rng(settings.seed)

    def shifts(self, old: pd.DataFrame, new: pd.DataFrame, permutations: int) -> list[Shift]:
        return [shift(binned(old[name], new[name]), self.random, permutations) for name in COLUMNS]

    def alarms(self, shifts: Sequence[Shift], *, with_effect: bool = True) -> list[bool]:
        """By chance alone, or with an effect that matters asked for as well."""
        limits = self._settings
        over = [max(one.psi / limits.min_psi, (one.ks or 0.0) / limits.min_ks) for one in shifts]
        looks = [Look(effect_over=o if with_effect else 1.0, p=one.p) for o, one in zip(over, shifts, strict=True)]
        return [bool(one.is_drifted) for one in verdicts(looks, limits.false_alarm_rate)]


def false_alarms(watch: Watch, reference: pd.DataFrame, draws: int) -> tuple[float, float]:
    """Share of the draws with any alarm, by chance alone and as it is told."""
    by_chance = told = 0
    for _ in range(draws):
        rows = watch.random.permutation(len(reference))[: 2 * DRAWN]
        halves = watch.shifts(reference.iloc[rows[:DRAWN]], reference.iloc[rows[DRAWN:]], PERMUTATIONS)
        by_chance += any(watch.alarms(halves, with_effect=False))
        told += any(watch.alarms(halves))
    return by_chance / draws, told / draws


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="drift")
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args(argv).draws
    settings = load().drift
    watch, reference, now = Watch(settings), loans("reference"), loans("analysis").iloc[DRIFTS_FROM:]
    shifts = dict(zip(COLUMNS, watch.shifts(reference, now, 2_000), strict=True))
    flagged = dict(zip(COLUMNS, watch.alarms(list(shifts.values())), strict=True))
    for name, one in shifts.items():
        ks = "-" if one.ks is None else f"{one.ks:.4f}"
        print(
            f"{name:<24} psi {one.psi:8.4f}  ks {ks:>6}  p {one.p:.4f}  {'DRIFTED' if flagged[name] else 'as before'}"
        )
    rate = settings.false_alarm_rate
    by_chance, told = false_alarms(watch, reference, draws)
    limit = float(rate + 2 * np.sqrt(rate * (1 - rate) / draws))
    print(
        f"draws without drift: {draws:,}; any alarm by chance alone in {by_chance:.3f} (rate {rate}), told in {told:.3f}"
    )
    result = {
        "benchmark": "drift",
        "flagged": flagged,
        "psi": {name: round(one.psi, 4) for name, one in shifts.items()},
        "draws": draws,
        "stated_rate": rate,
        "false_alarms_by_chance": by_chance,
        "false_alarms_told": told,
        "limit": round(limit, 4),
    }
    print(json.dumps(result | machine(load())))
    is_right = all(flagged[name] for name in DRIFTED) and not any(flagged[name] for name in STABLE)
    return int(not (is_right and max(by_chance, told) <= limit))


if __name__ == "__main__":
    run(main)
