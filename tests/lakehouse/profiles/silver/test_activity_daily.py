"""Stored sums: whatever comes in whichever batches, in whatever order and however often, the rows are those of one pass."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from pyspark.sql import DataFrame

from lakehouse.lake.delta import Lake
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY, merge, transform
from tests.accepted import at, event, events, once

SEED = 3
SPOKEN = ("analytics", "personalization", "marketing")


def some_events(count: int) -> list[dict[str, Any]]:
    """Of few people on few days: views, carts, orders told twice, consent, loyalty tiers, suppressions."""
    choose = random.Random(SEED)
    rows = []
    for n in range(count):
        when = f"2026-02-0{1 + choose.randrange(3)} 10:{choose.randrange(60):02}"
        who = {"user_id": f"user-{choose.randrange(3)}"} if choose.random() < 0.7 else {"anonymous_id": "web"}
        kind = choose.randrange(5)
        if kind == 0:
            said = {purpose: choose.choice([True, False, None]) for purpose in SPOKEN}
            consent = (at(when), f"m{n}", *said.values())
            rows.append(event(f"m{n}", when, consent=consent, product_id=f"p{choose.randrange(3)}", **who))
        elif kind == 1:
            revenue = choose.choice([None, "9.99", "20.00"])
            rows.append(
                event(f"m{n}", when, "Order Completed", order_id=f"o{choose.randrange(4)}", revenue=revenue, **who)
            )
        elif kind == 2:
            rows.append(event(f"m{n}", when, traits={"loyalty_tier": choose.choice(["gold", "silver"])}, **who))
        elif kind == 3:
            rows.append(event(f"m{n}", when, type=choose.choice(["suppress", "unsuppress"]), **who))
        else:
            rows.append(event(f"m{n}", when, "Product Added", product_id=f"p{choose.randrange(3)}", **who))
    return rows


def leaves(lake: Lake, rows: Sequence[dict[str, Any]]) -> DataFrame:
    return leaf(with_day(events(lake.spark, rows)), rates={})


def told(rows: DataFrame) -> list[str]:
    return sorted(map(str, rows.select(*SILVER_ACTIVITY_DAILY.column_names).collect()))


@pytest.mark.parametrize("writer", ["delta-rs", "spark"])
def test_any_batching_any_order_and_replays_give_what_one_pass_gives(lake: Lake, writer: str) -> None:
    lake.uses_delta_rs = writer == "delta-rs"
    lake.create(SILVER_ACTIVITY_DAILY)
    rows = some_events(60)
    expected = told(transform(leaves(lake, rows)))
    random.Random(SEED).shuffle(rows)
    for batch_id, first in enumerate((0, 1, 20, 45)):
        batch = leaves(lake, rows[first : (1, 20, 45, 60)[batch_id]])
        merge(lake, batch, once(batch_id))
        if batch_id % 2:
            merge(lake, batch, once(batch_id))  # after a crash behind the commit
    assert told(lake.read(SILVER_ACTIVITY_DAILY)) == expected
    assert len(expected) < len(rows), "some days have several events"
