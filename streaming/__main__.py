"""Every streaming query in one driver.

./spark-submit.sh streaming                   # until stopped
./spark-submit.sh streaming --available-now   # drains what is in the topic, exits 0
"""

from lakehouse.job import run
from lakehouse.monitoring.stream_meters import StreamMeters
from lakehouse.queries import bronze_events, events
from lakehouse.queries.driver import run_queries


def main(argv: list[str]) -> None:
    meters = StreamMeters()
    # events first: it is the one a person waits for.
    run_queries("streaming", [events.starter(meters.took, meters.judged), bronze_events.start], argv, meters)


if __name__ == "__main__":
    run(main)
