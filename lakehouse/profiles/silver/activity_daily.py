"""silver.activity_daily: what one actor did on one UTC day, counted. Absolute values: a row that comes again is set, not added."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.events.money import EXACT, money
from lakehouse.lake.delta import Lake, differs
from lakehouse.profiles.declaration import LeafTable
from lakehouse.profiles.leaf import COMPLETED
from lakehouse.tables.contract import CONSENT_WORDS, LOYALTY_TIER, MONEY, PRODUCT_TOUCH, SUPPRESSION, optional, required


def transform(leaves: DataFrame) -> DataFrame:
    """Leaf rows -> rows of silver.activity_daily."""
    first_of_each = first_per_order(F.filter("orders", lambda order: order["kind"] == COMPLETED))
    total = F.aggregate(
        first_of_each,
        F.lit(0).cast(EXACT),
        lambda sum_, order: (sum_ + F.coalesce(order["amount"] * order["rate"], F.lit(0))).cast(EXACT),
        money,
    )
    user = F.filter("identifiers", lambda i: i["type"] == "user_id")
    return leaves.select(
        "actor_id",
        F.to_date("activity_day").alias("activity_date"),
        F.get(user, F.lit(0))["token"].alias("user_id"),
        "event_count",
        "view_count",
        "cart_count",
        F.size(first_of_each).cast("bigint").alias("order_count"),
        total.alias("revenue"),
        "first_at",
        "last_at",
        "consent",
        "loyalty_tier",
        "suppression",
        F.array_sort("products").alias("products"),
    )


def first_per_order(orders: Column) -> Column:
    """Of an array of order statements, the earliest of each order_id (ties by message_id)."""
    in_order = F.array_sort(orders)
    return F.filter(
        in_order,
        lambda order, i: (i == 0) | (F.get(in_order, i - 1)["order_id"] != order["order_id"]),
    )


def merge(lake: Lake, rows: DataFrame) -> tuple[()]:
    """Set the rows that say something else than what is stored."""
    lake.upsert(rows, SILVER_ACTIVITY_DAILY, update_when=differs(SILVER_ACTIVITY_DAILY.content))
    return ()


SILVER_ACTIVITY_DAILY = LeafTable(
    name="silver.activity_daily",
    grain="one row per actor and UTC day",
    key=("actor_id", "activity_date"),
    transform=transform,
    merge=merge,
    columns=(
        required("actor_id", "string", "actor"),
        required("activity_date", "date", "UTC day of occurred_at"),
        optional("user_id", "string", "the actor's user_id; null = anonymous"),
        required("event_count", "bigint", "events of any kind"),
        required("view_count", "bigint", "Product Viewed events"),
        required("cart_count", "bigint", "Product Added events"),
        required("order_count", "bigint", "distinct order_id among Order Completed"),
        required("revenue", MONEY, "order value before refunds, default_currency"),
        required("first_at", "timestamp", "earliest event of the day"),
        required("last_at", "timestamp", "latest event of the day"),
        optional("consent", CONSENT_WORDS, "latest word of that day on each purpose; answered_at null = nobody asked"),
        optional(
            "loyalty_tier",
            LOYALTY_TIER,
            "latest word of that day on the loyalty tier; its tier null = taken back; null = none told",
        ),
        optional("suppression", SUPPRESSION, "latest word of that day on being left alone; null = none said"),
        optional(
            "products",
            f"array<{PRODUCT_TOUCH}>",
            "products viewed and added to the cart, in order of their ids; kind: view or cart",
        ),
    ),
)
