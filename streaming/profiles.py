"""The tables of profiles, gold and the online store: see lakehouse/queries/profiles.py.

./spark-submit.sh streaming/profiles.py [--available-now]
"""

from lakehouse.job import run
from lakehouse.queries import profiles
from lakehouse.queries.driver import run_queries


def main(argv: list[str]) -> None:
    run_queries(profiles.NAME, [profiles.start], argv)


if __name__ == "__main__":
    run(main)
