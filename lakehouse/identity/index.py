"""The identity graph where a micro-batch can look it up: what it reads and writes is what it touches, however large the lake.

A local index (lakehouse/lake/local_index.py) of silver.identity_edges, silver.identity_map and what is open of
silver.identity_history, filled by lakehouse/profiles/stitching/identity_tables.py:

    numbers      actor_id -> actor number
    actors       actor number -> Record: its map row and its edges
    carriers     identifier -> numbers of the actors that carry it
    components   actor number that names a component -> numbers of the actors in it
    since        actor number -> when it came to its profile
    meta         stamp, and the latest time written to the tables
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import lmdb
import pandas as pd

from lakehouse.identity.lookup import Databases, Reader, Writer
from lakehouse.lake.local_index import Flags, LocalIndex

FORMAT = 2
_NUMBERS: Flags = {"dupsort": True, "dupfixed": True, "integerdup": True}


class Index(LocalIndex):
    """See the module."""

    MAPS: ClassVar = {
        "numbers": {},
        "actors": {"integerkey": True},
        "carriers": _NUMBERS,
        "since": {"integerkey": True},
        "components": {"integerkey": True, **_NUMBERS},
    }

    @property
    def _databases(self) -> Databases:
        return Databases(**{name: self._maps[name] for name in self.MAPS})

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """One consistent state."""
        with self.transaction() as transaction:
            yield Reader(self._databases, transaction)

    def write(
        self,
        *,
        map_rows: pd.DataFrame | None = None,
        edge_rows: pd.DataFrame | None = None,
        gone_edges: pd.DataFrame | None = None,
        history_rows: pd.DataFrame | None = None,
        stamp: str | None = None,
        latest: int | None = None,
    ) -> None:
        """Set rows by key, in one transaction.

        Args:
            map_rows: rows of silver.identity_map.
            edge_rows: rows of silver.identity_edges.
            gone_edges: edges to forget, by key.
            history_rows: rows of silver.identity_history that are open.
            stamp: the state of the tables this brings the index to; None = an unfinished one.
            latest: the latest time ever written to the tables, microseconds.
        """

        def put(transaction: lmdb.Transaction) -> None:
            Writer(self._databases, transaction).put(map_rows, edge_rows, gone_edges, history_rows)

        self.commit(put, stamp=stamp, **({} if latest is None else {"latest": latest}))
