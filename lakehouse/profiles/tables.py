"""The tables of profiles, listed once, in flow order. Micro-batch, rebuild, check, reconcile, plan and docs loop over these lists."""

from lakehouse.profiles.declaration import LeafTable, ProfileTable
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.profiles.gold.scores import GOLD_SCORES
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS

LEAF: tuple[LeafTable, ...] = (
    SILVER_ACTIVITY_DAILY,
    SILVER_ORDERS,
    SILVER_PERSONAL_TRAITS,
)

GOLD: tuple[ProfileTable, ...] = (
    GOLD_RFM,
    GOLD_SEGMENTS,
    GOLD_SCORES,
    GOLD_ACTIVATION,
)

HANDED = frozenset(table for table in LEAF if any(table.parameter in gold.handed for gold in GOLD))
"""The leaf tables that gold is made from."""
