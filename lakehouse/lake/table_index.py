"""Local indexes of one table each: held to the table's version, made again from it when it is at another.

So whatever wrote the table, a crash, a rebuild or an erasure, the next look-up is of the table as it is.
"""

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from typing import ClassVar, TypeVar

import lmdb
import pyarrow as pa

from lakehouse.lake.delta import Lake
from lakehouse.lake.local_index import LocalIndex, folder_of, opened
from lakehouse.tables.contract import Table

log = logging.getLogger("stitchlake.index")


class TableIndex(LocalIndex, ABC):
    """Rows of TABLE by what a micro-batch asks for. FORMAT: another number, and it is made again."""

    NAME: ClassVar[str]
    TABLE: ClassVar[Table]
    FORMAT: ClassVar[int]

    @abstractmethod
    def put(self, transaction: lmdb.Transaction, rows: pa.Table) -> None:
        """Set rows by the table's key."""

    @abstractmethod
    def remove(self, transaction: lmdb.Transaction, keys: Collection[str]) -> None:
        """Forget rows by the first column of the table's key."""

    def follow(self, lake: Lake, rows: pa.Table, gone: Collection[str] = ()) -> None:
        """Do as the table, in which these rows have just been set, and those removed; both by key."""

        def change(transaction: lmdb.Transaction) -> None:
            self.remove(transaction, gone)
            self.put(transaction, rows)

        self.commit(change, stamp=stamp(lake, type(self)))


Kind = TypeVar("Kind", bound=TableIndex)


def stamp(lake: Lake, kind: type[TableIndex]) -> str:
    """The state of the index's table, and of what makes the index of it."""
    return json.dumps({"format": kind.FORMAT, kind.TABLE.name: lake.version(kind.TABLE)})


def current(lake: Lake, kind: type[Kind]) -> Kind:
    """The index of the lake's table as it is now."""
    index = opened(folder_of(lake.root, kind.NAME), kind)
    now = stamp(lake, kind)
    if index.stamp != now:
        _fill(index, lake.batches(kind.TABLE), now)
    return index


def _fill(index: TableIndex, batches: Iterable[pa.RecordBatch], now: str) -> None:
    """One pass over the table; a transaction for each piece, and the stamp last."""
    index.clear()
    count = 0
    for batch in batches:
        rows = pa.Table.from_batches([batch])
        index.commit(lambda transaction, rows=rows: index.put(transaction, rows))  # type: ignore[misc]
        count += rows.num_rows
    index.commit(lambda _: None, stamp=now)
    log.info("%s: the index is made again from %d rows", index.TABLE.name, count)
