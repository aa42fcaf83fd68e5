"""Train the models of purchase_propensity and churn_risk: see lakehouse/training/scores.py.

./spark-submit.sh ml/train_scores.py [--score purchase_propensity|churn_risk]

A model that the gate rejects is registered as challenger, the champion stays, and the reasons are printed. Exit code 1 when a score could not be trained, or
its model was rejected for more than not being better.
"""

import argparse
from collections.abc import Sequence

from lakehouse.config import load
from lakehouse.errors import ModelError
from lakehouse.job import describe, json_line, run
from lakehouse.lake.delta import Lake
from lakehouse.spark.session import get_session
from lakehouse.training.score_targets import TARGETS
from lakehouse.training.score_version import ScoresSummary
from lakehouse.training.scores import reader, train


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="train_scores", description=__doc__)
    parser.add_argument("--score", choices=sorted(TARGETS), help="only this one")
    score = parser.parse_args(argv).score
    config = load()
    lake = Lake(get_session(config, "train_scores"), config)
    found: list[ScoresSummary] = []
    untrained: dict[str, str] = {}
    read_of = reader(lake)
    for name, target in TARGETS.items():
        if score in (None, name):
            try:
                found.append(train(lake, target, read_of=read_of))
                print(found[-1].table())
            except ModelError as error:  # the other score need not wait for it
                untrained[name] = str(error)
                print(f"{name}: {describe(error)}")
    told = {
        "champions": [one.score for one in found if one.is_champion],
        "rejected": {one.score: list(one.verdict.reasons) for one in found if not one.verdict.passes},
        "untrained": untrained,
    }
    print(json_line({"command": "train_scores", **told}))
    is_broken = any(not check.is_met and check.name != "quality" for one in found for check in one.verdict.checks)
    return 1 if untrained or is_broken else 0


if __name__ == "__main__":
    run(main)
