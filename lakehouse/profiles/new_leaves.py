"""The leaf rows that a micro-batch brings, and what of them is known on the driver."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.stitching.graph_facts import GRAPH_COLUMNS
from lakehouse.profiles.tables import LEAF


@dataclass(frozen=True)
class NewLeaves:
    """What a micro-batch brings: leaf rows of events that no other batch has brought, and the transaction they are taken in by.

    here: of every leaf row, on the driver, who it is of, from when to when, and how long its lists are.
    """

    leaves: DataFrame | pa.Table
    once: Transaction
    here: pa.Table

    @property
    def newest(self) -> datetime | None:
        newest: datetime | None = pc.max(self.here["last_at"]).as_py()
        return None if newest is None else newest.replace(tzinfo=None)

    @property
    def described(self) -> list[str]:
        """The actors whose traits the batch brings."""
        actor_ids: list[str] = self.here.filter(pc.greater(self.here["traits"], 0))["actor_id"].unique().to_pylist()
        return actor_ids


def new_leaves(leaves: DataFrame | pa.Table, once: Transaction, record: BatchRecord) -> NewLeaves:
    """What the leaf rows bring, their counts noted. Of many one job, which makes the rows."""
    lists = sorted({name for table in LEAF for name in table.sent_in})
    told = (*GRAPH_COLUMNS, "last_at")
    if isinstance(leaves, pa.Table):
        here = pa.table({name: leaves[name] for name in told} | {n: pc.list_value_length(leaves[n]) for n in lists})
    else:
        here = leaves.select(*told, *(F.size(name).alias(name) for name in lists)).toArrow()
    record.leaf_rows = here.num_rows
    record.sent = {name: pc.sum(here[name]).as_py() or 0 for name in lists}
    return NewLeaves(leaves, once, here)
