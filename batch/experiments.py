"""Experiments read out, from the lake or from a log of any kind.

    ./spark-submit.sh batch/experiments.py                     # running experiments: gold.experiment_results
    ./spark-submit.sh batch/experiments.py --log hillstrom.csv --arm segment --metric visit --metric spend

Ends with one JSON line; exit code 1 when the read-out of a log is blocked, because its arms are not as large as they
should be.
"""

import argparse
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakehouse.command_line import run
from lakehouse.config import load
from lakehouse.experiments.definitions import read_experiments
from lakehouse.experiments.log_file import baseline_of, expected_shares, read_log, units_of
from lakehouse.experiments.readout import ALPHA, Comparison, ReadOut, read_out
from lakehouse.experiments.results import LOG, results
from lakehouse.experiments.sample_ratio import BLOCKS, WARNS
from lakehouse.files import EXPERIMENTS
from lakehouse.lock import writer
from lakehouse.reachable import reachable
from lakehouse.tables import GOLD_EXPERIMENT_RESULTS, SILVER_DECISION_LOG


def of_log(options: argparse.Namespace) -> tuple[ReadOut, int]:
    """The read-out of a file, and how many of its rows named no arm or unit."""
    frame = read_log(options.log)
    covariates = [options.covariate] if options.covariate else []
    units, several, unnamed = units_of(
        frame, unit=options.unit, arm=options.arm, metrics=options.metric, covariates=covariates
    )
    arms = sorted(units["arm"].unique())
    found = read_out(
        units,
        options.metric,
        baseline=baseline_of(arms, options.baseline),
        shares=expected_shares(options.expected, arms),
        covariates={options.metric[0]: options.covariate} if options.covariate else None,
        excluded=several,
        alpha=options.alpha,
    )
    return found, unnamed


def of_lake() -> int:
    """Drain the decision log, set gold.experiment_results to what it says of every experiment, and print it."""
    from batch import decision_log  # here: a log of any kind is read without Spark
    from lakehouse.io import Lake
    from lakehouse.session import get_session

    config = reachable(load())
    with writer(config):
        lake = Lake(get_session(config, "experiments"), config)
        decision_log.drain(lake)
        logged = lake.read(SILVER_DECISION_LOG).where("kind <> 'decision'").select(*LOG).toPandas()
        now = datetime.now(UTC)
        rows = results(logged, read_experiments(EXPERIMENTS).by_name, as_of=now)
        lake.create(GOLD_EXPERIMENT_RESULTS)
        lake.overwrite(lake.spark.createDataFrame(rows_of(rows), GOLD_EXPERIMENT_RESULTS.ddl), GOLD_EXPERIMENT_RESULTS)
    for row in rows:
        print(" ".join(f"{name}={value}" for name, value in row.items() if value is not None))
    print(json.dumps({"command": "experiments", "rows": len(rows), "blocked": sum(row["is_blocked"] for row in rows)}))
    return 0


def rows_of(rows: Sequence[dict[str, Any]]) -> list[Any]:
    """In the order of the contract's columns."""
    return [tuple(row[name] for name in GOLD_EXPERIMENT_RESULTS.column_names) for row in rows]


def table(found: ReadOut) -> str:
    """The read-out for a person."""
    lines = [f"{'arm':<24}{'units':>10}  " + "  ".join(f"{metric:>14}" for metric in next(iter(found.arms.values())))]
    for arm, metrics in found.arms.items():
        lines.append(
            f"{arm:<24}{found.counts[arm]:>10}  " + "  ".join(f"{one.mean:>14.6g}" for one in metrics.values())
        )
    lines.append(f"sample ratio p = {found.srm_p:.4g}" + _judged(found.srm_p))
    if found.excluded:
        lines.append(f"left out: {found.excluded} units that were in more than one arm")
    if not found.is_blocked:
        lines += [_line(one, found.alpha) for one in found.comparisons]
    return "\n".join(lines)


def _judged(p: float) -> str:
    if p < BLOCKS:
        return f": below {BLOCKS}, assignment or logging is broken. Find out why; no comparison is worth reading"
    return f": below {WARNS}, look into it before believing anything" if p < WARNS else ""


def _line(one: Comparison, alpha: float) -> str:
    low, high = one.interval_sequential
    return (
        f"{one.metric}: {one.arm} against {one.baseline}: {one.difference:+.6g} ({one.relative:+.2%}), "
        f"p {one.p_fixed:.3g} (Holm {one.p_adjusted:.3g}), always valid p {one.p_sequential:.3g}, "
        f"{1 - alpha:.0%} always within [{low:.6g}, {high:.6g}], better with probability {one.probability_better:.4f}"
    )


def as_json(found: ReadOut, metrics: Sequence[str], unnamed: int) -> dict[str, Any]:
    """What the last line says. A blocked read-out has no comparisons, and says why."""
    first = metrics[0]
    facts: dict[str, Any] = {
        "command": "experiments",
        "srm_p": found.srm_p,
        "is_blocked": found.is_blocked,
        "baseline": found.baseline,
        "alpha": found.alpha,
        "excluded_units": found.excluded,
        "rows_without_arm_or_unit": unnamed,
        "arms": {
            arm: {"n": found.counts[arm], "mean": of[first].mean, "means": {name: one.mean for name, one in of.items()}}
            for arm, of in found.arms.items()
        },
    }
    if found.is_blocked:
        return facts | {"comparisons": [], "blocked_because": f"sample ratio p {found.srm_p:.3g} is below {BLOCKS}"}
    return facts | {"comparisons": [{**vars(one)} for one in found.comparisons]}


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="experiments", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="CSV or Parquet; without it the lake's own log is read"
    )
    parser.add_argument("--unit", metavar="COLUMN", help="who was assigned; without it every row is somebody else")
    parser.add_argument("--arm", metavar="COLUMN")
    parser.add_argument("--metric", action="append", default=[], metavar="COLUMN", help="may be given several times")
    parser.add_argument("--baseline", metavar="ARM", help="an arm called control or the like, else the first in order")
    parser.add_argument(
        "--expected", nargs="+", default=[], metavar="ARM=SHARE", help="intended shares; even unless given"
    )
    parser.add_argument("--covariate", metavar="COLUMN", help="the first metric before the experiment (CUPED)")
    parser.add_argument("--alpha", type=float, default=ALPHA)
    options = parser.parse_args(argv)
    if options.log is not None and (options.arm is None or not options.metric):
        parser.error("--log needs --arm and at least one --metric")
    if not 0 < options.alpha < 1:
        parser.error(f"--alpha: got {options.alpha}, expected a share between 0 and 1")
    return options


def main(argv: list[str]) -> int:
    options = arguments(argv)
    if options.log is None:
        return of_lake()
    found, unnamed = of_log(options)
    print(table(found))
    print(json.dumps(_finite(as_json(found, options.metric, unnamed))))
    return 1 if found.is_blocked else 0


def _finite(value: Any) -> Any:
    """JSON has no nan: what is not known is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    run(main)
