"""Train the model `segments`: see lakehouse/training/segments.py.

./spark-submit.sh ml/train_segments.py
"""

import argparse
from collections.abc import Sequence

from lakehouse.config import load
from lakehouse.job import run
from lakehouse.lake.delta import Lake
from lakehouse.spark.session import get_session
from lakehouse.training.segments import train


def main(argv: Sequence[str]) -> int:
    argparse.ArgumentParser(prog="train_segments", description=__doc__).parse_args(argv)
    config = load()
    lake = Lake(get_session(config, "train_segments"), config)
    print(train(lake).table())
    return 0


if __name__ == "__main__":
    run(main)
