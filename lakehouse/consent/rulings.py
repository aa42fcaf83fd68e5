"""What holds for profiles whose actors contradict each other: lakehouse/consent/standing.py, asked in one frame.

Of most profiles the latest word is the answer, and nobody asks here. A profile is asked about where some purpose has a yes and a no, by different
actors or days. Which identifiers its actors carry is handed over for those alone, or for everybody.
"""

from collections.abc import Mapping
from functools import cache

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config.limits import PURPOSES
from lakehouse.consent.standing import Speaker, Statement, as_one, people
from lakehouse.tables.contract import ALSO_SAID
from lakehouse.tables.identity import MATCH

RULED = "ruled"  # map<string,boolean>: of every purpose somebody spoke of, whether it is allowed
_OUT = pa.schema([("profile_id", pa.string()), (RULED, pa.map_(pa.string(), pa.bool_()))])


@cache
def words() -> Column:
    """Array of what a row of silver.activity_daily says of each purpose; empty = nothing."""
    own = (
        F.when(
            F.col(f"consent.{purpose}").isNotNull(),
            F.struct(
                F.lit(purpose).alias("purpose"),
                *(F.col(f"consent.{purpose}")[name].alias(name) for name in ("at", "message_id", "is_allowed")),
            ),
        )
        for purpose in PURPOSES
    )
    others = F.coalesce("also_said", F.array().cast(ALSO_SAID))
    return F.concat(F.filter(F.array(*own), lambda one: one.isNotNull()).cast(ALSO_SAID), others)


def rulings(of_profiles: DataFrame, edges: DataFrame) -> DataFrame:
    """`rollup.profile_activity` and rows of silver.identity_edges -> [profile_id, RULED] of the profiles that contradict themselves.

    `edges`: of all actors of these profiles, and of no others where they are known.
    """
    carried = (
        edges.where(F.col("identifier_type") != MATCH)
        .groupBy("actor_id")
        .agg(F.collect_list(F.concat_ws(":", "identifier_type", "identifier_token")).alias("identifiers"))
    )
    days = of_profiles.select("profile_id", "actor_id", "first_at", words().alias("words"))
    asked = days.join(edges.select("actor_id").distinct(), on="actor_id", how="left_semi")
    said = asked.select("profile_id", F.explode("words").alias("word"))
    by_purpose = said.groupBy("profile_id", "word.purpose").agg(
        F.min("word.is_allowed").alias("least"), F.max("word.is_allowed").alias("most")
    )
    torn = by_purpose.where(F.col("least") != F.col("most")).select("profile_id").distinct()
    actors = (
        asked.join(torn, on="profile_id", how="left_semi")
        .groupBy("profile_id", "actor_id")
        .agg(F.min("first_at").alias("first_at"), F.flatten(F.collect_list("words")).alias("words"))
    )
    speakers = actors.join(carried, on="actor_id", how="left").select(
        "profile_id",
        "actor_id",
        F.unix_micros("first_at").alias("first_at"),
        "identifiers",
        F.transform(
            "words",
            lambda one: F.struct(
                one["purpose"], F.unix_micros(one["at"]).alias("at"), one["message_id"], one["is_allowed"]
            ),
        ).alias("words"),
    )
    return speakers.groupBy("profile_id").applyInArrow(_ruled, f"profile_id string, {RULED} map<string,boolean>")


def _ruled(rows: pa.Table) -> pa.Table:
    """Rows of one profile -> one row."""
    held = as_one(people(_speaker(row) for row in rows.to_pylist()))
    told = [(purpose, one.is_allowed) for purpose, one in held.items()]
    return pa.Table.from_arrays(
        [rows["profile_id"].slice(0, 1).combine_chunks(), pa.array([told], _OUT.types[1])], schema=_OUT
    )


def _speaker(row: Mapping[str, object]) -> Speaker:
    said = row["words"]
    assert isinstance(said, list)
    statements = [Statement(*one.values()) for one in said]
    identifiers = row["identifiers"] or [f"actor:{row['actor_id']}"]
    first_at = row["first_at"]
    assert isinstance(identifiers, list)
    assert isinstance(first_at, int)
    return Speaker(str(row["actor_id"]), first_at, identifiers, statements)
