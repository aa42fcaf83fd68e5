"""What a rebuild takes as it is stored: rows of days whose events, or records, have gone by age.

Profiles outlive the events they were made of, as sums outlive what was summed. So from the day on from which all records are there (`since`) everything is made
again of them, and may differ; what was told before stands as it was folded then, and nothing can say any more whether that is right.

    days       rows of activity_daily and feature_days before the day; each later row is of later events alone
    facts      of an order the statements and refunds of before; of an actor the traits, of the graph the actors; of a product and of an experiment the word
               of before: all are folded with what is made again, by the one rule of each table
    ledger     statements of consent of before
    sessions   those that began before the day after: one that began the evening before may have gone on
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.events.fact_tables import FACT_TABLES
from lakehouse.lake.beginnings import first_day, midnight
from lakehouse.lake.delta import Lake, conform
from lakehouse.profiles.declaration import LeafTable
from lakehouse.profiles.silver import orders
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS, newest
from lakehouse.sessions.rebuilt_sessions import settled_from
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.tables.consent import SILVER_CONSENT
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES

RECORDS = (BRONZE_EVENTS, SILVER_EVENTS, SILVER_SESSIONS)
"""What a rebuild needs whole, or from one day on."""


@dataclass(frozen=True, kw_only=True)
class KeptRows:
    """Of one lake. since: the first day that can be made again."""

    lake: Lake
    since: date

    @property
    def begins(self) -> datetime:
        return midnight(self.since)

    def events(self, events: DataFrame) -> DataFrame:
        """Those of the days that can be made again."""
        return events.where(F.col("occurred_at") >= F.lit(self.begins))

    @property
    def balanced_from(self) -> datetime:
        """Of an event that happened since no repeat can have gone."""
        return self.begins + timedelta(days=self.lake.config.events.dedupe_days + 1)

    def whole_events(self, events: DataFrame) -> DataFrame:
        """Those of whose repeats none can have gone."""
        return events.where(F.col("occurred_at") >= F.lit(self.balanced_from))

    def leaf(self, table: LeafTable, leaves: DataFrame) -> DataFrame:
        """Leaf rows of these days -> all rows of the table."""
        if table == SILVER_ORDERS:
            return orders.settled(orders.together(orders.facts(leaves), self._facts_of_orders()))
        made, stored = conform(table.transform(leaves), table), self.lake.read(table)
        if table == SILVER_PERSONAL_TRAITS:
            return newest(made.unionByName(stored.where(F.col("seen_at") < F.lit(self.begins))))
        return made.unionByName(stored.where(F.col("activity_date") < F.lit(self.since)))

    def _facts_of_orders(self) -> DataFrame:
        told = {name: F.filter(name, lambda one: one["stated_at"] < F.lit(self.begins)) for name in orders.FACTS}
        facts = self.lake.read(SILVER_ORDERS).select("order_id", *(told[name].alias(name) for name in told))
        return facts.where(F.size("statements") + F.size("refunds") > 0)

    def actors(self, of_actors: DataFrame) -> DataFrame:
        """Rows of lakehouse/profiles/stitching/graph_facts.actors, with the actors whose first event has gone."""
        identifier = F.struct(F.col("identifier_type").alias("type"), F.col("identifier_token").alias("token"))
        edges = self.lake.read(SILVER_IDENTITY_EDGES).where("kind = 'deterministic'")
        before = edges.where(F.col("first_seen_at") < F.lit(self.begins))
        known = before.groupBy("actor_id").agg(
            F.array_sort(F.collect_set(identifier)).alias("identifiers"), F.min("first_seen_at").alias("first_seen_at")
        )
        both = known.unionByName(of_actors).groupBy("actor_id")
        return both.agg(F.first("identifiers").alias("identifiers"), F.min("first_seen_at").alias("first_seen_at"))

    def consent(self, statements: DataFrame) -> DataFrame:
        before = self.lake.read(SILVER_CONSENT).where(F.col("said_at") < F.lit(self.begins))
        return conform(statements, SILVER_CONSENT).unionByName(before)

    def sessions(self, made: DataFrame) -> DataFrame:
        settled = F.lit(settled_from(self.begins))
        before = self.lake.read(SILVER_SESSIONS).where(F.col("started_at") < settled)
        return conform(made, SILVER_SESSIONS).where(F.col("started_at") >= settled).unionByName(before)

    def facts(self, made: Mapping[Table, DataFrame]) -> dict[Table, DataFrame]:
        """Rows of the tables of facts: of each key the one that holds, of what is stored and what is made again."""
        return {table: self._of_facts(table, rows) for table, rows in made.items()}

    def _of_facts(self, table: Table, made: DataFrame) -> DataFrame:
        fold = FACT_TABLES[table]
        before = self.lake.read(table).where(F.col(fold.time) < F.lit(self.begins))
        ranked = Window.partitionBy(*table.key).orderBy(*fold.first_holds())
        both = conform(made, table).unionByName(before).withColumn("place", F.row_number().over(ranked))
        return both.where("place = 1").drop("place")


def kept_rows(lake: Lake) -> KeptRows | None:
    """None: no event or record has gone by age, and everything is made again."""
    since = first_day(lake, RECORDS)
    return None if since is None else KeptRows(lake=lake, since=since)
