"""Experiments read out, from the lake or from a log of any kind.

    ./spark-submit.sh batch/experiments.py                     # running experiments: gold.experiment_results
    ./spark-submit.sh batch/experiments.py --log hillstrom.csv --arm segment --metric visit --metric spend

What a policy nobody has run would have earned, from decisions logged with their propensities: of a file, whose column
--policy has the new policy's probability of the logged action; or of the lake, for the policy uniform or best_arm:

    ./spark-submit.sh batch/experiments.py --off-policy log.csv --action item --reward click --propensity p --policy p_new
    ./spark-submit.sh batch/experiments.py --off-policy --policy best_arm --reward converted

Ends with one JSON line; exit code 1 when the read-out of a log is blocked, because its arms are not as large as they
should be, or an estimate is refused, because too few decisions carry it.
"""

import argparse
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakehouse.config import load
from lakehouse.config.paths import EXPERIMENTS
from lakehouse.experiments import off_policy_report, readout_report
from lakehouse.experiments.definitions import read_experiments
from lakehouse.experiments.log_file import baseline_of, expected_shares, read_log, units_of
from lakehouse.experiments.new_policies import NEW_POLICIES, decisions_under
from lakehouse.experiments.policy_log import decisions_of
from lakehouse.experiments.readout import ALPHA, ReadOut, read_out
from lakehouse.experiments.result_rows import GOLD_EXPERIMENT_RESULTS
from lakehouse.job import json_line, run


def of_log(options: argparse.Namespace) -> tuple[ReadOut, int]:
    """The read-out of a file, and how many of its rows named no arm or unit."""
    frame = read_log(options.log, names=[name for name in (options.unit, options.arm) if name])
    covariates = [options.covariate] if options.covariate else []
    declared = expected_shares(options.expected) or {}
    units, several, unnamed = units_of(
        frame, unit=options.unit, arm=options.arm, metrics=options.metric, covariates=covariates, declared=[*declared]
    )
    arms = sorted({*units["arm"].unique(), *declared})
    found = read_out(
        units,
        options.metric,
        baseline=baseline_of(arms, options.baseline),
        shares=expected_shares(options.expected, arms),
        covariates={options.metric[0]: covariates},
        excluded=several,
        broken=0 if options.leave_out_crossovers else several,
        alpha=options.alpha,
    )
    return found, unnamed


def of_lake() -> int:
    """Set gold.experiment_results to what the decision log and the tables say of every experiment, and print it."""
    from lakehouse.experiments.lake_readout import results_of  # here: a log of any kind is read without Spark
    from lakehouse.experiments.metric_sources import check_metrics
    from lakehouse.queries.decision_log import drained

    experiments = read_experiments(EXPERIMENTS)
    check_metrics(experiments.metrics.values())
    with drained(load(), "experiments") as lake:
        rows = results_of(lake, experiments, as_of=datetime.now(UTC))
        lake.create(GOLD_EXPERIMENT_RESULTS)
        lake.overwrite(lake.spark.createDataFrame(rows_of(rows), GOLD_EXPERIMENT_RESULTS.ddl), GOLD_EXPERIMENT_RESULTS)
    for row in rows:
        print(" ".join(f"{name}={value}" for name, value in row.items() if value is not None))
    print(json_line({"command": "experiments", "rows": len(rows), "blocked": sum(row["is_blocked"] for row in rows)}))
    return 0


def off_policy(options: argparse.Namespace) -> int:
    """Print the evaluation; 1 where it is refused."""
    left_out: Mapping[str, int] = {}
    if options.off_policy:
        decisions = decisions_of(
            read_log(Path(options.off_policy), names=[options.action]),
            action=options.action,
            reward=options.reward,
            propensity=options.propensity,
            policy=options.policy,
            values=options.value,
        )
    else:
        from lakehouse.experiments.lake_readout import decisions_by_person  # here: a file is read without Spark
        from lakehouse.queries.decision_log import drained

        with drained(load(), "experiments") as lake:
            days = lake.config.serving.exposure_days
            log = decisions_by_person(lake.read).toPandas()
        decisions, left_out = decisions_under(log, options.policy, metric=options.reward, window_days=days)
    found = decisions.evaluated(options.alpha)
    print(off_policy_report.table(decisions, found, left_out))
    print(json_line(off_policy_report.as_json(decisions, found, left_out, options.alpha)))
    return 1 if found.refused is not None else 0


def rows_of(rows: Sequence[dict[str, Any]]) -> list[Any]:
    """In the order of the contract's columns."""
    return [tuple(row[name] for name in GOLD_EXPERIMENT_RESULTS.column_names) for row in rows]


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
        "--expected",
        nargs="+",
        action="extend",
        default=[],
        metavar="ARM=SHARE",
        help="intended shares; even unless given",
    )
    parser.add_argument("--covariate", metavar="COLUMN", help="the first metric before the experiment (CUPED)")
    parser.add_argument(
        "--leave-out-crossovers",
        action="store_true",
        help="units in more than one arm do not block; they are in neither's figures",
    )
    parser.add_argument("--alpha", type=float, default=ALPHA)
    _off_policy_arguments(parser.add_argument_group("off-policy evaluation"))
    options = parser.parse_args(argv)
    _refuse_incomplete(parser, options)
    return options


def _off_policy_arguments(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--off-policy",
        nargs="?",
        const="",
        metavar="FILE",
        help="CSV or Parquet, a row per decision; or the lake's log",
    )
    group.add_argument("--action", metavar="COLUMN", help="what was chosen")
    group.add_argument("--reward", metavar="COLUMN", help="what came of it; of the lake's log: an outcome's metric")
    group.add_argument("--propensity", metavar="COLUMN", help="probability with which it was chosen")
    group.add_argument(
        "--policy",
        metavar="COLUMN",
        help=f"the new policy's probability of it; of the lake's log: {' or '.join(NEW_POLICIES)}",
    )
    group.add_argument(
        "--value", nargs="+", action="extend", default=[], metavar="COLUMN",
        help="two, for the doubly robust estimate: a model's reward of what was chosen, and of what the new policy does",
    )  # fmt: skip


def _refuse_incomplete(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.off_policy is not None:
        needed = ("action", "reward", "propensity", "policy") if options.off_policy else ("reward", "policy")
        missing = [f"--{name}" for name in needed if getattr(options, name) is None]
        if missing or options.log is not None:
            parser.error(
                f"--off-policy needs {', '.join(missing)}" if missing else "--off-policy and --log are two questions"
            )
    if options.log is not None and (options.arm is None or not options.metric):
        parser.error("--log needs --arm and at least one --metric")
    if not 0 < options.alpha < 1:
        parser.error(f"--alpha: got {options.alpha}, expected a share between 0 and 1")


def main(argv: list[str]) -> int:
    options = arguments(argv)
    if options.off_policy is not None:
        return off_policy(options)
    if options.log is None:
        return of_lake()
    found, unnamed = of_log(options)
    print(readout_report.table(found))
    print(json_line(readout_report.as_json(found, options.metric, unnamed)))
    return 1 if found.is_blocked else 0


if __name__ == "__main__":
    run(main)
