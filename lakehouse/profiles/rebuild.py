"""What the tables of profiles must hold, computed from silver.events in one batch: the stream's oracle and repair kit.

Personal traits are not in silver by design, so they are parsed from bronze again, for the records silver accepted. So are facts of no
person, whose tables are folded from the archive like the stream folds them.

Where events or records have gone by age, what was made of them is taken as it is stored: see kept_rows.py.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.consent.ledger import COLUMNS as STATED
from lakehouse.consent.ledger import statements
from lakehouse.events.declared_properties import DeclaredProperty, with_declared
from lakehouse.events.erased import hold_back
from lakehouse.events.event_rows import NOTHING_DECLARED, Declarations
from lakehouse.events.fact_tables import FACT_TABLES
from lakehouse.events.parse import parse
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.lake.delta import Lake
from lakehouse.profiles.declaration import ChampionModels
from lakehouse.profiles.derivation import GoldRows, derive
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.audiences import NO_AUDIENCES, Audiences, gold_audiences
from lakehouse.profiles.gold.features import GOLD_FEATURES, gold_features
from lakehouse.profiles.kept_rows import KeptRows, kept_rows
from lakehouse.profiles.leaf import EVENT_COLUMNS, leaf, with_day
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS
from lakehouse.profiles.stitching.graph_facts import actors
from lakehouse.profiles.stitching.rebuilt_identity import rebuilt_identity
from lakehouse.profiles.tables import LEAF, gold_of
from lakehouse.sessions.rebuilt_sessions import rebuilt_sessions
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.tables.consent import SILVER_CONSENT
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP

SOURCES = (BRONZE_EVENTS, SILVER_EVENTS)
"""What a rebuild is made from: without these there is nothing to rebuild."""


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """Every table of profiles that follows from events, by contract: facts, leaf and identity tables and sessions in `silver`, and gold."""

    silver: dict[Table, DataFrame]
    gold: GoldRows

    @property
    def tables(self) -> dict[Table, DataFrame]:
        return dict([*self.silver.items(), *self.gold.tables.items()])


def bronze_records(lake: Lake) -> DataFrame:
    """bronze.events with the column names of lakehouse/kafka/source.py."""
    return lake.read(BRONZE_EVENTS).withColumnsRenamed({"kafka_timestamp": "timestamp", "ingested_at": "arrived_at"})


def parsed_bronze(lake: Lake, declared: Declarations = NOTHING_DECLARED) -> DataFrame:
    """Every record of bronze as lakehouse/events/parse.py reads it, but for those of people who were erased."""
    return hold_back(lake, declared).left(parse(bronze_records(lake), lake.config, declared))


def read_again(lake: Lake, declared: Declarations = NOTHING_DECLARED) -> DataFrame:
    """Every record of bronze by its verdict, and what of it silver does not keep: [lineage, message_id, content_hash, occurred_at, reason, traits, source, fact]."""
    read = parsed_bronze(lake, declared)
    return read.select(
        *BRONZE_EVENTS.key, "message_id", "content_hash", "occurred_at", "reason", "traits", "source", "fact"
    )


def rebuilt_ledger(lake: Lake, kept: KeptRows | None = None) -> DataFrame:
    """silver.events -> rows of silver.consent."""
    told = lake.read(SILVER_EVENTS).select(*STATED)
    return statements(told) if kept is None else kept.consent(statements(kept.events(told)))


def rebuilt_leaves(
    lake: Lake,
    told: DataFrame,
    features: Features = NO_FEATURES,
    properties: Sequence[DeclaredProperty] = (),
    kept: KeptRows | None = None,
) -> DataFrame:
    """silver.events (without bots) and the traits of bronze -> leaf rows. told: [lineage, traits, source, fact]. properties: those that are declared.
    kept: what is there from one day on; None = everything.
    """
    lineage, rates = list(BRONZE_EVENTS.key), lake.config.money.rates
    of_people = lake.read(with_declared(SILVER_EVENTS, properties)).where(~F.col("is_bot"))
    of_people = of_people if kept is None else kept.events(of_people)
    events = with_day(of_people.select(*EVENT_COLUMNS, *features.reads, *lineage))
    traits = told.where(F.col("traits").isNotNull()).drop("fact")
    return leaf(events.join(traits, on=lineage, how="left"), rates=rates, features=features)


def _of_facts(facts: DataFrame, kept: KeptRows | None) -> dict[Table, DataFrame]:
    made = {table: fold.rows(facts) for table, fold in FACT_TABLES.items()}
    return made if kept is None else kept.facts(made)


def _at_stored_times(lake: Lake, profiles: DataFrame, table: Table) -> DataFrame:
    """The profiles, each at the time its row of the table was taken at; one that has none, at the time it comes with."""
    stored = lake.read(table).select("profile_id", F.col("as_of").alias("stored_as_of"))
    return profiles.join(stored, on="profile_id", how="left").select(
        "profile_id", F.coalesce("stored_as_of", "as_of").alias("as_of")
    )


def rebuild(
    lake: Lake,
    champions: ChampionModels,
    *,
    now: datetime,
    keep_as_of: bool,
    declared: Declarations = NOTHING_DECLARED,
    features: Features = NO_FEATURES,
    audiences: Audiences = NO_AUDIENCES,
    read: DataFrame | None = None,
) -> Rebuilt:
    """Compute every table of profiles from silver. `declared`: how records are read. `features`, `audiences`: those of gold.features and gold.audiences;
    none = the table is left out.

    `read`: the records are read already, see `read_again`, and kept.

    `keep_as_of`: take each stored profile's features at the time its stored row was scored, so that a comparison sees
    differences of content, not of the clock. Collects the whole identity graph to the driver.
    """
    is_wanted = F.col("traits").isNotNull() | F.col("fact").isNotNull()
    told = (read_again(lake, declared) if read is None else read).where(is_wanted)
    told = told.select(*BRONZE_EVENTS.key, "traits", "source", "fact")
    told = told.persist() if read is None else told
    kept = kept_rows(lake)
    leaves = rebuilt_leaves(lake, told, features, declared.properties, kept).persist()
    of_actors = (actors(leaves) if kept is None else kept.actors(actors(leaves))).persist()
    silver = _of_facts(told.where(F.col("fact").isNotNull()), kept)
    for table in LEAF:
        silver[table] = (table.transform(leaves) if kept is None else kept.leaf(table, leaves)).persist()
    silver[SILVER_CONSENT] = rebuilt_ledger(lake, kept)
    if lake.config.enrichment.sessions:
        silver[SILVER_SESSIONS] = rebuilt_sessions(lake) if kept is None else kept.sessions(rebuilt_sessions(lake))
    silver |= rebuilt_identity(lake, of_actors, silver[SILVER_PERSONAL_TRAITS], champions.matcher, now=now)
    identity_map = silver[SILVER_IDENTITY_MAP]
    newest = silver[SILVER_ACTIVITY_DAILY].agg(F.max("last_at")).first()
    as_of = F.lit(newest[0] if newest else None).cast("timestamp")
    profiles = identity_map.select("profile_id").distinct().withColumn("as_of", as_of)
    of_features = profiles
    if keep_as_of:  # features are made again when a window closes, and the other figures are not
        profiles, of_features = (_at_stored_times(lake, profiles, t) for t in (GOLD_ACTIVATION, GOLD_FEATURES))
    derived = functools.partial(
        derive, champions=champions, config=lake.config, settle=lambda _, rows: rows.localCheckpoint()
    )
    tables = derived(silver, profiles, tables=gold_of(lake.config))
    if features:
        tables |= derived(silver, of_features, tables=(gold_features(features),))
    if audiences:
        of_profiles: dict[Table, DataFrame] = dict(tables.items())
        tables |= derived(of_profiles, profiles, tables=(gold_audiences(audiences),))
    now_row = lake.spark.range(1).select(F.lit(now).alias("now"))
    return Rebuilt(silver=silver, gold=GoldRows(profiles=profiles, now=now_row, silver=silver, tables=tables))
