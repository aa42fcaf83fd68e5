"""What holds for profiles whose actors contradict each other: lakehouse/consent/standing.py, asked in one frame, or of few rows on the driver.

Of most profiles the latest word is the answer, and nobody asks here. A profile is asked about where some purpose has a yes and a no, by different
actors or days.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config.limits import PURPOSES
from lakehouse.consent.standing import Speaker, Statement, as_one, people
from lakehouse.tables.contract import ALSO_SAID
from lakehouse.tables.identity import MATCH

RULED = "ruled"  # map<string,boolean>: of every purpose somebody spoke of, whether it is allowed
_EPOCH, _MICROSECOND = datetime.fromtimestamp(0, UTC), timedelta(microseconds=1)
_OUT = pa.schema([("profile_id", pa.string()), (RULED, pa.map_(pa.string(), pa.bool_()))])
NO_RULINGS = pa.Table.from_batches([], schema=_OUT)


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


def rulings_of(activity_daily: pa.Table, edges: pa.Table, profile_of: Mapping[str, str]) -> pa.Table:
    """The same of few rows on the driver: of the profiles whose actors `edges` name. `profile_of`: by actor."""
    carried: dict[str, list[str]] = {}
    for edge in edges.select(["actor_id", "identifier_type", "identifier_token"]).to_pylist():
        if edge["identifier_type"] != MATCH:
            carried.setdefault(edge["actor_id"], []).append(f"{edge['identifier_type']}:{edge['identifier_token']}")
    is_asked = pc.is_in(activity_daily["actor_id"], value_set=edges["actor_id"].unique())
    days = activity_daily.filter(is_asked).select(["actor_id", "first_at", "consent", "also_said"]).to_pylist()
    said: dict[str, list[Statement]] = {}
    first_at: dict[str, int] = {}
    for day in days:
        actor, began = day["actor_id"], _micros(day["first_at"])
        said.setdefault(actor, []).extend(_said(day))
        first_at[actor] = min(first_at.get(actor, began), began)
    speakers: dict[str, list[Speaker]] = {}
    for actor, statements in said.items():
        one = Speaker(actor, first_at[actor], carried.get(actor) or [f"actor:{actor}"], statements)
        speakers.setdefault(profile_of[actor], []).append(one)
    return _table([(profile, _held(of_profile)) for profile, of_profile in sorted(speakers.items())])


def _said(day: Mapping[str, Any]) -> Iterator[Statement]:
    """Of a row of silver.activity_daily."""
    for purpose in PURPOSES:
        if (word := (day["consent"] or {}).get(purpose)) is not None:
            yield Statement(purpose, _micros(word["at"]), word["message_id"], word["is_allowed"])
    for word in day["also_said"] or ():
        yield Statement(word["purpose"], _micros(word["at"]), word["message_id"], word["is_allowed"])


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _ruled(rows: pa.Table) -> pa.Table:
    """Rows of one profile -> one row."""
    return _table([(rows["profile_id"][0].as_py(), _held(_speaker(row) for row in rows.to_pylist()))])


def _speaker(row: Mapping[str, Any]) -> Speaker:
    identifiers = row["identifiers"] or [f"actor:{row['actor_id']}"]
    return Speaker(row["actor_id"], row["first_at"], identifiers, [Statement(*one.values()) for one in row["words"]])


def _held(speakers: Iterable[Speaker]) -> list[tuple[str, bool]]:
    return [(purpose, one.is_allowed) for purpose, one in as_one(people(speakers)).items()]


def _table(ruled: Sequence[tuple[str, list[tuple[str, bool]]]]) -> pa.Table:
    names, words = zip(*ruled, strict=True) if ruled else ((), ())
    return pa.Table.from_arrays([pa.array(names, _OUT.types[0]), pa.array(words, _OUT.types[1])], schema=_OUT)
