"""The identity step of a micro-batch: what of the graph the batch touches, solved and written.

Only the components that the batch's new actors reach are read; `lakehouse.identity` solves them as one pure function of
their edges. Writes go edges, log, map: each is recomputed from what is stored, so a crash between two of them heals on
replay, and the log is never behind the map.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import IdentifierRule
from lakehouse.contracts.profiles import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_LOG, SILVER_IDENTITY_MAP
from lakehouse.identity.touched import Resolution, resolve
from lakehouse.io import Lake, arrow


def actors(leaves: DataFrame) -> DataFrame:
    """Leaf rows -> one row per actor: its identifiers and its earliest event in these leaves."""
    return leaves.groupBy("actor_id").agg(
        F.first("identifiers").alias("identifiers"), F.min("first_at").alias("first_seen_at")
    )


def edges(of_actors: DataFrame) -> DataFrame:
    """Actors -> rows of silver.identity_edges."""
    return of_actors.select("actor_id", F.explode("identifiers").alias("identifier"), "first_seen_at").select(
        "actor_id",
        F.col("identifier.type").alias("identifier_type"),
        F.col("identifier.token").alias("identifier_token"),
        "first_seen_at",
        F.lit("deterministic").alias("kind"),
        F.lit(0.0).alias("weight"),
    )


def placed(batch_edges: DataFrame, identity_map: DataFrame) -> DataFrame:
    """`edges` of a batch, each with the profile its actor is in and since when; null = not in the map yet."""
    known = identity_map.select("actor_id", "profile_id", F.col("first_seen_at").alias("known_since"))
    return known.join(F.broadcast(batch_edges), on="actor_id", how="right")


def touched(new_edges: DataFrame, identity_edges: DataFrame, identity_map: DataFrame) -> DataFrame:
    """Stored edges, each with its actor's row of the map, of every component that shares an identifier or an actor with
    `new_edges`. No actor is without an edge, so these are the components whole.
    """
    tokens = new_edges.select("identifier_type", "identifier_token").distinct()
    reached = identity_edges.join(F.broadcast(tokens), on=["identifier_type", "identifier_token"], how="left_semi")
    reached_actors = reached.select("actor_id").union(new_edges.select("actor_id")).distinct()
    components = identity_map.join(reached_actors, on="actor_id", how="left_semi").select("component_id").distinct()
    members = identity_map.join(components, on="component_id", how="left_semi")
    of_edge = identity_edges.withColumnRenamed("first_seen_at", "edge_first_seen_at")
    return of_edge.join(members, on="actor_id", how="inner")


def resolve_batch(
    lake: Lake,
    leaves: DataFrame,
    rules: Mapping[str, IdentifierRule],
    *,
    application: str,
    batch_id: int,
    now: datetime,
) -> set[str]:
    """Bring edges, log and map up to date with the batch.

    Returns the profiles its actors are in now, and those that lost or won actors. Collects the batch's actors and the
    touched components to the driver: bounded by profiles.max_offsets_per_trigger and by the size of those components.
    """
    identity_map, identity_edges = lake.read(SILVER_IDENTITY_MAP), lake.read(SILVER_IDENTITY_EDGES)
    of_batch = placed(edges(actors(leaves)), identity_map).toPandas()
    # An actor that is known, and was not seen earlier than known, brings nothing.
    is_new = of_batch["known_since"].isna() | (of_batch["first_seen_at"] < of_batch["known_since"])
    touched_profiles = set(of_batch["profile_id"].dropna())
    new_edges = of_batch[is_new]
    if new_edges.empty:
        return touched_profiles
    stored = touched(lake.frame(arrow(new_edges, SILVER_IDENTITY_EDGES)), identity_edges, identity_map).toPandas()
    resolution = resolve(
        new_edges[["actor_id", "first_seen_at"]].drop_duplicates("actor_id"),
        new_edges[SILVER_IDENTITY_EDGES.column_names],
        stored[SILVER_IDENTITY_MAP.column_names].drop_duplicates("actor_id"),
        stored.assign(first_seen_at=stored["edge_first_seen_at"])[SILVER_IDENTITY_EDGES.column_names],
        rules,
        batch_id=batch_id,
        now=now.astimezone(UTC).replace(tzinfo=None),  # as toPandas gives its timestamps
    )
    write(lake, resolution, application=application, batch_id=batch_id)
    moved = resolution.log_rows[["from_profile_id", "to_profile_id"]].stack()
    return touched_profiles | set(resolution.map_rows["profile_id"]) | set(moved.dropna())


def write(lake: Lake, resolution: Resolution, *, application: str, batch_id: int) -> None:
    """Edges, then log, then map: see the module's docstring for why in this order."""
    edge_rows = arrow(resolution.edge_rows, SILVER_IDENTITY_EDGES)
    lake.upsert(edge_rows, SILVER_IDENTITY_EDGES, update_when="new.first_seen_at < stored.first_seen_at")
    log_rows = arrow(resolution.log_rows, SILVER_IDENTITY_LOG)
    lake.append_rows(log_rows, SILVER_IDENTITY_LOG, application=application, batch_id=batch_id)
    lake.upsert(arrow(resolution.map_rows, SILVER_IDENTITY_MAP), SILVER_IDENTITY_MAP)
