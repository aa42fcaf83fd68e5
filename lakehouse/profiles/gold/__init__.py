"""What is known of a profile: one module a table, with its contract, what it reads and its transform.

A table that the `events` query keeps is listed here, once, by its import; the order is that of what reads what.
"""

from lakehouse.profiles.gold.activation import GOLD_ACTIVATION as GOLD_ACTIVATION
from lakehouse.profiles.gold.contacts import GOLD_CONTACTS as GOLD_CONTACTS
from lakehouse.profiles.gold.product_affinity import GOLD_PRODUCT_AFFINITY as GOLD_PRODUCT_AFFINITY
from lakehouse.profiles.gold.rfm import GOLD_RFM as GOLD_RFM
from lakehouse.profiles.gold.scores import GOLD_SCORES as GOLD_SCORES
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS as GOLD_SEGMENTS
