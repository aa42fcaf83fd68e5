"""silver.decision_log -> what a read-out needs of it: who was told which arm and when, and the outcomes, by person. Frames of frames."""

from collections.abc import Mapping
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.experiments.persons import actors_of, by_person
from lakehouse.experiments.result_rows import LOG


def exposure_log(
    log: DataFrame, identity_edges: DataFrame, identity_map: DataFrame, *, since: Mapping[str, datetime] = {}
) -> DataFrame:
    """Rows LOG. kind: exposure (was shown something), decision (was decided on; the first of an experiment), outcome.

    unit: the person by now. told_as: the log's unit. decided_at: of the decision that was shown, or that it is.
    since: experiment -> time before which its decisions do not count.
    """
    decisions = log.where("kind = 'decision'")
    at_decision = decisions.select("decision_id", F.col("occurred_at").alias("decided_at")).dropDuplicates(
        ["decision_id"]
    )
    told = log.where("kind = 'outcome' OR kind = 'exposure' AND experiment IS NOT NULL").join(
        at_decision, on="decision_id", how="left"
    )
    arms = F.from_json(F.get_json_object("context", "$.arms"), "map<string, string>")
    in_arms = decisions.select("unit", "kind", "occurred_at", F.explode(arms).alias("experiment", "arm"))
    for name, at in since.items():
        in_arms = in_arms.where((F.col("experiment") != name) | (F.col("occurred_at") >= F.lit(at)))
    decided = (
        in_arms.groupBy("unit", "kind", "experiment", "arm")
        .agg(F.min("occurred_at").alias("occurred_at"))
        .withColumn("decided_at", F.col("occurred_at"))
    )
    rows = told.withColumn("decided_at", F.coalesce("decided_at", "occurred_at")).unionByName(
        decided, allowMissingColumns=True
    )
    return by_person(rows.withColumn("told_as", F.col("unit")).select(*LOG), identity_edges, identity_map)


def names_of_several(logged: DataFrame) -> DataFrame:
    """told_as: the names of everybody who was told two arms of an experiment."""
    told = logged.where("kind <> 'outcome'")
    several = told.groupBy("unit", "experiment", "kind").agg(F.count_distinct("arm").alias("arms")).where("arms > 1")
    return told.join(several.select("unit").distinct(), on="unit", how="left_semi").select("told_as").distinct()


def history_of(names: DataFrame, identity_edges: DataFrame, identity_history: DataFrame) -> DataFrame:
    """told_as, profile_id, valid_from, valid_to: the profiles each of the names belonged to, and when."""
    actors = actors_of(names.withColumnRenamed("told_as", "unit"), identity_edges).withColumnRenamed("unit", "told_as")
    return actors.join(identity_history, on="actor_id").select("told_as", "profile_id", "valid_from", "valid_to")
