"""The contract of every table, in flow order.

Pure Python: no Spark session is needed to read it. Physical facts (path, trigger, checkpoint) live in configuration
and `lakehouse/lake/delta.py`.
"""

from lakehouse.tables.contract import Column, Table
from lakehouse.tables.decisions import GOLD_EXPERIMENT_RESULTS, SILVER_DECISION_LOG, SILVER_DECISION_LOG_QUARANTINE
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from lakehouse.tables.gold import (
    GOLD_ACTIVATION,
    GOLD_HOUSEHOLDS,
    GOLD_PRODUCTS,
    GOLD_RFM,
    GOLD_SCORES,
    GOLD_SEGMENTS,
)
from lakehouse.tables.matching import SILVER_IDENTITY_REVIEW, SILVER_MATCH_BLOCKS
from lakehouse.tables.overrides import SILVER_IDENTITY_OVERRIDES
from lakehouse.tables.silver import (
    SILVER_ACTIVITY_DAILY,
    SILVER_IDENTITY_EDGES,
    SILVER_IDENTITY_HISTORY,
    SILVER_IDENTITY_LOG,
    SILVER_IDENTITY_MAP,
    SILVER_IDENTITY_RULES,
    SILVER_ORDERS,
    SILVER_PERSONAL_TRAITS,
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        BRONZE_EVENTS,
        SILVER_EVENTS,
        SILVER_EVENTS_QUARANTINE,
        SILVER_ACTIVITY_DAILY,
        SILVER_ORDERS,
        SILVER_PERSONAL_TRAITS,
        SILVER_MATCH_BLOCKS,
        SILVER_IDENTITY_REVIEW,
        SILVER_IDENTITY_EDGES,
        SILVER_IDENTITY_OVERRIDES,
        SILVER_IDENTITY_MAP,
        SILVER_IDENTITY_LOG,
        SILVER_IDENTITY_HISTORY,
        SILVER_IDENTITY_RULES,
        GOLD_RFM,
        GOLD_SEGMENTS,
        GOLD_SCORES,
        GOLD_ACTIVATION,
        GOLD_HOUSEHOLDS,
        GOLD_PRODUCTS,
        SILVER_DECISION_LOG,
        SILVER_DECISION_LOG_QUARANTINE,
        GOLD_EXPERIMENT_RESULTS,
    )
}

__all__ = [
    "BRONZE_EVENTS",
    "GOLD_ACTIVATION",
    "GOLD_EXPERIMENT_RESULTS",
    "GOLD_HOUSEHOLDS",
    "GOLD_PRODUCTS",
    "GOLD_RFM",
    "GOLD_SCORES",
    "GOLD_SEGMENTS",
    "SILVER_ACTIVITY_DAILY",
    "SILVER_DECISION_LOG",
    "SILVER_DECISION_LOG_QUARANTINE",
    "SILVER_EVENTS",
    "SILVER_EVENTS_QUARANTINE",
    "SILVER_IDENTITY_EDGES",
    "SILVER_IDENTITY_HISTORY",
    "SILVER_IDENTITY_LOG",
    "SILVER_IDENTITY_MAP",
    "SILVER_IDENTITY_OVERRIDES",
    "SILVER_IDENTITY_REVIEW",
    "SILVER_IDENTITY_RULES",
    "SILVER_MATCH_BLOCKS",
    "SILVER_ORDERS",
    "SILVER_PERSONAL_TRAITS",
    "TABLES",
    "Column",
    "Table",
]
