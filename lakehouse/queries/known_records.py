"""What the lake knew of the topic when a checkpoint was begun.

A new checkpoint knows nothing and reads the topic from its first record, for the deduplication must learn its message ids again. What the
lake has taken in already must not be taken in twice. Each table of records holds a prefix of what goes there of every Kafka partition,
because a micro-batch is a range of offsets: so how far each reaches says all. That is looked up once, and stands in the checkpoint, so that
who deletes the one deletes the other.
"""

import json
from collections.abc import Mapping

import pyarrow as pa

from lakehouse.events.erased import ends_noted
from lakehouse.lake.beginnings import beginning
from lakehouse.lake.checkpoint import Ends
from lakehouse.lake.checkpoint import ends_of as ends_of
from lakehouse.lake.checkpoint import furthest as furthest
from lakehouse.lake.checkpoint import is_news as is_news
from lakehouse.lake.delta import Lake
from lakehouse.lake.stamp import stamped
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS

_NAME = "known_records"  # the file in the query's checkpoint
Known = Mapping[str, Ends]
"""By the name that a query gives a table: how far it reached."""


def known(lake: Lake, query: str, tables: Mapping[str, Table]) -> Known:
    """What the tables held when the checkpoint of `query` was begun; nothing for the first one of a lake."""
    path = lake.checkpoint(query)
    stored = stamped(path, _NAME, lambda: json.dumps(held_by(lake, tables)), lake.spark)
    if stored is None:  # it was the first to ask
        stored = stamped(path, _NAME, "", lake.spark)
    assert stored is not None
    found: dict[str, Ends] = json.loads(stored)
    return found


def begin(lake: Lake, query: str, held: Known) -> None:
    """Begin a checkpoint of `query`, which has none, that knows this."""
    stamped(lake.checkpoint(query), _NAME, json.dumps(held), lake.spark)


def held_by(lake: Lake, tables: Mapping[str, Table]) -> Known:
    """How far each table of records reaches, or did before rows of it were erased, or went by age."""
    return {name: _reached(lake, table) for name, table in tables.items()}


def _reached(lake: Lake, table: Table) -> Ends:
    now = {} if lake.is_bare(table) else ends_of(lake.read(table))
    aged = beginning(lake, table)
    return furthest([now, *ends_noted(lake, table), *([] if aged is None else [aged.ends])])


def is_news_here(rows: pa.Table, ends: Ends) -> pa.Array:
    """The same of rows on the driver."""
    places = zip(*(rows[name].to_pylist() for name in BRONZE_EVENTS.key), strict=True)
    return pa.array([at >= ends.get(topic, {}).get(str(number), 0) for topic, number, at in places], pa.bool_())
