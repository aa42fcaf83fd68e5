"""silver.personal_traits where a micro-batch can look it up. Raw personal data: lives in the lake's folder, as long as the table.

    traits    actor_id, hash of the trait -> [trait, value, seen_at]

Made again from empty files when the table is at a version it does not know, so what is erased there is gone here at the next
micro-batch at the latest. Of a remote lake there is none: its personal data does not come to rest beside the driver.
"""

import json
from collections.abc import Collection, Iterator
from hashlib import blake2b
from typing import ClassVar

import lmdb
import pyarrow as pa

from lakehouse.lake.delta import arrow_schema
from lakehouse.lake.table_index import TableIndex
from lakehouse.tables.silver import SILVER_PERSONAL_TRAITS

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_SCHEMA = arrow_schema(SILVER_PERSONAL_TRAITS)

Row = tuple[str, str, str, int]
"""actor_id, trait, value, seen_at in microseconds since 1970."""


class TraitIndex(TableIndex):
    """See the module."""

    NAME = "personal_traits"
    TABLE = SILVER_PERSONAL_TRAITS
    FORMAT = 1
    MAPS: ClassVar = {"traits": {}}

    def put(self, transaction: lmdb.Transaction, rows: pa.Table) -> None:
        """Set rows of silver.personal_traits."""
        entries = [
            (_key(actor, trait), _encode([trait, value, seen]).encode()) for actor, trait, value, seen in plain(rows)
        ]
        transaction.cursor(db=self._maps["traits"]).putmulti(sorted(entries))  # ascending: neighbours share a page

    def remove(self, transaction: lmdb.Transaction, keys: Collection[str]) -> None:
        """Forget actors."""
        cursor = transaction.cursor(db=self._maps["traits"])
        for actor in keys:
            while cursor.set_range(_prefix(actor)) and bytes(cursor.key()).startswith(_prefix(actor)):
                cursor.delete()

    def rows(self, actors: Collection[str]) -> pa.Table:
        """The rows of silver.personal_traits of these actors."""
        found: list[Row] = []
        with self.transaction() as transaction:
            cursor = transaction.cursor(db=self._maps["traits"])
            for actor in sorted(actors):
                found += [(actor, *told) for told in _held(cursor, _prefix(actor))]
        return table(found)


def plain(rows: pa.Table) -> list[Row]:
    """Rows of silver.personal_traits as Python has them."""
    seen = rows["seen_at"].cast(_SCHEMA.field("seen_at").type).cast(pa.int64())
    texts = (rows[name].to_pylist() for name in ("actor_id", "trait", "value"))
    return list(zip(*texts, seen.to_pylist(), strict=True))


def table(rows: Collection[Row]) -> pa.Table:
    """And back."""
    columns = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA)
    texts = [pa.array(column, pa.string()) for column in columns[:3]]
    return pa.Table.from_arrays([*texts, pa.array(columns[3], pa.int64()).cast(_SCHEMA.types[3])], schema=_SCHEMA)


def _held(cursor: lmdb.Cursor, prefix: bytes) -> Iterator[tuple[str, str, int]]:
    is_there = cursor.set_range(prefix)
    while is_there and bytes(cursor.key()).startswith(prefix):
        trait, value, seen = json.loads(bytes(cursor.value()))
        yield trait, value, seen
        is_there = cursor.next()


def _prefix(actor: str) -> bytes:
    return actor.encode() + b"\0"


def _key(actor: str, trait: str) -> bytes:
    """A trait's name may be longer than a key of LMDB, and of any letters."""
    return _prefix(actor) + blake2b(trait.encode(), digest_size=16).digest()
