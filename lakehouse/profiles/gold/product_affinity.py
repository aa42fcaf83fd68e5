"""gold.product_affinity: what a profile did with a product, and how much it cares for it.

Affinity is a sum of weights, each halved for every HALF_LIFE_DAYS from its touch to the last one. There is no clock in it: at
read it is affinity * 0.5 ** (days since last_touch_at / HALF_LIFE_DAYS), so a row changes only when the profile does something.
Source: Cormode, Shkapenyuk, Srivastava, Xu (2009), Forward decay, ICDE, section III: weights grow from a landmark.
"""

from functools import cache

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.profiles import rollup
from lakehouse.profiles.declaration import ProfileTable
from lakehouse.tables.contract import MONEY, QUANTITY, optional, required

WEIGHTS = {"view": 1.0, "cart": 3.0, "order": 5.0}
HALF_LIFE_DAYS = 30
_LANDMARK = 1_577_836_800_000_000  # 2020 in microseconds; any gives the same affinity, near ours numbers stay small


def transform(silver_identity_map: DataFrame, silver_activity_daily: DataFrame, silver_orders: DataFrame) -> DataFrame:
    activity = rollup.profile_activity(silver_activity_daily, silver_identity_map)
    looks = activity.select("profile_id", F.inline("products")).withColumnRenamed("occurred_at", "at")
    orders = rollup.profile_orders(silver_orders, silver_identity_map)
    touches = looks.unionByName(_ordered(orders), allowMissingColumns=True).where(F.col("product_id").isNotNull())
    return touches.groupBy("profile_id", "product_id").agg(*_figures())


@cache
def _figures() -> list[Column]:
    weight = F.coalesce(*(F.when(F.col("kind") == kind, F.lit(value)) for kind, value in WEIGHTS.items()))
    counts = (F.count_if(F.col("kind") == kind).alias(f"{kind}_count") for kind in WEIGHTS)
    return [
        *counts,
        F.coalesce(F.try_sum("quantity"), F.lit(0)).try_cast(QUANTITY).alias("quantity"),
        F.coalesce(F.try_sum("revenue"), F.lit(0)).try_cast(MONEY).alias("revenue"),
        (F.sum(weight * _growth(F.col("at"))) / _growth(F.max("at"))).alias("affinity"),
        F.min("at").alias("first_touch_at"),
        F.max("at").alias("last_touch_at"),
    ]


def _ordered(orders: DataFrame) -> DataFrame:
    """One row per order and product: however many lines name it, it was ordered once."""
    lines = orders.select("profile_id", "order_id", F.col("ordered_at").alias("at"), F.inline("lines"))
    value = F.try_multiply("price", "quantity")
    return lines.groupBy("profile_id", "product_id", "order_id", "at", F.lit("order").alias("kind")).agg(
        F.try_sum("quantity").alias("quantity"), F.try_sum(value).alias("revenue")
    )


def _growth(at: Column) -> Column:
    """How much more a touch at this instant weighs than one at the landmark; beyond 80 years either way no more than there."""
    half_lives = (F.unix_micros(at) - F.lit(_LANDMARK)) / F.lit(HALF_LIFE_DAYS * 86_400_000_000.0)
    return F.pow(F.lit(2.0), F.least(F.lit(1000.0), F.greatest(F.lit(-1000.0), half_lives)))


GOLD_PRODUCT_AFFINITY = ProfileTable(
    name="gold.product_affinity",
    grain="one row per profile and product",
    key=("profile_id", "product_id"),
    transform=transform,
    columns=(
        required("profile_id", "string", "profile"),
        required("product_id", "string", "product"),
        required("view_count", "bigint", "Product Viewed events about it"),
        required("cart_count", "bigint", "Product Added events about it"),
        required("order_count", "bigint", "distinct orders it is in"),
        optional("quantity", QUANTITY, "pieces, kilograms or metres ordered; null = beyond the type"),
        optional(
            "revenue", MONEY, "price x quantity of its order lines, refunds not taken off; null = beyond the type"
        ),
        required("affinity", "double", "weighted touches as of last_touch_at; halve it for every 30 days since then"),
        required("first_touch_at", "timestamp", "earliest view, cart or order of it"),
        required("last_touch_at", "timestamp", "latest view, cart or order of it"),
    ),
)
