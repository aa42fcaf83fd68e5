"""silver.personal_traits: the latest value of every trait an actor was identified with. Raw personal data.

Null takes a trait back (Segment spec). The row stays, without its value, so that an older value that comes late stays away too.

On this machine an index of the table says what is stored: new rows are appended, and newer ones are set where the old lie.
It lives in the lake's folder as long as the table, and is made again from empty files when the table is at a version it does
not know: what is erased there is gone here at the next micro-batch at the latest. Of a remote lake there is none: its
personal data does not come to rest beside the driver.

    traits    actor_id, hash of the trait -> [trait, value, seen_at, source]
"""

import json
from collections.abc import Collection, Iterator
from hashlib import blake2b
from typing import ClassVar

import lmdb
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake, arrow_schema, conform
from lakehouse.lake.table_index import TableIndex, current
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.declaration import LeafTable
from lakehouse.tables.contract import optional, required
from lakehouse.tables.people import By, by

FEW_TRAITS = 50_000  # that are handed over as they lie on the driver
Row = tuple[str, str, str | None, int, str | None]
"""actor_id, trait, value, seen_at in microseconds since 1970, source."""


def transform(leaves: DataFrame) -> DataFrame:
    """Leaf rows -> one row per actor and trait; the latest value wins, at the same instant the greater one, null the least; then the source likewise."""
    sent = leaves.select("actor_id", F.explode("traits").alias("fact"))
    values = sent.select(
        "actor_id",
        F.col("fact.occurred_at").alias("seen_at"),
        F.col("fact.source").alias("source"),
        F.explode("fact.traits").alias("trait", "value"),
    )
    return newest(values)


def newest(values: DataFrame) -> DataFrame:
    """[actor_id, trait, value, seen_at, source] -> of each actor and trait the row that holds, by the rule of `transform`."""
    latest = F.max(F.struct("seen_at", "value", "source"))
    return (
        values.groupBy("actor_id", "trait")
        .agg(latest.alias("latest"))
        .select("actor_id", "trait", "latest.value", "latest.seen_at", "latest.source")
    )


def latest(leaves: DataFrame) -> DataFrame:
    """`transform`, in the types of the contract."""
    return conform(transform(leaves), SILVER_PERSONAL_TRAITS)


def merge(lake: Lake, leaves: DataFrame | pa.Table, _: Transaction) -> tuple[()]:
    """Set what is newer by the same rule, so that order of arrival does not matter."""
    if isinstance(leaves, pa.Table):
        rows = lake.few_rows.run(SILVER_PERSONAL_TRAITS.name, latest, leaves=leaves)
        _set_newer(lake, current(lake, TraitIndex), rows)
    elif lake.uses_delta_rs:
        _set_newer(lake, current(lake, TraitIndex), latest(leaves).toArrow())
    else:
        newer = (
            "new.seen_at > stored.seen_at OR (new.seen_at = stored.seen_at "
            "AND struct(coalesce(new.value, ''), coalesce(new.source, '')) > struct(coalesce(stored.value, ''), coalesce(stored.source, '')))"
        )
        lake.upsert(latest(leaves), SILVER_PERSONAL_TRAITS, update_when=newer)
    return ()


def look_up(lake: Lake, actors: Collection[str]) -> pa.Table:
    """The rows of silver.personal_traits of these actors, of a lake on this machine."""
    return current(lake, TraitIndex).rows(actors)


def traits_of(lake: Lake, actors: Collection[str]) -> DataFrame | pa.Table:
    """The rows of silver.personal_traits of these actors; of a lake on this machine those of few are on the driver."""
    if lake.uses_delta_rs:
        rows = look_up(lake, actors)
        # In one partition, so that nothing made of them is shuffled: shuffles of a few rows were most of a batch's time.
        return rows if rows.num_rows <= FEW_TRAITS else lake.frame(rows).coalesce(1)
    asked = lake.frame(pa.table({"actor_id": pa.array(sorted(actors), pa.string())}))
    return lake.read(SILVER_PERSONAL_TRAITS).join(F.broadcast(asked), on="actor_id", how="left_semi")


