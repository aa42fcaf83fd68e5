"""Whom a training may learn from: those who consented to its purpose and are not to be left alone. The purposes are [training]'s.

The words are those of gold.activation, read as the gate reads them (lakehouse/decisions/gate.py): what nobody was asked about is as
consent.jurisdictions and consent.never_asked say, and so is a profile that gold does not have yet.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.consent.defaults import Defaults
from lakehouse.profiles.gold.activation import word_in_row


def consenting(rows: DataFrame, activation: DataFrame, purpose: str, config: Config) -> DataFrame:
    """The rows of profiles that may be learned from. `rows`: with profile_id, null = of no profile yet. `activation`: gold.activation."""
    told = F.struct(word_in_row(purpose).alias("word"), "jurisdictions", "is_suppressed")
    said = activation.select("profile_id", told.alias("_said"))
    assumed = Defaults.of(config.consent).column(purpose, F.col("_said.jurisdictions"))
    is_willing = F.coalesce("_said.word", assumed) & ~F.coalesce("_said.is_suppressed", F.lit(False))
    return rows.join(said, on="profile_id", how="left").where(is_willing).select(*rows.columns)
