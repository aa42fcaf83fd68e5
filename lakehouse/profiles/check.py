"""`rebuild --check`: every table against what silver, or bronze, says it must hold."""

from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.events.event_rows import NOTHING_DECLARED, Declarations
from lakehouse.events.parse import ARRIVED_AT
from lakehouse.events.quarantine import PLACE, still_open
from lakehouse.events.reasons import FACT
from lakehouse.lake.beginnings import beginning
from lakehouse.lake.delta import Lake
from lakehouse.profiles.differences import Difference, compare, summarise
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.changes import GOLD_CHANGES, UPSERTED
from lakehouse.profiles.kept_rows import KeptRows, kept_rows
from lakehouse.profiles.rebuild import Rebuilt, parsed_bronze, read_again
from lakehouse.profiles.stitching.history_table import compare_history, history_of, summarise_history
from lakehouse.quality.counts import first_broken
from lakehouse.tables.contract import Table
from lakehouse.tables.events import (
    BRONZE_EVENTS,
    SILVER_EVENTS,
    SILVER_EVENTS_QUARANTINE,
    SILVER_QUARANTINE_REPLAYS,
)
from lakehouse.tables.expectation import Action
from lakehouse.tables.identity import SILVER_IDENTITY_LOG, SILVER_IDENTITY_MAP


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Where the records of bronze went. `repeats` and `conflicts` are counted in bronze, not by subtraction."""

    bronze: int
    accepted: int  # distinct message ids bronze holds in good form, without the unexpected
    rejected: int  # records that break the contract
    conflicts: int  # same id, other content
    unexpected: int  # in good form, and put aside by an expectation
    repeats: int  # same id, same content; or rejected, and sent again in another form
    facts: int  # of no person, in tables of their own
    kept: KeptRows | None  # by which records were left out that are not whole

    @property
    def quarantine(self) -> int:
        return self.rejected + self.conflicts + self.unexpected

    @property
    def holds(self) -> bool:
        return self.accepted + self.quarantine + self.repeats + self.facts == self.bronze


def balance(lake: Lake, declared: Declarations = NOTHING_DECLARED, read: DataFrame | None = None) -> Balance:
    """Read bronze again and count. `declared`: how records are read. `read`: they are, see `read_again`.

    Where records have gone by age, those are counted of whose repeats none can have gone, and that say when they happened.
    """
    kept = kept_rows(lake)
    replays = F.broadcast(lake.read(SILVER_QUARANTINE_REPLAYS).select(*PLACE, F.lit(True).alias("is_replayed")))
    read = read_again(lake, declared) if read is None else read
    read = read if kept is None else kept.whole_events(read)
    good, is_fact, came_again = F.col("reason").isNull(), F.col("reason") == FACT, F.col("is_replayed")
    row = (
        read.join(replays, on=list(PLACE), how="left")
        .agg(
            F.count(F.lit(1)).alias("bronze"),
            F.count(F.when(~good & ~is_fact & came_again.isNull(), 1)).alias("rejected"),
            F.count(F.when(~good & ~is_fact & came_again, 1)).alias("came_again"),
            F.count(F.when(is_fact, 1)).alias("facts"),
            F.count(F.when(good, 1)).alias("good"),
            F.count_distinct(F.when(good, F.col("message_id"))).alias("accepted"),
            F.count_distinct(F.when(good, F.struct("message_id", "content_hash"))).alias("contents"),
        )
        .first()
    )
    assert row is not None
    unexpected = _unexpected(lake, declared, kept)
    return Balance(
        bronze=row["bronze"],
        accepted=row["accepted"] - unexpected,
        unexpected=unexpected,
        rejected=row["rejected"],
        conflicts=row["contents"] - row["accepted"],
        repeats=row["good"] - row["contents"] + row["came_again"],
        facts=row["facts"],
        kept=kept,
    )


def _unexpected(lake: Lake, declared: Declarations, kept: KeptRows | None) -> int:
    """Message ids whose first content an expectation puts aside; nothing is read where there is no such expectation."""
    breaks = first_broken(SILVER_EVENTS, Action.QUARANTINE)
    if breaks is None:
        return 0
    good = parsed_bronze(lake, declared).where(F.col("reason").isNull())
    good = good if kept is None else kept.whole_events(good)
    first = F.min_by(breaks, F.struct(ARRIVED_AT, *BRONZE_EVENTS.key))
    return good.groupBy("message_id").agg(first.alias("breaks")).where("breaks IS NOT NULL").count()


def check_events(lake: Lake, counted: Balance) -> Iterator[Difference]:
    """silver.events and its quarantine against the balance of bronze; bronze against its own key.

    Where records have gone by age, quarantine is not compared: a rejected record need not say when it happened.
    """
    bronze, silver, kept = lake.read(BRONZE_EVENTS), lake.read(SILVER_EVENTS), counted.kept
    yield _count(BRONZE_EVENTS, bronze.count(), bronze.select(*BRONZE_EVENTS.key).distinct().count())
    if kept is not None:
        yield _count(SILVER_EVENTS, kept.whole_events(silver).count(), counted.accepted)
        return
    yield _count(SILVER_EVENTS, silver.count(), counted.accepted)
    if beginning(lake, SILVER_EVENTS_QUARANTINE) is not None:
        return
    rejected = still_open(lake.read(SILVER_EVENTS_QUARANTINE), lake.read(SILVER_QUARANTINE_REPLAYS))
    yield _count(SILVER_EVENTS_QUARANTINE, rejected.count(), counted.quarantine)


def check_profiles(lake: Lake, rebuilt: Rebuilt) -> Iterator[Difference]:
    """Every table of profiles against its rebuild; the logs against what they tell of."""
    for table, expected in rebuilt.tables.items():
        yield summarise(table, compare(table, lake.read(table), expected))
    identity_map = rebuilt.silver[SILVER_IDENTITY_MAP].select("actor_id", F.col("profile_id").alias("to_profile_id"))
    yield _folds(SILVER_IDENTITY_LOG, lake.read(SILVER_IDENTITY_LOG), identity_map)
    yield summarise_history(compare_history(lake, history_of(lake)))
    yield _told(lake.read(GOLD_CHANGES), lake.read(GOLD_ACTIVATION))


def _folds(table: Table, log: DataFrame, identity_map: DataFrame) -> Difference:
    last = log.groupBy("actor_id").agg(F.max_by("to_profile_id", F.struct("changed_at", "batch_id")).alias("folded"))
    joined = identity_map.join(last, on="actor_id", how="full_outer")
    wrong = joined.where(~F.col("to_profile_id").eqNullSafe(F.col("folded"))).count()
    return Difference(table=table.name, rows=log.count(), missing=0, extra=0, changed=wrong)


def _told(changes: DataFrame, activation: DataFrame) -> Difference:
    """What was told of a profile last is so: it is there, or it is not."""
    last = changes.groupBy("profile_id").agg(F.max_by("kind", F.struct("changed_at", "version")).alias("told"))
    there = activation.select("profile_id", F.lit(True).alias("is_there"))
    joined = last.join(there, on="profile_id", how="left")
    wrong = joined.where((F.col("told") == UPSERTED) != F.coalesce("is_there", F.lit(False))).count()
    return Difference(table=GOLD_CHANGES.name, rows=changes.count(), missing=0, extra=0, changed=wrong)


def _count(table: Table, stored: int, expected: int) -> Difference:
    missing, extra = max(expected - stored, 0), max(stored - expected, 0)
    return Difference(table=table.name, rows=expected, missing=missing, extra=extra, changed=0)
