"""A few small components of the identity graph, chosen to show how people are told together and apart.

The choice is deterministic: the same tables give the same examples. Identifiers leave Spark as digests, so that no
value, not even a user id, can reach the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

DRAWN_ACTORS = 8  # of one component; a drawing with more cannot be read
DRAWN_EDGES = 400  # bounds the collect; eight actors carry a few dozen
IDEAL_ACTORS = 5


@dataclass(frozen=True, kw_only=True)
class GraphActor:
    """`first_seen`: microseconds since 1970, for order only."""

    actor: str
    profile: str
    first_seen: int


@dataclass(frozen=True, kw_only=True)
class GraphEdge:
    """An identifier on an actor. `digest`: made for the page from the identifier, which it does not reveal."""

    actor: str
    type: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class GraphExample:
    """One component. `kind`: person, merge, shared or crowd. `actors`: drawn ones, of `component_actors` in all."""

    kind: str
    component: str
    actors: Sequence[GraphActor]
    edges: Sequence[GraphEdge]
    component_actors: int
    component_profiles: int


def read_examples(edges: DataFrame, map_: DataFrame, log: DataFrame) -> tuple[GraphExample, ...]:
    """At most one example of each kind, no component twice. Rows in: silver.identity_edges, _map and _log."""
    chosen = _choose(_components(edges, map_, log))
    if not chosen:
        return ()
    members = map_.where(F.col("component_id").isin([row["component_id"] for row in chosen]))
    carried = members.join(edges.drop("first_seen_at"), on="actor_id", how="inner")
    actors = _actors(carried)
    lines = _edges(carried, [actor.actor for of_one in actors.values() for actor in of_one])
    return tuple(
        GraphExample(
            kind=row["kind"],
            component=row["component_id"],
            actors=actors[row["component_id"]],
            edges=lines[row["component_id"]],
            component_actors=row["actors"],
            component_profiles=row["profiles"],
        )
        for row in chosen
    )


def _components(edges: DataFrame, map_: DataFrame, log: DataFrame) -> DataFrame:
    """One row per component of two actors or more: its actors, profiles, identifier types, whether a merge made it."""
    merged = log.where(F.col("type") == "merge").select("actor_id", F.lit(True).alias("is_merged")).distinct()
    members = map_.select("actor_id", "component_id", "profile_id").join(merged, on="actor_id", how="left")
    carried = edges.groupBy("actor_id").agg(F.collect_set("identifier_type").alias("types"))
    components = (
        members.join(carried, on="actor_id", how="inner")
        .groupBy("component_id")
        .agg(
            F.count(F.lit(1)).alias("actors"),
            F.count_distinct("profile_id").alias("profiles"),
            F.size(F.array_distinct(F.flatten(F.collect_set("types")))).alias("types"),
            F.coalesce(F.bool_or("is_merged"), F.lit(False)).alias("is_merged"),
        )
    )
    return components.where(F.col("actors") > 1)


def _choose(components: DataFrame) -> list[Row]:
    """The best component of each kind, with `kind`; a kind whose best is taken gives its next."""
    is_small = F.col("actors") <= DRAWN_ACTORS
    is_one = is_small & (F.col("profiles") == 1)
    distance = F.abs(F.col("actors") - IDEAL_ACTORS)
    kinds: dict[str, tuple[Column, Column, Column]] = {
        "person": (is_one, -F.col("types"), distance),
        "merge": (is_one & F.col("is_merged"), distance, -F.col("types")),
        "shared": (is_small & F.col("profiles").between(2, 4), distance, -F.col("types")),
        "crowd": (~is_small, -F.col("profiles"), -F.col("actors")),
    }
    candidates = F.array(
        *(
            F.when(fits, F.struct(F.lit(kind).alias("kind"), first.alias("first"), then.alias("then")))
            for kind, (fits, first, then) in kinds.items()
        )
    )
    place = F.row_number().over(Window.partitionBy("kind").orderBy("first", "then", "component_id"))
    rows = (
        components.select(
            "component_id", "actors", "profiles", F.explode(F.array_compact(candidates)).alias("candidate")
        )
        .select("component_id", "actors", "profiles", "candidate.*")
        .withColumn("place", place)
        .where(F.col("place") <= len(kinds))
        .orderBy("place")
        .collect()
    )
    chosen: list[Row] = []
    for kind in kinds:
        taken = {row["component_id"] for row in chosen}
        chosen += [row for row in rows if row["kind"] == kind and row["component_id"] not in taken][:1]
    return chosen


def _actors(carried: DataFrame) -> dict[str, tuple[GraphActor, ...]]:
    """component_id -> its actors to draw, those with the busiest identifiers first. Rows in: edges with their map row."""
    same = Window.partitionBy("component_id", "identifier_type", "identifier_token")
    busy = (
        carried.withColumn("carriers", F.count(F.lit(1)).over(same))
        .groupBy("component_id", "actor_id", "profile_id", F.unix_micros("first_seen_at").alias("first_seen"))
        .agg(F.max("carriers").alias("carriers"))
    )
    place = F.row_number().over(
        Window.partitionBy("component_id").orderBy(F.desc("carriers"), "first_seen", "actor_id")
    )
    rows = (
        busy.withColumn("place", place).where(F.col("place") <= DRAWN_ACTORS).orderBy("component_id", "place").collect()
    )
    found: dict[str, list[GraphActor]] = {}
    for row in rows:
        actor = GraphActor(actor=row["actor_id"], profile=row["profile_id"], first_seen=row["first_seen"])
        found.setdefault(row["component_id"], []).append(actor)
    return {component: tuple(actors) for component, actors in found.items()}


def _edges(carried: DataFrame, actors: list[str]) -> dict[str, tuple[GraphEdge, ...]]:
    """component_id -> the identifiers on the drawn actors, as digests."""
    digest = F.substring(F.sha2(F.concat_ws(":", "identifier_type", "identifier_token"), 256), 1, 12)
    rows = (
        carried.where(F.col("actor_id").isin(actors))
        .select("component_id", "actor_id", "identifier_type", digest.alias("digest"))
        .orderBy("component_id", "identifier_type", "digest", "actor_id")
        .limit(DRAWN_EDGES)
        .collect()
    )
    found: dict[str, list[GraphEdge]] = {}
    for row in rows:
        edge = GraphEdge(actor=row["actor_id"], type=row["identifier_type"], digest=row["digest"])
        found.setdefault(row["component_id"], []).append(edge)
    return {component: tuple(edges) for component, edges in found.items()}
