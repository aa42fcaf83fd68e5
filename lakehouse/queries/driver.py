"""Several queries in one driver: how they start together and end together."""

from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.catalog import TABLES, of_part
from lakehouse.config import load
from lakehouse.job import flags
from lakehouse.kafka.broker import reachable
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import writer
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.spark.session import get_session
from lakehouse.spark.streams import Start, await_all, started, supervise

AVAILABLE_NOW = "--available-now"


def run_queries(name: str, starts: list[Start], argv: list[str]) -> None:
    """A streaming job: start the queries and keep them running; with --available-now they drain the topic and end.

    Raises:
        BrokerError: no broker answers; Spark would wait for one for ever.
    """
    available_now = AVAILABLE_NOW in flags(argv, AVAILABLE_NOW)
    config = reachable(load())
    with writer(config):
        lake = Lake(get_session(config, name), config)
        if available_now:
            drain(lake, starts)
            if lake.uses_delta_rs and config.maintenance.beside_streams:  # else another query may be at a table
                Upkeep(lake, of_part(None)).all(is_bounded=True)
            return
        queries = start_all(lake, starts, available_now=False)
        print("ready", flush=True)
        supervise(lake, starts, queries)


def drain(lake: Lake, starts: list[Start]) -> None:
    """Run the queries until they have read the topic.

    Raises:
        StitchlakeError: a query failed.
    """
    await_all(lake, start_all(lake, starts, available_now=True))


def start_all(lake: Lake, starts: list[Start], *, available_now: bool) -> list[StreamingQuery]:
    """Create the tables that are missing and start the queries."""
    lake.create_missing(TABLES.values())
    return [started(lake, start, available_now=available_now) for start in starts]
