"""Train the champion of `clv`, lifetime value: see lakehouse/training/lifetime_value.py.

    ./spark-submit.sh ml/train_lifetime_value.py [--if-drifted]

With --if-drifted only where the newest look of ml/drift.py asks for it, and then a challenger: a champion is left alone.
"""

import argparse
from collections.abc import Sequence

from lakehouse.config import load
from lakehouse.job import run
from lakehouse.lake.delta import Lake
from lakehouse.spark.session import get_session
from lakehouse.training.drift_watch import is_asked
from lakehouse.training.lifetime_value import train

JOB = "ml/train_lifetime_value.py"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="train_lifetime_value", description=__doc__)
    parser.add_argument("--if-drifted", action="store_true", help="only where drift asks for it; trains a challenger")
    by_drift = parser.parse_args(argv).if_drifted
    config = load()
    lake = Lake(get_session(config, "train_lifetime_value"), config)
    if by_drift and not is_asked(lake, JOB):
        print("no drift asks for it")
        return 0
    print(train(lake, may_reign=not by_drift).table())
    return 0


if __name__ == "__main__":
    run(main)
