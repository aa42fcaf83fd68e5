"""silver.personal_traits: the latest value of every trait an actor was identified with. Raw personal data.

On this machine an index of the table says what is stored: new rows are appended, and newer ones are set where the old lie.
"""

from collections.abc import Collection

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake, conform
from lakehouse.lake.table_index import current
from lakehouse.profiles.silver import personal_traits_index
from lakehouse.profiles.silver.personal_traits_index import TraitIndex
from lakehouse.tables.silver import SILVER_PERSONAL_TRAITS


def personal_traits(leaves: DataFrame) -> DataFrame:
    """Leaf rows -> one row per actor and trait; the latest value wins, at the same instant the greater one."""
    sent = leaves.select("actor_id", F.explode("traits").alias("fact"))
    values = sent.select(
        "actor_id",
        F.col("fact.occurred_at").alias("seen_at"),
        F.explode("fact.traits").alias("trait", "value"),
    )
    latest = F.max(F.struct("seen_at", "value"))
    return (
        values.where(F.col("value").isNotNull())
        .groupBy("actor_id", "trait")
        .agg(latest.alias("latest"))
        .select("actor_id", "trait", "latest.value", "latest.seen_at")
    )


def merge_traits(lake: Lake, new: DataFrame) -> None:
    """Set what is newer by the same rule, so that order of arrival does not matter."""
    if lake.uses_delta_rs:
        _set_newer(lake, current(lake, TraitIndex), conform(new, SILVER_PERSONAL_TRAITS).toArrow())
    else:
        newer = "new.seen_at > stored.seen_at OR (new.seen_at = stored.seen_at AND new.value > stored.value)"
        lake.upsert(new, SILVER_PERSONAL_TRAITS, update_when=newer)


def traits_of(lake: Lake, actors: Collection[str]) -> DataFrame:
    """The rows of silver.personal_traits of these actors."""
    if lake.uses_delta_rs:
        # In one partition, so that nothing made of them is shuffled: shuffles of a few rows were most of a batch's time.
        return lake.frame(current(lake, TraitIndex).rows(actors)).coalesce(1)
    asked = lake.frame(pa.table({"actor_id": pa.array(sorted(actors), pa.string())}))
    return lake.read(SILVER_PERSONAL_TRAITS).join(F.broadcast(asked), on="actor_id", how="left_semi")


def _set_newer(lake: Lake, index: TraitIndex, rows: pa.Table) -> None:
    new = personal_traits_index.plain(rows)
    stored = {row[:2]: row for row in personal_traits_index.plain(index.rows({row[0] for row in new}))}
    added = personal_traits_index.table([row for row in new if row[:2] not in stored])
    known = [row for row in new if row[:2] in stored]
    newer = [row for row in known if (row[3], row[2]) > (stored[row[:2]][3], stored[row[:2]][2])]
    if not (newer or added.num_rows):
        return
    changed, before = (
        personal_traits_index.table(newer),
        personal_traits_index.table([stored[row[:2]] for row in newer]),
    )
    lake.add(added, SILVER_PERSONAL_TRAITS)
    lake.upsert(changed, SILVER_PERSONAL_TRAITS, stored_at=before["seen_at"].combine_chunks())
    index.follow(lake, pa.concat_tables([added, changed]))
