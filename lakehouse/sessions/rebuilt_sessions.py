"""What silver.sessions must hold, computed from silver.events in one batch: the stream's oracle and repair kit."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.sessions.rule import clusters, in_order
from lakehouse.sessions.table import SILVER_SESSIONS, session_rows
from lakehouse.sessions.visits import COLUMNS, VISIT, visits
from lakehouse.tables.events import SILVER_EVENTS


def rebuilt_sessions(lake: Lake) -> DataFrame:
    """All of silver.sessions, see `sessions_of`."""
    return sessions_of(lake, lake.read(SILVER_EVENTS))


def settled_from(begins: datetime) -> datetime:
    """Where events have gone from before `begins`: the sessions that start from here on are made of events that are all there.

    One that began the evening before, or what is left of it, may have gone on for a while; people end within a day.
    """
    return begins + timedelta(days=1)


def sessions_of(lake: Lake, events: DataFrame) -> DataFrame:
    """silver.events, of each visitor all or none -> rows of silver.sessions. Visitors are read in Python workers, some at a time, each of them whole."""
    is_visit = F.col("visitor_id").isNotNull() & ~F.col("is_bot")
    visits_told = events.where(is_visit).select(*COLUMNS)
    together = visits_told.repartition("visitor_id").sortWithinPartitions("visitor_id")
    schema = ", ".join(f"{column.name} {column.type}" for column in SILVER_SESSIONS.columns)
    return together.mapInArrow(_of_partition(lake.config.money.rates), schema)


def _of_partition(rates: Mapping[str, str]) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """`rates`: see table.session_rows."""
    schema = pa.schema([field.with_nullable(True) for field in arrow_schema(SILVER_SESSIONS)])

    def sessions_of(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        seen = (visits(pa.Table.from_batches([batch])) for batch in batches)
        for whole in _of_whole_visitors(seen):
            yield from session_rows(clusters(in_order(whole)).ending, rates, schema).to_batches()

    return sessions_of


def _of_whole_visitors(pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Visits by visitor -> the same, cut where one visitor ends and the next begins."""
    held = [VISIT.empty_table()]
    for piece in pieces:
        if piece.num_rows == 0:
            continue
        last = piece["visitor_id"][-1]
        cut = pc.index(piece["visitor_id"], last).as_py()
        is_ended = cut > 0 or held[-1].num_rows == 0 or held[-1]["visitor_id"][-1] != last
        if is_ended:
            yield pa.concat_tables([*held, piece.slice(0, cut)])
            held = []
        held.append(piece.slice(cut))
    yield pa.concat_tables(held)
