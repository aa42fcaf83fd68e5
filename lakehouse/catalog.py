"""Every table there is, in flow order. A table is declared beside what makes it; here it is listed."""

from lakehouse.experiments.result_rows import GOLD_EXPERIMENT_RESULTS
from lakehouse.lake.lock import PARTS
from lakehouse.profiles.gold.audiences import GOLD_AUDIENCES
from lakehouse.profiles.gold.changes import GOLD_CHANGES
from lakehouse.profiles.gold.features import GOLD_FEATURES
from lakehouse.profiles.gold.households import GOLD_HOUSEHOLDS
from lakehouse.profiles.gold.order_balance import GOLD_ORDER_BALANCE
from lakehouse.profiles.tables import GOLD, LEAF
from lakehouse.recommend.products import GOLD_PRODUCTS
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.tables.audiences import OPS_AUDIENCE_MEMBERS
from lakehouse.tables.audit import OPS_AUDIT
from lakehouse.tables.consent import SILVER_CONSENT
from lakehouse.tables.contract import Table
from lakehouse.tables.decisions import SILVER_DECISION_LOG, SILVER_DECISION_LOG_QUARANTINE
from lakehouse.tables.drift import OPS_DRIFT
from lakehouse.tables.erasures import OPS_ERASED_IDENTIFIERS, OPS_ERASURES
from lakehouse.tables.events import (
    BRONZE_EVENTS,
    SILVER_EVENT_FAULTS,
    SILVER_EVENTS,
    SILVER_EVENTS_QUARANTINE,
    SILVER_QUARANTINE_REPLAYS,
)
from lakehouse.tables.exports import OPS_EXPORT_CHANGES, OPS_EXPORT_ROWS, OPS_EXPORT_RUNS
from lakehouse.tables.facts import SILVER_EXPERIMENT_STARTS, SILVER_PRODUCT_AVAILABILITY
from lakehouse.tables.fairness import OPS_FAIRNESS
from lakehouse.tables.identity import (
    SILVER_IDENTITY_EDGES,
    SILVER_IDENTITY_HISTORY,
    SILVER_IDENTITY_LOG,
    SILVER_IDENTITY_MAP,
    SILVER_IDENTITY_OVERRIDES,
    SILVER_IDENTITY_REVIEW,
    SILVER_IDENTITY_RULES,
    SILVER_MATCH_BLOCKS,
)
from lakehouse.tables.models import OPS_MODEL_VERDICTS
from lakehouse.tables.operations import OPS_LOST_RECORDS
from lakehouse.tables.quality import OPS_DATA_QUALITY

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        BRONZE_EVENTS,
        SILVER_EVENTS,
        SILVER_EVENT_FAULTS,
        SILVER_EVENTS_QUARANTINE,
        SILVER_QUARANTINE_REPLAYS,
        SILVER_PRODUCT_AVAILABILITY,
        SILVER_EXPERIMENT_STARTS,
        SILVER_CONSENT,
        *LEAF,
        SILVER_SESSIONS,
        SILVER_MATCH_BLOCKS,
        SILVER_IDENTITY_REVIEW,
        SILVER_IDENTITY_EDGES,
        SILVER_IDENTITY_OVERRIDES,
        SILVER_IDENTITY_MAP,
        SILVER_IDENTITY_LOG,
        SILVER_IDENTITY_HISTORY,
        SILVER_IDENTITY_RULES,
        *GOLD,
        GOLD_FEATURES,
        GOLD_AUDIENCES,
        GOLD_CHANGES,
        GOLD_HOUSEHOLDS,
        GOLD_ORDER_BALANCE,
        GOLD_PRODUCTS,
        SILVER_DECISION_LOG,
        SILVER_DECISION_LOG_QUARANTINE,
        GOLD_EXPERIMENT_RESULTS,
        OPS_LOST_RECORDS,
        OPS_DATA_QUALITY,
        OPS_DRIFT,
        OPS_FAIRNESS,
        OPS_EXPORT_RUNS,
        OPS_EXPORT_CHANGES,
        OPS_EXPORT_ROWS,
        OPS_AUDIENCE_MEMBERS,
        OPS_ERASURES,
        OPS_ERASED_IDENTIFIERS,
        OPS_AUDIT,
        OPS_MODEL_VERDICTS,
    )
}


def of_part(part: str | None) -> tuple[Table, ...]:
    """The tables whose writer holds that part of the lake, see lakehouse/lake/lock.py; None = the lake itself."""
    return tuple(table for table in TABLES.values() if PARTS.get(table.owner) == part)
