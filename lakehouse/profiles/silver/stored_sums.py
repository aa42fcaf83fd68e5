"""Tables of stored sums by actor: what a micro-batch brings is added to what is stored of its keys, once."""

from collections.abc import Callable

import pyarrow as pa
from pyspark.sql import DataFrame

from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.declaration import LeafTable

Added = Callable[[DataFrame, DataFrame], DataFrame]
"""Leaf rows and stored rows -> the rows of the keys they meet at, summed."""


def add(lake: Lake, table: LeafTable, added: Added, leaves: DataFrame | pa.Table, once: Transaction) -> tuple[()]:
    """Add the leaf rows to the table. Few are on the driver. No profile changes but those of the batch's actors."""
    if isinstance(leaves, pa.Table):
        stored = lake.rows_with(table, "actor_id", leaves["actor_id"].to_pylist())
        rows = lake.few_rows.run(table.name, added, leaves=leaves, stored=stored)
    else:
        rows = added(leaves, lake.read(table))
    lake.upsert(rows, table, once=once)
    return ()
