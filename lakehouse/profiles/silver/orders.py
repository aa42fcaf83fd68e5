"""silver.orders: one row per order, from every message that completed or refunded it.

The facts are sets keyed by message, so union is the whole of merging: any order, any batching and any replay give the
same row. The earliest completion (ties by message_id) speaks for the order; refunds are taken off whoever sent them and
whenever they came, even before the order itself.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake
from lakehouse.profiles.declaration import LeafTable
from lakehouse.tables.contract import MONEY, ORDER_FACT, PRODUCT_LINE, REFUND_FACT, optional, required

_ORDER_FIELDS = ("ordered_at", "message_id", "actor_id", "revenue", "currency", "lines")
_REFUND_FIELDS = ("refunded_at", "message_id", "amount")


def transform(leaves: DataFrame) -> DataFrame:
    """Leaf rows -> rows of silver.orders, from the facts in these leaves alone."""
    completed = leaves.select(F.explode("orders").alias("fact")).select(
        "fact.order_id",
        F.struct(*(F.col(f"fact.{name}") for name in _ORDER_FIELDS)).cast(ORDER_FACT).alias("completion"),
        F.lit(None).cast(REFUND_FACT).alias("refund"),
    )
    refunded = leaves.select(F.explode("refunds").alias("fact")).select(
        "fact.order_id",
        F.lit(None).cast(ORDER_FACT).alias("completion"),
        F.struct(*(F.col(f"fact.{name}") for name in _REFUND_FIELDS)).cast(REFUND_FACT).alias("refund"),
    )
    facts = (
        completed.unionByName(refunded)
        .groupBy("order_id")
        .agg(F.collect_list("completion").alias("completions"), F.collect_list("refund").alias("refunds"))
    )
    return facts.select("order_id", *_named(settled(F.col("completions"), F.col("refunds"))))


def settled(completions: Column, refunds: Column) -> dict[str, Column]:
    """The columns of silver.orders (without its key) that follow from its facts."""
    every_completion = F.array_sort(F.array_distinct(completions))
    every_refund = F.array_sort(F.array_distinct(refunds))
    first = F.get(every_completion, F.lit(0))
    refunded = F.aggregate(
        every_refund,
        F.lit(0).cast(MONEY),
        lambda sum_, refund: (sum_ + F.coalesce(refund["amount"], first["revenue"], F.lit(0))).cast(MONEY),
    )
    return {
        "actor_id": first["actor_id"],
        "ordered_at": first["ordered_at"],
        "revenue": F.when(first.isNotNull(), (F.coalesce(first["revenue"], F.lit(0)) - refunded).cast(MONEY)),
        "lines": first["lines"],
        "completions": every_completion,
        "refunds": every_refund,
    }


def merge(lake: Lake, new: DataFrame) -> set[str]:
    """Union the facts of `new` into silver.orders; a row whose facts are all known is left alone.

    Returns the actors who had bought these orders by then. Collects the rows to the driver.
    """
    stored = lake.read(SILVER_ORDERS).selectExpr(
        "order_id", "completions AS known_completions", "refunds AS known_refunds"
    )
    joined = stored.join(F.broadcast(new), on="order_id", how="right").selectExpr(
        "order_id",
        "known_completions.actor_id AS buyers",
        "coalesce(array_union(known_completions, completions), completions) AS completions",
        "coalesce(array_union(known_refunds, refunds), refunds) AS refunds",
    )
    facts = settled(F.col("completions"), F.col("refunds"))
    merged = joined.select("order_id", *_named(facts), "buyers").toArrow()
    grown = " OR ".join(f"(cardinality(new.{c}) > cardinality(stored.{c}))" for c in ("completions", "refunds"))
    lake.upsert(merged.drop_columns("buyers"), SILVER_ORDERS, update_when=grown)
    return {actor for buyers in merged["buyers"].to_pylist() if buyers for actor in buyers}


def _named(columns: dict[str, Column]) -> list[Column]:
    return [column.alias(name) for name, column in columns.items()]


SILVER_ORDERS = LeafTable(
    name="silver.orders",
    grain="one row per order",
    key=("order_id",),
    transform=transform,
    merge=merge,
    sent_in=("orders", "refunds"),
    columns=(
        required("order_id", "string", "order"),
        optional("actor_id", "string", "actor of the earliest completion; null = only a refund has been seen"),
        optional("ordered_at", "timestamp", "time of the earliest completion; null = only a refund has been seen"),
        optional("revenue", MONEY, "earliest completion's value less all refunds, default_currency"),
        optional("lines", f"array<{PRODUCT_LINE}>", "lines of the earliest completion"),
        required("completions", f"array<{ORDER_FACT}>", "every distinct Order Completed message of the order"),
        required(
            "refunds", f"array<{REFUND_FACT}>", "every distinct Order Refunded message; null amount = whole order"
        ),
    ),
)
