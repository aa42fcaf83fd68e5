"""Whom to give what: effects per person from an experiment's log, and a policy where one is shown to be better than any blanket action.

    ./spark-submit.sh ml/train_uplift.py --log hillstrom.csv --arm segment --reward visit --feature recency history mens channel
    ./spark-submit.sh ml/train_uplift.py --experiment welcome_mail --reward converted   # one of conf/experiments.yaml, over the lake
    ./spark-submit.sh ml/train_uplift.py --reward converted                             # what the service chose by chance, over the lake

--assign FILE writes what a policy that is offered gives to the rows of another file, else the best blanket action, and each arm's
effect over the baseline. A study of the lake is registered (a file's with --name), and champion only where the policy is offered. The
champion of uplift_decisions, of what the service chose by chance, is what gold.scores and the decision service ask.

Ends with one JSON line; exit code 1 when the log is refused, because the propensities cannot be those its arms were chosen by.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lakehouse.config import load
from lakehouse.config.paths import EXPERIMENTS
from lakehouse.errors import SourceError
from lakehouse.experiments.definitions import read_experiments
from lakehouse.experiments.log_file import baseline_of, by_arm, read_log
from lakehouse.experiments.readout import ALPHA
from lakehouse.job import json_line, run
from lakehouse.profiles.declared_scores import TARGETED_OFFER
from lakehouse.targeting.columns import has_columns, names_of
from lakehouse.uplift import report
from lakehouse.uplift.experiment_log import ExperimentLog, log_of
from lakehouse.uplift.study import Study, study

_MODELS = "uplift_"  # under other names the registry has other models


def main(argv: Sequence[str]) -> int:
    options = arguments(argv)
    if options.log is not None:
        log = of_file(options)
        result = studied(log, options, baseline_of(arms_of(log), options.baseline))
        version = register(result, options.name, {}) if options.name else None
    else:
        result, version = of_lake(options)
    if options.assign is not None and result.refused is None:
        assign(result, options.assign, options.to, options.unit)
    print(report.table(result))
    if version is not None:
        print(version)
    print(json_line(report.as_json(result)))
    return 1 if result.refused is not None else 0


def of_file(options: argparse.Namespace) -> ExperimentLog:
    names = [name for name in (options.unit, options.arm) if name]
    return log_of(
        read_log(options.log, names=names),
        arm=options.arm,
        reward=options.reward,
        features=options.feature,
        unit=options.unit,
        propensity=options.propensity,
        shares=options.expected,
        categories=options.category,
    )


def studied(log: ExperimentLog, options: argparse.Namespace, baseline: str) -> Study:
    cost = by_arm("--cost", options.cost, "ARM=COST such as mail=0.02, in the unit of the reward")
    return study(log, reward=options.reward, baseline=baseline, cost=cost, alpha=options.alpha)


def arms_of(log: ExperimentLog) -> list[str]:
    return sorted({str(arm) for arm in log.arm})


def of_lake(options: argparse.Namespace) -> tuple[Study, str | None]:
    """The study of the lake's own log, and where it stands in the registry."""
    from lakehouse.queries.decision_log import drained  # here: a log of any kind is read without Spark
    from lakehouse.training.uplift import log_of_decisions, log_of_experiment

    experiments = read_experiments(EXPERIMENTS).read_out
    if options.experiment is not None and options.experiment not in experiments:
        names = ", ".join(experiments) or "none"
        raise SourceError(
            f"--experiment: no experiment '{options.experiment}' in {EXPERIMENTS.name}, there are: {names}"
        )
    declared = None
    with drained(load(), "train_uplift") as lake:
        if options.experiment is None:
            log, snapshot = log_of_decisions(lake, options.reward)
        else:
            declared = experiments[options.experiment].baseline
            log, snapshot = log_of_experiment(lake, experiments[options.experiment], options.reward)
    arms = arms_of(log)
    asked = options.baseline or (declared if declared in arms else None)
    result = studied(log, options, baseline_of(arms, asked))
    return result, register(result, model_name(options), snapshot)


def model_name(options: argparse.Namespace) -> str:
    """Of a study of the lake, in the registry."""
    if options.name:
        return str(options.name)
    return f"{_MODELS}{options.experiment}" if options.experiment else TARGETED_OFFER.model


def register(result: Study, name: str, snapshot: Mapping[str, int]) -> str | None:
    """Its place in the registry, in words; None where there is no policy to register."""
    from lakehouse.training.uplift import publish_policy

    if result.policy is None:
        return None
    version = publish_policy(load(), result, name, snapshot)
    place = "is champion" if result.is_offered else "is registered, and not champion, for it is not shown to be better"
    return f"model {name} {version} {place}"


