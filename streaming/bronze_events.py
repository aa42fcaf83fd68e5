"""bronze.events: every Kafka record as it came, see lakehouse/queries/bronze_events.py.

./spark-submit.sh streaming/bronze_events.py [--available-now]
"""

from lakehouse.job import run
from lakehouse.monitoring.stream_meters import StreamMeters
from lakehouse.queries import bronze_events
from lakehouse.queries.driver import run_queries


def main(argv: list[str]) -> None:
    run_queries(bronze_events.NAME, [bronze_events.start], argv, StreamMeters())


if __name__ == "__main__":
    run(main)
