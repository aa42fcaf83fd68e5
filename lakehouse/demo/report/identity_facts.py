"""Actors, profiles and identifiers, read from the silver identity tables."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from lakehouse.demo.report.identity_examples import GraphExample, read_examples
from lakehouse.lake.delta import Lake
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_LOG, SILVER_IDENTITY_MAP

MOST_CODES = 50
SIZE_CAP = 50  # actors; larger profiles are counted together


@dataclass(frozen=True, kw_only=True)
class IdentifierType:
    """Distinct identifiers of one type; those several actors carry; those actors of several profiles carry."""

    type: str
    distinct: int
    shared: int
    across_profiles: int


@dataclass(frozen=True, kw_only=True)
class IdentityFacts:
    """The graph in figures.

    `profile_sizes`, `component_sizes`: how many have that many actors, sizes of SIZE_CAP and more under SIZE_CAP.
    `changes`: rows of the identity log by type. `causes`: actors by what ties them to their profile; None = it is named after them.
    """

    actors: int = 0
    profiles: int = 0
    components: int = 0
    largest_profile: int = 0
    types: Sequence[IdentifierType] = ()
    profile_sizes: Mapping[int, int] = field(default_factory=dict)
    component_sizes: Mapping[int, int] = field(default_factory=dict)
    changes: Mapping[str, int] = field(default_factory=dict)
    causes: Mapping[str | None, int] = field(default_factory=dict)
    examples: Sequence[GraphExample] = ()


def read_identity(lake: Lake) -> IdentityFacts:
    edges, map_, log = (lake.read(t) for t in (SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP, SILVER_IDENTITY_LOG))
    sizes = _sizes(map_)
    codes = _codes(log.select(F.lit("change").alias("of"), "type"), map_.select(F.lit("cause").alias("of"), "cause"))
    return IdentityFacts(
        actors=sum(row["total"] for row in sizes if row["level"] == "profile"),
        profiles=sum(row["count"] for row in sizes if row["level"] == "profile"),
        components=sum(row["count"] for row in sizes if row["level"] == "component"),
        largest_profile=max((row["largest"] for row in sizes if row["level"] == "profile"), default=0),
        types=_types(edges, map_),
        profile_sizes={row["size"]: row["count"] for row in sizes if row["level"] == "profile"},
        component_sizes={row["size"]: row["count"] for row in sizes if row["level"] == "component"},
        changes={row["code"]: row["count"] for row in codes if row["of"] == "change"},
        causes={row["code"]: row["count"] for row in codes if row["of"] == "cause"},
        examples=read_examples(edges, map_, log),
    )


def _sizes(map_: DataFrame) -> list[Row]:
    """One row per level (profile or component) and size in actors: their count, actors in all, largest."""
    profiles = map_.groupBy(F.lit("profile").alias("level"), F.col("profile_id").alias("id")).count()
    components = map_.groupBy(F.lit("component").alias("level"), F.col("component_id").alias("id")).count()
    sized = profiles.unionAll(components).withColumnRenamed("count", "actors")
    counts = sized.groupBy("level", F.least("actors", F.lit(SIZE_CAP)).cast("int").alias("size")).agg(
        F.count(F.lit(1)).alias("count"), F.sum("actors").alias("total"), F.max("actors").alias("largest")
    )
    return counts.orderBy("level", "size").collect()


def _codes(*frames: DataFrame) -> list[Row]:
    """Rows by what they are of and their code, most frequent first, in one Spark job."""
    counts = (frame.toDF("of", "code").groupBy("of", "code").count().limit(MOST_CODES) for frame in frames)
    both = functools.reduce(lambda above, below: above.unionAll(below), counts)
    return both.orderBy("of", F.desc("count"), "code").collect()


def _types(edges: DataFrame, map_: DataFrame) -> tuple[IdentifierType, ...]:
    identifiers = (
        edges.join(map_.select("actor_id", "profile_id"), on="actor_id", how="inner")
        .groupBy("identifier_type", "identifier_token")
        .agg(F.count(F.lit(1)).alias("actors"), F.count_distinct("profile_id").alias("profiles"))
    )
    types = identifiers.groupBy("identifier_type").agg(
        F.count(F.lit(1)).alias("distinct"),
        F.count_if(F.col("actors") > 1).alias("shared"),
        F.count_if(F.col("profiles") > 1).alias("across_profiles"),
    )
    return tuple(
        IdentifierType(
            type=row["identifier_type"],
            distinct=row["distinct"],
            shared=row["shared"],
            across_profiles=row["across_profiles"],
        )
        for row in types.orderBy(F.desc("distinct"), "identifier_type").limit(MOST_CODES).collect()
    )