def assign(result: Study, path: Path, to: Path, unit: str | None) -> None:
    """Write unit, arm and effect_<arm> (over the baseline, cost taken off) of every row of `path`, as CSV.

    Raises:
        SourceError: the file cannot be read or lacks a feature, or no arm could be judged.
    """
    if not result.best:
        raise SourceError(f"--assign: nothing to give, {result.verdict}")
    frame = read_log(path, names=[unit] if unit else [])
    has_columns(frame, [unit] if unit else [])
    columns: dict[str, Any] = {"unit": names_of(frame[unit]) if unit else range(len(frame))}
    if result.policy is None or not result.is_offered:
        columns["arm"] = result.best
    else:
        columns["arm"] = result.policy.choose(frame)
    if result.policy is not None:
        effects = result.policy.effects(frame)
        start = effects[:, result.policy.arms.index(result.baseline)]
        columns |= {f"effect_{arm}": effects[:, place] - start for place, arm in enumerate(result.policy.arms)}
    pd.DataFrame(columns).to_csv(to, index=False)


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="train_uplift", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--experiment", metavar="NAME", help="of the lake's log; without it what the service chose by chance")
    add("--reward", required=True, metavar="COLUMN", help="more is better; of the lake's log: an outcome's metric")
    add(
        "--cost", nargs="+", action="extend", default=[], metavar="ARM=COST",
        help="of doing it once, in the unit of the reward",
    )  # fmt: skip
    add(
        "--baseline",
        metavar="ARM",
        help="where the curve starts; an arm called control or the like, else the first in order",
    )
    add("--alpha", type=float, default=ALPHA)
    add(
        "--name",
        metavar="MODEL",
        help="in the registry; of the lake's log uplift_<experiment>, or uplift_decisions, unless given",
    )
    _file_arguments(parser.add_argument_group("a file in place of the lake's own log"))
    options = parser.parse_args(argv)
    _refuse_incomplete(parser, options)
    return options


def _file_arguments(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("--log", type=Path, metavar="FILE", help="CSV or Parquet, a row per decision")
    add("--arm", metavar="COLUMN", help="what was done")
    add("--feature", nargs="+", action="extend", default=[], metavar="COLUMN", help="known before it was done")
    add(
        "--category", nargs="+", action="extend", default=[], metavar="COLUMN",
        help="features that are no numbers though they look so",
    )  # fmt: skip
    add("--unit", metavar="COLUMN", help="the person; without it every row is somebody else")
    add(
        "--propensity",
        metavar="COLUMN",
        help="probability with which the row's arm was chosen; without it an arm's share of all rows",
    )
    add(
        "--expected", nargs="+", action="extend", default=[], metavar="ARM=SHARE",
        help="shares the arms were meant to have, for all rows",
    )  # fmt: skip
    add("--assign", type=Path, metavar="FILE", help="people to give an arm to, with the same features")
    add("--to", type=Path, metavar="FILE", help="CSV that --assign writes")


def _refuse_incomplete(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    of_file = {
        "--arm": options.arm, "--feature": options.feature, "--category": options.category, "--unit": options.unit,
        "--propensity": options.propensity, "--expected": options.expected, "--assign": options.assign,
    }  # fmt: skip
    given = [flag for flag, value in of_file.items() if value]
    if options.log is None and given:
        parser.error(f"{given[0]} is of a file, expected --log")
    if options.log is not None and (options.arm is None or not options.feature):
        parser.error("--log needs --arm and at least one --feature")
    if options.log is not None and options.experiment is not None:
        parser.error("--experiment is of the lake's log, --log of a file: two questions")
    if (options.assign is None) != (options.to is None):
        parser.error("--assign and --to are given together")
    if options.propensity and options.expected:
        parser.error("--propensity and --expected both say with which chance an arm was chosen: give one")
    strange = [name for name in options.category if name not in options.feature]
    if strange:
        parser.error(f"--category: '{strange[0]}' is no --feature")
    if options.name and not options.name.startswith(_MODELS):
        parser.error(
            f"--name: got {options.name}, expected {_MODELS}...: under other names the registry has other models"
        )
    registered = model_name(options) if options.log is None else options.name
    if (options.log or options.experiment) and registered == TARGETED_OFFER.model:
        parser.error(
            f"--name: got {TARGETED_OFFER.model}, which gives people offers, expected another name. It is learned from what the service "
            "chose by chance, without --log and --experiment"
        )
    if not 0 < options.alpha < 1:
        parser.error(f"--alpha: got {options.alpha}, expected a share between 0 and 1")


if __name__ == "__main__":
    run(main)
