"""Tables of stored sums by actor: what a micro-batch brings is added to what is stored of its keys, once.

On this machine what is stored is looked up, see lakehouse/lake/row_runs.py: a batch reads the rows of its actors, however many others there are.
"""

from collections.abc import Callable

import pyarrow as pa
from pyspark.sql import DataFrame

from lakehouse.lake import row_runs
from lakehouse.lake.delta import Lake, conform
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.declaration import LeafTable

_BY = ("actor_id",)

Added = Callable[[DataFrame, DataFrame], DataFrame]
"""Leaf rows and stored rows -> the rows of the keys they meet at, summed."""


def add(lake: Lake, table: LeafTable, added: Added, leaves: DataFrame | pa.Table, once: Transaction) -> tuple[()]:
    """Add the leaf rows to the table. Few are on the driver. No profile changes but those of the batch's actors."""
    if not lake.uses_delta_rs:
        assert isinstance(leaves, DataFrame)
        lake.upsert(added(leaves, lake.read(table)), table, once=once)
        return ()
    if lake.has_had(table, once):
        return ()
    runs = row_runs.current(lake, table, _BY)
    if isinstance(leaves, pa.Table):
        stored = runs.rows("actor_id", leaves["actor_id"].to_pylist())
        rows = lake.few_rows.run(table.name, added, leaves=leaves, stored=stored)
    else:
        rows = conform(added(leaves, lake.read(table)), table).toArrow()
    lake.upsert(rows, table, once=once)
    runs.set_rows(rows, row_runs.stamp(lake, table))
    return ()
