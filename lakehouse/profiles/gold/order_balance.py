"""gold.order_balance: where every message that completes an order went. Sent = counted + explained.

A message is taken for one by its name, in any spelling that `[events.names]` knows. What is not even JSON has no name, and is in
silver.events_quarantine only. A message that was sent again is one message, also where we sent it: a rejected record that was replayed.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.events import reasons as R
from lakehouse.events.contracts import ORDER_COMPLETED
from lakehouse.events.event_rows import NOTHING_DECLARED, Declarations
from lakehouse.events.parse import parse
from lakehouse.events.quarantine import PLACE, still_open
from lakehouse.profiles.leaf import COMPLETED
from lakehouse.tables.contract import Table, optional, required, write_time
from lakehouse.tables.people import Nobody

COUNTED, REPEATED, CANCELLED = "counted", "repeated", "cancelled"
BOT, LATE, REFUSED, NOT_UNDERSTOOD = "bot", "late", "refused", "not_understood"


def order_balance(
    silver_events: DataFrame,
    silver_event_faults: DataFrame,
    silver_events_quarantine: DataFrame,
    silver_quarantine_replays: DataFrame,
    silver_orders: DataFrame,
    *,
    config: Config,
    declared: Declarations = NOTHING_DECLARED,
) -> DataFrame:
    """[outcome, reason, messages, orders]: see GOLD_ORDER_BALANCE. `declared`: how records are read."""
    parts = (
        _accepted(silver_events, silver_orders),
        _refused(still_open(silver_events_quarantine, silver_quarantine_replays), config, declared),
        _not_understood(silver_event_faults),
    )
    told = parts[0].unionByName(parts[1]).unionByName(parts[2])
    return told.groupBy("outcome", "reason").agg(
        F.count(F.lit(1)).alias("messages"), F.count_distinct("order_id").alias("orders")
    )


def _accepted(events: DataFrame, orders: DataFrame) -> DataFrame:
    completions = events.where((F.col("type") == "track") & (F.col("event") == ORDER_COMPLETED.name))
    told = F.filter("statements", lambda one: one["kind"] == COMPLETED)["message_id"]
    known = orders.select("order_id", "ordered_at", told.alias("completed_by"))
    joined = completions.select("message_id", "order_id", "is_bot").join(known, on="order_id", how="left")
    outcome = (
        F.when(F.col("is_bot"), BOT)
        .when(~F.coalesce(F.array_contains("completed_by", F.col("message_id")), F.lit(False)), LATE)
        .when(F.col("ordered_at").isNull(), CANCELLED)
        .when(F.get("completed_by", F.lit(0)) == F.col("message_id"), COUNTED)
        .otherwise(REPEATED)
    )
    return joined.select(outcome.alias("outcome"), F.lit(None).cast("string").alias("reason"), "order_id")


def _refused(quarantine: DataFrame, config: Config, declared: Declarations) -> DataFrame:
    arrived_at = F.col("quarantined_at")
    records = quarantine.withColumns({"timestamp": arrived_at, "arrived_at": arrived_at})
    read = parse(records, config, declared)
    orders = read.where((F.col("type") == "track") & (F.col("event") == ORDER_COMPLETED.name))
    refused = orders.select(*PLACE, "order_id").join(quarantine.select(*PLACE, "reason"), on=list(PLACE))
    return refused.select(F.lit(REFUSED).alias("outcome"), "reason", "order_id")


def _not_understood(faults: DataFrame) -> DataFrame:
    named = faults.where(F.col("reason") == R.NOT_COUNTED)
    return named.select(
        F.lit(NOT_UNDERSTOOD).alias("outcome"),
        F.col("event").alias("reason"),
        F.lit(None).cast("string").alias("order_id"),
    )


GOLD_ORDER_BALANCE = Table(
    name="gold.order_balance",
    grain="one row per outcome of order messages, and its reason",
    people=Nobody("of counts of messages, made anew by each run"),
    key=("outcome", "reason"),
    owner="batch/order_balance.py",
    reads=(
        "silver.events",
        "silver.event_faults",
        "silver.events_quarantine",
        "silver.quarantine_replays",
        "silver.orders",
    ),
    columns=(
        required(
            "outcome",
            "string",
            "counted: it made an order; repeated: of an order that counts already; cancelled: its order was; bot: a program's; "
            "late: not in silver.orders yet; refused: in quarantine; not_understood: it speaks of an order under another name",
        ),
        optional(
            "reason",
            "string",
            "of refused the code of lakehouse/events/reasons.py, of not_understood the event's name; null = the outcome says it all",
        ),
        required(
            "messages", "bigint", "messages that complete an order, or would; a repeat of one is the same message"
        ),
        required("orders", "bigint", "distinct order ids among them; 0 = none that could be read"),
        write_time("computed_at", "time of the run"),
    ),
)
