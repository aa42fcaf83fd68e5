"""What a micro-batch says of the identity graph: its actors, the identifiers they carry, and what else is due."""

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.events.identifier import Identifier
from lakehouse.identity.touched_components import EDGE_KEY
from lakehouse.profiles.stitching import identity_tables

GRAPH_COLUMNS = ("actor_id", "identifiers", "first_at")  # what of a leaf row concerns the graph


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


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a micro-batch says of the graph. All of it may be empty.

    actors: [actor_id, first_seen_at]. new_edges: [actor_id, identifier_type, identifier_token] and, where they say
    something new, kind and weight. gone_edges: keys of stored edges that no longer hold. seeds: actors whose components
    are solved again whatever the batch brings; `also` the same by identifier.
    """

    actors: pd.DataFrame
    new_edges: pd.DataFrame
    gone_edges: pd.DataFrame | None = None
    seeds: Collection[str] = ()
    also: Collection[Identifier] = ()

    @property
    def are_none(self) -> bool:
        frames = [self.actors, self.new_edges] + ([] if self.gone_edges is None else [self.gone_edges])
        return not (self.seeds or self.also or any(map(len, frames)))


def facts_of(leaves: pa.Table | None) -> Facts:
    """Of leaf rows on the driver, GRAPH_COLUMNS of them: bounded by profiles.max_offsets_per_trigger. None = no event came."""
    columns = list(GRAPH_COLUMNS)
    batch = pd.DataFrame(columns=columns) if leaves is None else identity_tables.plain(leaves.select(columns))
    first_at = batch.groupby("actor_id")["first_at"].min()
    batch = batch.drop_duplicates("actor_id")
    rows = [
        (actor, identifier["type"], identifier["token"])
        for actor, identifiers in zip(batch["actor_id"].tolist(), batch["identifiers"].tolist(), strict=True)
        for identifier in identifiers
    ]
    return Facts(
        actors=first_at.rename("first_seen_at").reset_index(),
        new_edges=pd.DataFrame(rows, columns=EDGE_KEY, dtype="str"),
    )
