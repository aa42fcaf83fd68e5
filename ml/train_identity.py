"""Train the champion of `identity`: see lakehouse/training/identity.py.

./spark-submit.sh ml/train_identity.py
"""

import argparse
from collections.abc import Sequence

from lakehouse.config import load
from lakehouse.job import run
from lakehouse.lake.delta import Lake
from lakehouse.spark.session import get_session
from lakehouse.training.identity import train


def main(argv: Sequence[str]) -> int:
    argparse.ArgumentParser(prog="train_identity", description=__doc__).parse_args(argv)
    config = load()
    lake = Lake(get_session(config, "train_identity"), config)
    print(train(lake).table())
    return 0


if __name__ == "__main__":
    run(main)
