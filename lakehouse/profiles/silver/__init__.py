"""What the `events` query keeps at the leaf: one module a table, each from leaf rows alone. Listed here, once, by its import."""

from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY as SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS as SILVER_FEATURE_DAYS
from lakehouse.profiles.silver.orders import SILVER_ORDERS as SILVER_ORDERS
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS as SILVER_PERSONAL_TRAITS
