"""silver.events and silver.events_quarantine: every record judged, see lakehouse/queries/silver_events.py.

./spark-submit.sh streaming/silver_events.py [--available-now]
"""

from lakehouse.job import run
from lakehouse.queries import silver_events
from lakehouse.queries.driver import run_queries


def main(argv: list[str]) -> None:
    run_queries(silver_events.NAME, [silver_events.start], argv)


if __name__ == "__main__":
    run(main)
