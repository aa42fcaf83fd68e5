"""Experiments planned, from what the lake knows of the past.

./spark-submit.sh experiments plan --metric revenue [--metric ...]     what an experiment on everybody who comes could find
./spark-submit.sh experiments plan --experiment explore_offers         one of conf/experiments.yaml, with its arms and its buckets
./spark-submit.sh experiments plan --metric orders --effect 0.05       and how many people a change by 5 % needs

Ends with one JSON line. People a day are those who came in the --days that are looked at: somebody who is offered nothing
before the basket is exposed later, or never.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from lakehouse.config import load
from lakehouse.config.limits import BUCKETS
from lakehouse.config.paths import EXPERIMENTS
from lakehouse.errors import StitchlakeError
from lakehouse.experiments.definitions import Experiments, read_experiments
from lakehouse.experiments.lake_history import MetricHistory, histories
from lakehouse.experiments.metric_sources import check_metrics
from lakehouse.experiments.metrics import Judged
from lakehouse.experiments.power import Design, detectable, people_needed
from lakehouse.job import run

_HORIZONS = (7, 14, 28, 56)  # days
_LOOKS = {"once": False, "any_time": True}  # whether one may look at any time


def main(argv: list[str]) -> None:
    options = _arguments(argv)
    experiments = read_experiments(EXPERIMENTS)
    check_metrics(experiments.metrics.values())
    judged, design, share = _asked(options, experiments)
    from lakehouse.lake.delta import Lake  # here: what is asked for is checked before Spark starts
    from lakehouse.spark.session import get_session

    config = load()
    found = histories(Lake(get_session(config, "experiments plan"), config), judged, experiments, days=options.days)
    facts = [_facts(history, design, share, options.effect) for history in found]
    print("\n".join(line for fact in facts for line in _lines(fact)))
    print(json.dumps({"command": "experiments plan", **vars(design), "metrics": facts}))


def _asked(options: argparse.Namespace, experiments: Experiments) -> tuple[Judged, Design, float]:
    """What is measured, how it is judged, and the share of everybody that is in it."""
    if options.experiment is not None:
        one = experiments.read_out.get(options.experiment)
        if one is None:
            known = ", ".join(experiments.read_out) or "none"
            raise StitchlakeError(
                f"--experiment: got {options.experiment}, expected one of conf/experiments.yaml: {known}"
            )
        judged: Judged = one
        arms, share, primary = len(one.arms), (one.buckets[1] - one.buckets[0]) / BUCKETS, len(one.deciding)
    else:
        judged = Judged(metrics=tuple(options.metric), window_days=options.window_days)
        arms, share, primary = options.arms, 1.0, len(options.metric)
    posted = [
        name for name in judged.asked if any(part not in experiments.metrics for part in _parts(name, experiments))
    ]
    if posted and options.experiment is None:
        known = ", ".join(experiments.metrics) or "none"
        raise StitchlakeError(
            f"--metric: got {', '.join(posted)}, expected declared metrics of conf/experiments.yaml: {known}"
        )
    planned = tuple(name for name in judged.asked if name not in posted)
    if not planned:
        raise StitchlakeError(
            f"{options.experiment}: got only posted outcomes, {', '.join(posted)}, which have no history. Declare a metric"
        )
    if posted:
        print(f"left out: {', '.join(posted)}: posted outcomes, of which the tables hold no history")
    judged = judged.model_copy(update={"metrics": planned, "primary": (), "guardrails": {}})
    return judged, Design(arms=arms, primary=primary, alpha=options.alpha, power=options.power), share * options.share


def _parts(name: str, experiments: Experiments) -> tuple[str, ...]:
    return experiments.metrics[name].parts if name in experiments.metrics else (name,)


def _facts(history: MetricHistory, design: Design, share: float, effect: float | None) -> dict[str, Any]:
    """Differences in the metric's unit; null = not known, as of a quantile of too few rows."""
    a_day, left = history.people / history.days * share / design.arms, history.variance_left
    is_known = left > 0  # nan is not
    wanted = None if effect is None or not is_known or not history.value else effect * abs(history.value)
    people = (
        {}
        if wanted is None
        else {name: people_needed(design, left, wanted, always_valid=sure) for name, sure in _LOOKS.items()}
    )
    return {
        "metric": history.metric,
        "value": history.value if math.isfinite(history.value) else None,
        "people_a_day_per_arm": a_day,
        "explained": 1 - left / history.variance if is_known else None,
        "detectable": {
            days: {name: detectable(design, left, a_day * days, always_valid=sure) for name, sure in _LOOKS.items()}
            for days in (_HORIZONS if is_known else ())
        },
        "effect": wanted,
        "people_per_arm": people,
        "days": {name: math.ceil(n / a_day) for name, n in people.items()},
    }


def _lines(facts: Mapping[str, Any]) -> list[str]:
    """For a person."""
    if facts["explained"] is None:
        return [f"{facts['metric']}: too little varied to plan with"]
    value = facts["value"]
    lines = [
        f"{facts['metric']}: {value:.6g}, {facts['people_a_day_per_arm']:.1f} people a day and arm, "
        f"{facts['explained']:.0%} of the noise explained by what they did before"
    ]
    for days, found in facts["detectable"].items():
        shown = ", ".join(
            f"{name} {one:.4g}{f' ({one / abs(value):.1%})' if value else ''}" for name, one in found.items()
        )
        lines.append(f"    people of {days:>2} days: a difference of {shown}")
    for name, people in facts["people_per_arm"].items():
        lines.append(
            f"    {facts['effect']:.4g} {name}: {people} people per arm, who come within {facts['days'][name]} days"
        )
    return lines


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="experiments", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    plan = parser.add_subparsers(dest="verb", required=True).add_parser("plan", help="what an experiment could find")
    what = plan.add_mutually_exclusive_group(required=True)
    what.add_argument("--experiment", metavar="NAME", help="of conf/experiments.yaml")
    what.add_argument("--metric", action="append", metavar="NAME", help="declared there; may be given several times")
    plan.add_argument(
        "--effect", type=float, help="the change to be found, as a share of what the metric is now: 0.05 = 5 %%"
    )
    plan.add_argument("--arms", type=int, default=2, help="with --metric: arms of equal size, the baseline among them")
    plan.add_argument(
        "--window-days", type=int, default=14, help="with --metric: days after a person's exposure that count"
    )
    plan.add_argument("--share", type=float, default=1.0, help="of those who come, who is in it")
    plan.add_argument("--days", type=int, default=28, help="of the past: how long people came in")
    plan.add_argument("--alpha", type=float, default=0.05)
    plan.add_argument("--power", type=float, default=0.8)
    options = parser.parse_args(argv)
    for name, is_right in (
        ("effect", options.effect is None or options.effect > 0),
        ("arms", options.arms >= 2),
        ("window-days", 1 <= options.window_days <= 365),
        ("share", 0 < options.share <= 1),
        ("days", options.days >= 1),
        ("alpha", 0 < options.alpha < 1),
        ("power", 0 < options.power < 1),
    ):
        if not is_right:
            plan.error(f"--{name}: got {getattr(options, name.replace('-', '_'))}, see experiments plan --help")
    return options


if __name__ == "__main__":
    run(main)
