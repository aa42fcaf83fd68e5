"""order_balance: gold.order_balance, where every order that was sent went, computed from silver and overwritten whole.

    ./spark-submit.sh batch/order_balance.py

Streams may run meanwhile; nothing else writes the table, and running it twice changes nothing. Prints a line for each outcome, and one
JSON line at the end.
"""

import json
from datetime import datetime
from typing import Any

from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.job import flags, run
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import ORDER_BALANCE, writer
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.profiles.gold.order_balance import COUNTED, GOLD_ORDER_BALANCE, order_balance
from lakehouse.profiles.micro_batch import utc_now
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.queries.declarations import declarations
from lakehouse.spark.session import get_session
from lakehouse.tables.events import (
    SILVER_EVENT_FAULTS,
    SILVER_EVENTS,
    SILVER_EVENTS_QUARANTINE,
    SILVER_QUARANTINE_REPLAYS,
)

_READ = (SILVER_EVENTS, SILVER_EVENT_FAULTS, SILVER_EVENTS_QUARANTINE, SILVER_QUARANTINE_REPLAYS, SILVER_ORDERS)


def overwrite_balance(lake: Lake, *, now: datetime) -> list[dict[str, Any]]:
    """Set gold.order_balance to what silver says; its rows, the largest first."""
    balance = order_balance(
        *(lake.read(table) for table in _READ), config=lake.config, declared=declarations(lake.config)
    )
    lake.create(GOLD_ORDER_BALANCE)
    lake.overwrite(balance.withColumn("computed_at", F.lit(now)), GOLD_ORDER_BALANCE)
    written = lake.read(GOLD_ORDER_BALANCE).drop("computed_at").orderBy(F.desc("messages"), "outcome", "reason")
    return [row.asDict() for row in written.collect()]


def main(argv: list[str]) -> None:
    flags(argv)
    config = load()
    lake = Lake(get_session(config, "order_balance"), config)
    with writer(config, lake.spark, part=ORDER_BALANCE):
        lake.create_missing(_READ)
        rows = overwrite_balance(lake, now=utc_now())
        Upkeep(lake, [GOLD_ORDER_BALANCE]).all(is_bounded=True)
    for row in rows:
        print(f"{row['messages']:>9,}  {row['outcome']}{'' if row['reason'] is None else ': ' + row['reason']}")
    sent = sum(row["messages"] for row in rows)
    counted = sum(row["messages"] for row in rows if row["outcome"] == COUNTED)
    print(json.dumps({"command": "order_balance", "sent": sent, "counted": counted, "explained": sent - counted}))


if __name__ == "__main__":
    run(main)
