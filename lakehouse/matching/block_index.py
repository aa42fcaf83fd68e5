"""silver.match_blocks where a micro-batch can look it up: who shares a blocking key, and by what an actor is known.

    rows      actor_id -> [fingerprint, model_version, block_keys]
    members   block_key -> actor_ids

An HMAC tells nothing of the value it is of, so of a remote lake the index may lie beside the driver.
"""

import json
from collections.abc import Collection, Iterator
from typing import ClassVar

import lmdb
import pandas as pd
import pyarrow as pa

from lakehouse.lake.table_index import TableIndex
from lakehouse.tables.identity import SILVER_MATCH_BLOCKS

_encode = json.JSONEncoder(separators=(",", ":")).encode
_COLUMNS = ["actor_id", "fingerprint", "model_version", "block_keys"]


class BlockIndex(TableIndex):
    """See the module."""

    NAME = "match_blocks"
    TABLE = SILVER_MATCH_BLOCKS
    FORMAT = 1
    MAPS: ClassVar = {"rows": {}, "members": {"dupsort": True}}

    def put(self, transaction: lmdb.Transaction, rows: pa.Table) -> None:
        """Set rows of silver.match_blocks."""
        self.remove(transaction, rows["actor_id"].to_pylist())
        ties = []
        columns = (rows[name].to_pylist() for name in _COLUMNS)
        for actor, fingerprint, version, keys in sorted(zip(*columns, strict=True)):
            told = _encode([fingerprint, version, keys]).encode()
            transaction.put(actor.encode(), told, db=self._maps["rows"])
            ties += [(key.encode(), actor.encode()) for key in keys]
        transaction.cursor(db=self._maps["members"]).putmulti(sorted(ties))  # ascending: neighbours share a page

    def remove(self, transaction: lmdb.Transaction, keys: Collection[str]) -> None:
        """Forget actors."""
        members = transaction.cursor(db=self._maps["members"])
        for actor in keys:
            found = transaction.pop(actor.encode(), db=self._maps["rows"])
            for key in [] if found is None else json.loads(bytes(found))[2]:
                if members.set_key_dup(key.encode(), actor.encode()):
                    members.delete()

    def rows(self, actors: Collection[str]) -> pd.DataFrame:
        """Rows of silver.match_blocks: those of these actors that have one."""
        with self.transaction() as transaction:
            texts = ((actor, transaction.get(actor.encode(), db=self._maps["rows"])) for actor in sorted(actors))
            found = [(actor, *json.loads(bytes(text))) for actor, text in texts if text is not None]
        return pd.DataFrame(found, columns=_COLUMNS)

    def members(self, keys: Collection[str], besides: Collection[str], most: int) -> tuple[pd.DataFrame, set[str]]:
        """[actor_id, block_key] of who has the keys; and the keys, left out of it, of more than `most` actors.

        `besides`: actors that are neither told nor counted.
        """
        left_out, common, found = set(besides), set(), []
        with self.transaction() as transaction:
            cursor = transaction.cursor(db=self._maps["members"])
            for key in sorted(keys):
                if not cursor.set_key(key.encode()):
                    continue
                is_long = cursor.count() > most + len(left_out)  # no need to read it, however long
                actors = [] if is_long else [actor for actor in _actors(cursor) if actor not in left_out]
                if is_long or len(actors) > most:
                    common.add(key)
                else:
                    found += [(actor, key) for actor in actors]
        return pd.DataFrame(found, columns=["actor_id", "block_key"], dtype="str"), common


def _actors(cursor: lmdb.Cursor) -> Iterator[str]:
    """Of the key the cursor stands at."""
    return (bytes(actor).decode() for actor in cursor.iternext_dup())
