"""Train the champion of `recommender`: see lakehouse/training/recommender.py.

./spark-submit.sh ml/train_recommender.py [--as-of TIME | --use VERSION]
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime

from lakehouse.config import load
from lakehouse.job import run
from lakehouse.lake.delta import Lake
from lakehouse.spark.session import get_session
from lakehouse.training.recommender import train, use


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="train_recommender", description=__doc__)
    parser.add_argument(
        "--as-of", type=_instant, metavar="TIME", help="learn from events up to then, UTC unless it says"
    )
    parser.add_argument("--use", metavar="VERSION", help="serve an earlier version instead of training")
    arguments = parser.parse_args(argv)
    config = load()
    if arguments.use is not None:
        print(f"recommender model {arguments.use} is champion; serving reads {use(config, arguments.use)}")
        return 0
    lake = Lake(get_session(config, "train_recommender"), config)
    print(train(lake, arguments.as_of).table())
    return 0


def _instant(text: str) -> datetime:
    """ValueError is argparse's to tell."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


if __name__ == "__main__":
    run(main)
