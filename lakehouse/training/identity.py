"""The matcher of people whose traits agree although no identifier does: Fellegi-Sunter, without labels.

./spark-submit.sh ml/train_identity.py

Reads silver.personal_traits, the traits of [matching.traits], of those who may be learned from (consenting.py); the model becomes
the champion `identity`, and the running stream matches everybody anew with its next micro-batch. See
lakehouse/matching/training.py for the method.
"""

from dataclasses import dataclass

from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake
from lakehouse.matching.fields import fields
from lakehouse.matching.model import MatchModel
from lakehouse.matching.records import atoms, records
from lakehouse.matching.training import TrainedMatcher
from lakehouse.matching.training import train as train_matcher
from lakehouse.models.publish import Trained as Published
from lakehouse.models.publish import publish, snapshot
from lakehouse.models.registry import IDENTITY
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.training.consenting import consenting


@dataclass(frozen=True, kw_only=True)
class IdentitySummary:
    """What one training found."""

    version: str
    trained: TrainedMatcher

    @property
    def model(self) -> MatchModel:
        return self.trained.model

    def table(self) -> str:
        """For a person: sizes, and per field the bits of every level of agreement."""
        trained = self.trained
        lines = [
            f"identity model {self.version} is champion: {trained.records:,} records, {trained.candidates:,} pairs compared, "
            f"{trained.expected_matches:,.0f} of them expected to be one person, {len(self.model.rules)} blocking rules",
            f"{trained.expected_together:,.0f} pairs are expected to be two people who live together or behind one door",
            f"{'field':<24} {'kind':<12} {'shared':>6} bits by level of agreement; shared: how often a household has one value",
        ]
        household = self.model.sharing[0].shared if self.model.sharing else [0.0] * len(self.model.comparisons)
        for comparison, shared in zip(self.model.comparisons, household, strict=True):
            bits = ", ".join(f"{level.label} {level.bits:+.1f}" for level in comparison.levels)
            lines.append(f"{comparison.field.name:<24} {comparison.field.kind:<12} {shared:>6.2f} {bits}")
        return "\n".join(lines)


def train(lake: Lake) -> IdentitySummary:
    """Train on silver.personal_traits as it stands, register, make champion.

    Raises:
        ModelError: too few described actors, no two of them have anything in common, or the traits tell two people apart too
            rarely, or two people of one household not at all.
    """
    config = lake.config
    compared = fields(config.matching.traits)
    tables = (SILVER_PERSONAL_TRAITS, SILVER_IDENTITY_MAP, GOLD_ACTIVATION)
    (traits, identity_map, activation), versions = zip(*(snapshot(lake, table) for table in tables), strict=True)
    placed = traits.join(identity_map.select("actor_id", "profile_id"), on="actor_id", how="left")
    willing = consenting(placed, activation, config.training.identity, config).select(*traits.columns)
    region = config.events.default_region
    found = atoms(compared)
    # By a hash of the id: the same sample on every run, and in an order that says nothing of who is who.
    chosen = (
        records(willing, compared, region=region)
        .orderBy(F.xxhash64("actor_id"), "actor_id")
        .limit(config.matching.sample_records)
    )
    values = chosen.select(
        *(f"v{i}" for i in range(len(compared))), *(part.alias(name) for name, (_, part) in found.items())
    )
    trained = train_matcher(values.toPandas(), compared, config.matching, config.privacy, region=region)
    published = Published(
        name=IDENTITY,
        parameters=trained.model.to_parameters(),
        metrics={
            "candidates": trained.candidates,
            "expected_matches": trained.expected_matches,
            "expected_together": trained.expected_together,
        },
        settings={"seed": config.matching.seed, "records": trained.records, "rules": len(trained.model.rules)},
        snapshot={table.name: version for table, version in zip(tables, versions, strict=True)},
    )
    return IdentitySummary(version=publish(config, published), trained=trained)