def _set_newer(lake: Lake, index: "TraitIndex", rows: pa.Table) -> None:
    new = _tuples(rows)
    stored = {row[:2]: row for row in _tuples(index.rows({row[0] for row in new}))}
    added = _table([row for row in new if row[:2] not in stored])
    known = [row for row in new if row[:2] in stored]
    newer = [row for row in known if _age(row) > _age(stored[row[:2]])]
    if not (newer or added.num_rows):
        return
    changed, before = (
        _table(newer),
        _table([stored[row[:2]] for row in newer]),
    )
    lake.add(added, SILVER_PERSONAL_TRAITS)
    lake.upsert(changed, SILVER_PERSONAL_TRAITS, stored_at=before["seen_at"].combine_chunks())
    index.follow(lake, pa.concat_tables([added, changed]))


def _age(row: Row) -> tuple[int, str, str]:
    return row[3], row[2] or "", row[4] or ""


SILVER_PERSONAL_TRAITS = LeafTable(
    name="silver.personal_traits",
    grain="one row per actor and trait",
    people=(by("actor_id", By.ACTOR),),
    key=("actor_id", "trait"),
    holds_personal_data=True,
    transform=transform,
    merge=merge,
    sent_in=("traits",),
    look_up=look_up,
    time_column="seen_at",
    columns=(
        required("actor_id", "string", "actor"),
        required("trait", "string", "name of the trait, snake_case: email, phone, first_name, ..."),
        optional("value", "string", "latest value as sent: raw personal data; null = taken back"),
        required("seen_at", "timestamp", "time of the event that carried the value"),
        optional(
            "source",
            "string",
            "program that told it: context.library.name, else the channel; null = none named, or of a release before it was kept",
        ),
    ),
)

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_SCHEMA = arrow_schema(SILVER_PERSONAL_TRAITS)


class TraitIndex(TableIndex):
    """silver.personal_traits where a micro-batch can look it up."""

    NAME = "personal_traits"
    TABLE = SILVER_PERSONAL_TRAITS
    FORMAT = 2
    MAPS: ClassVar = {"traits": {}}

    def put(self, transaction: lmdb.Transaction, rows: pa.Table) -> None:
        """Set rows of silver.personal_traits."""
        entries = [(_key(row[0], row[1]), _encode(row[1:]).encode()) for row in _tuples(rows)]
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
        return _table(found)


def _tuples(rows: pa.Table) -> list[Row]:
    """Rows of silver.personal_traits as Python has them."""
    seen = rows["seen_at"].cast(_SCHEMA.field("seen_at").type).cast(pa.int64())
    texts = (rows[name].to_pylist() for name in ("actor_id", "trait", "value"))
    return list(zip(*texts, seen.to_pylist(), rows["source"].to_pylist(), strict=True))


def _table(rows: Collection[Row]) -> pa.Table:
    """And back."""
    columns = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA)
    texts = [pa.array(column, pa.string()) for column in columns[:3]]
    seen, source = pa.array(columns[3], pa.int64()).cast(_SCHEMA.types[3]), pa.array(columns[4], pa.string())
    return pa.Table.from_arrays([*texts, seen, source], schema=_SCHEMA)


def _held(cursor: lmdb.Cursor, prefix: bytes) -> Iterator[tuple[str, str | None, int, str | None]]:
    is_there = cursor.set_range(prefix)
    while is_there and bytes(cursor.key()).startswith(prefix):
        trait, value, seen, source = json.loads(bytes(cursor.value()))
        yield trait, value, seen, source
        is_there = cursor.next()


def _prefix(actor: str) -> bytes:
    return actor.encode() + b"\0"


def _key(actor: str, trait: str) -> bytes:
    """A trait's name may be longer than a key of LMDB, and of any letters."""
    return _prefix(actor) + blake2b(trait.encode(), digest_size=16).digest()
