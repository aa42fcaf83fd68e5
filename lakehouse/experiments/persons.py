"""Who the units of the decision log are by now: a person that was counted under two names is one in a read-out. Pure."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def by_person(log: DataFrame, identity_edges: DataFrame, identity_map: DataFrame) -> DataFrame:
    """`log` with `unit` set to the profile it belongs to now; as it was where that is none, or several.

    A unit is an identifier, `<type>:<token>`, or a profile_id, which is the id of an actor.
    """
    profiles = (
        actors_of(log.select("unit").distinct(), identity_edges)
        .join(identity_map.select("actor_id", "profile_id"), on="actor_id")
        .groupBy("unit")
        .agg(F.collect_set("profile_id").alias("profiles"))
    )
    persons = profiles.where(F.size("profiles") == 1).select("unit", F.get("profiles", F.lit(0)).alias("person"))
    joined = log.join(persons, on="unit", how="left")
    return joined.withColumn("unit", F.coalesce("person", "unit")).select(*log.columns)


def actors_of(units: DataFrame, identity_edges: DataFrame) -> DataFrame:
    """unit, actor_id: the actors that carry each `unit`, and the one it is the id of, whether there is one or not."""
    named = identity_edges.where("kind = 'deterministic'").select(
        F.concat_ws(":", "identifier_type", "identifier_token").alias("unit"), "actor_id"
    )
    return units.join(named, on="unit").unionByName(units.withColumn("actor_id", F.col("unit")))
