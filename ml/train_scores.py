"""Train the champion of `scores`: see lakehouse/training/scores.py.

./spark-submit.sh ml/train_scores.py
"""

import argparse
from collections.abc import Sequence

from lakehouse.config import load
from lakehouse.job import run
from lakehouse.lake.delta import Lake
from lakehouse.spark.session import get_session
from lakehouse.training.scores import train


def main(argv: Sequence[str]) -> int:
    argparse.ArgumentParser(prog="train_scores", description=__doc__).parse_args(argv)
    config = load()
    lake = Lake(get_session(config, "train_scores"), config)
    print(train(lake).table())
    return 0


if __name__ == "__main__":
    run(main)
