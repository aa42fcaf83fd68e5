"""silver.events, the tables of profiles, gold and the online store: see lakehouse/queries/events.py.

./spark-submit.sh streaming/events.py [--available-now]
"""

from lakehouse.job import run
from lakehouse.monitoring.stream_meters import StreamMeters
from lakehouse.queries import events
from lakehouse.queries.driver import run_queries


def main(argv: list[str]) -> None:
    meters = StreamMeters()
    run_queries(events.NAME, [events.starter(meters.took, meters.judged)], argv, meters)


if __name__ == "__main__":
    run(main)
