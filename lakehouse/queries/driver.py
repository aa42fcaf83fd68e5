"""Several queries in one driver: how they start together and end together, and what Prometheus is told of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.catalog import TABLES, of_part
from lakehouse.config import load
from lakehouse.job import READY, flags
from lakehouse.kafka.broker import reachable
from lakehouse.lake.audited_settings import note_settings
from lakehouse.lake.delta import Lake
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.monitoring.exporter import exposed
from lakehouse.monitoring.query_listener import QueryListener
from lakehouse.monitoring.stream_meters import StreamMeters
from lakehouse.monitoring.table_sizes import TableSizes
from lakehouse.spark.opened_lake import opened
from lakehouse.spark.streams import Start, await_all, started, supervise

AVAILABLE_NOW = "--available-now"


def run_queries(name: str, starts: list[Start], argv: list[str], meters: StreamMeters) -> None:
    """A streaming job: start the queries and keep them running; with --available-now they drain the topic and end.

    `meters`: are kept, and served at `metrics.port`.

    Raises:
        BrokerError: no broker answers; Spark would wait for one for ever.
    """
    available_now = AVAILABLE_NOW in flags(argv, AVAILABLE_NOW)
    config = reachable(load())
    with opened(config, name) as lake, watched(lake, meters):
        if available_now:
            drain(lake, starts)
            if lake.uses_delta_rs and config.maintenance.beside_streams:  # else another query may be at a table
                Upkeep(lake, of_part(None)).all(is_bounded=True)
            return
        queries = start_all(lake, starts, available_now=False)
        print(READY, flush=True)
        supervise(lake, starts, queries)


@contextmanager
def watched(lake: Lake, meters: StreamMeters) -> Iterator[None]:
    """Keep the meters of the session's queries and of the lake's tables, and serve them."""
    meters.registry.register(TableSizes(lake, TABLES.values()))
    # Never removed: after SIGTERM the connection to the JVM still waits for the end of a query, and so would whoever asks it anything.
    lake.spark.streams.addListener(QueryListener(meters))
    with exposed(meters.registry, lake.config.metrics.port, key="metrics.port"):
        yield


def drain(lake: Lake, starts: list[Start]) -> None:
    """Run the queries until they have read the topic.

    Raises:
        StitchlakeError: a query failed.
    """
    await_all(lake, start_all(lake, starts, available_now=True))


def start_all(lake: Lake, starts: list[Start], *, available_now: bool) -> list[StreamingQuery]:
    """Create the tables that are missing, note by which settings, and start the queries."""
    lake.create_missing(TABLES.values())
    note_settings(lake.config, now=datetime.now(UTC))
    return [started(lake, start, available_now=available_now) for start in starts]
