"""Whom a training may learn from: those who consented to its purpose and are not to be left alone. The purposes are [training]'s.

The words are those of gold.activation, read as the gate reads them (lakehouse/decisions/gate.py): what nobody was asked about is as
consent.never_asked says, and so is a profile that gold does not have yet.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config


def consenting(rows: DataFrame, activation: DataFrame, purpose: str, config: Config) -> DataFrame:
    """The rows of profiles that may be learned from. `rows`: with profile_id, null = of no profile yet. `activation`: gold.activation."""
    word, is_suppressed = F.col(f"_said.consent_{purpose}"), F.col("_said.is_suppressed")
    said = activation.select("profile_id", F.struct(f"consent_{purpose}", "is_suppressed").alias("_said"))
    is_willing = F.coalesce(word, F.lit(config.consent.assumed)) & ~F.coalesce(is_suppressed, F.lit(False))
    return rows.join(said, on="profile_id", how="left").where(is_willing).select(*rows.columns)
