"""Everything the page says, as frozen values. `gather` is the one door between the report and the tables.

Each part is aggregated in Spark and collected bounded: by the number of event names, reasons, days, identifier types,
segments, the 25 cells of the heat map, and at most four example components of nine actors.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import functions as F

from lakehouse.catalog import TABLES
from lakehouse.demo.report.customer_facts import CustomerFacts, ScoreFacts, read_customers, read_scores
from lakehouse.demo.report.event_facts import EventFacts, read_events
from lakehouse.demo.report.identity_facts import IdentityFacts, read_identity
from lakehouse.demo.report.run import RunFacts
from lakehouse.lake.delta import Lake


@dataclass(frozen=True, kw_only=True)
class TableFact:
    name: str
    grain: str
    path: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class PageFacts:
    """One page. `currency`: ISO 4217 code of every amount."""

    run: RunFacts
    root: str
    currency: str
    tables: Sequence[TableFact]
    events: EventFacts
    identity: IdentityFacts
    customers: CustomerFacts
    scores: ScoreFacts

    def rows(self, table: str) -> int:
        """Rows of a table by name, 0 where it is not among the page's tables."""
        return next((fact.rows for fact in self.tables if fact.name == table), 0)


def gather(lake: Lake, *, run: RunFacts) -> PageFacts:
    """Read the page's facts from a lake whose tables exist, empty or not. Changes nothing."""
    return PageFacts(
        run=run,
        root=lake.root,
        currency=lake.config.events.default_currency,
        tables=_tables(lake),
        events=read_events(lake),
        identity=read_identity(lake),
        customers=read_customers(lake),
        scores=read_scores(lake),
    )


def _tables(lake: Lake) -> tuple[TableFact, ...]:
    """Row counts of all tables in one Spark job."""
    counts = (
        lake.read(table).agg(F.count(F.lit(1)).alias("rows")).select(F.lit(name).alias("name"), "rows")
        for name, table in TABLES.items()
    )
    rows = {
        row["name"]: row["rows"]
        for row in functools.reduce(lambda above, below: above.unionAll(below), counts).collect()
    }
    return tuple(
        TableFact(name=name, grain=table.grain, path=lake.path(table), rows=rows[name])
        for name, table in TABLES.items()
    )
