"""What silver.sessions must hold, computed from silver.events in one batch: the stream's oracle and repair kit."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.sessions.rule import clusters
from lakehouse.sessions.table import SILVER_SESSIONS, Row, rows_of
from lakehouse.sessions.visits import COLUMNS, visits
from lakehouse.tables.events import SILVER_EVENTS

_ROWS = 10_000  # of the answer, written together


def rebuilt_sessions(lake: Lake) -> DataFrame:
    """silver.events -> rows of silver.sessions. Visitors are read in Python workers, one after another."""
    is_visit = F.col("visitor_id").isNotNull() & ~F.col("is_bot")
    events = lake.read(SILVER_EVENTS).where(is_visit).select(*COLUMNS)
    together = events.repartition("visitor_id").sortWithinPartitions("visitor_id")
    schema = ", ".join(f"{column.name} {column.type}" for column in SILVER_SESSIONS.columns)
    return together.mapInArrow(_of_partition(lake.config.money.rates), schema)


def _of_partition(rates: Mapping[str, str]) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """`rates`: see table.rows_of."""
    schema = pa.schema([field.with_nullable(True) for field in arrow_schema(SILVER_SESSIONS)])

    def sessions_of(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        seen = (one for batch in batches for one in visits(pa.Table.from_batches([batch])))
        rows: list[Row] = []
        for visitor, visited in groupby(seen, key=itemgetter(0)):
            rows += rows_of(visitor, clusters(visit for _, visit in visited), rates)
            if len(rows) >= _ROWS:
                yield from pa.Table.from_pylist(rows, schema=schema).to_batches()
                rows = []
        yield from pa.Table.from_pylist(rows, schema=schema).to_batches()

    return sessions_of
