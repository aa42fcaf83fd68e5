"""The ledger of a lake that is older than it: what silver.events has of consent, taken in once, before the first micro-batch that keeps it."""

import logging

from lakehouse.consent.ledger import COLUMNS, statements
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction
from lakehouse.queries.known_records import is_news
from lakehouse.queries.unfinished import reached
from lakehouse.tables.consent import SILVER_CONSENT
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS

_ONCE = Transaction(application="history", batch_id=0)
log = logging.getLogger("stitchlake.consent")


def fill(lake: Lake, query: str) -> None:
    """Take in the statements of every event but those of a micro-batch of `query` that did not end: its replay brings them."""
    if not _is_empty(lake, SILVER_CONSENT) or _is_empty(lake, SILVER_EVENTS) or lake.has_had(SILVER_CONSENT, _ONCE):
        return
    ends = reached(lake, query, SILVER_CONSENT)
    before = lake.read(SILVER_EVENTS).where(~is_news(ends)).select(*COLUMNS, *BRONZE_EVENTS.key)
    lake.append(statements(before), SILVER_CONSENT, _ONCE)
    log.info("%s: filled from %s", SILVER_CONSENT.name, SILVER_EVENTS.name)


def _is_empty(lake: Lake, table: Table) -> bool:
    return lake.is_bare(table) or not lake.read(table).head(1)
