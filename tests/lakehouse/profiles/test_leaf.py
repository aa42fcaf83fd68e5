"""The leaf: what one actor did on one day, with the products it looked at."""

from pyspark.sql import SparkSession

from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.silver.activity_daily import transform
from tests.accepted import at, event, events


def test_products_viewed_and_added_are_kept_in_order_and_others_are_not(spark: SparkSession) -> None:
    rows = [
        event("m1", "2026-02-01 12:00", "Product Added", anonymous_id="a", product_id="tea"),
        event("m2", "2026-02-01 10:00", anonymous_id="a", product_id="tea"),
        event("m3", "2026-02-01 11:00", anonymous_id="a", product_id="cup"),
        event("m4", "2026-02-01 11:30", anonymous_id="a"),
        event("m5", "2026-02-01 13:00", "Order Completed", anonymous_id="a", product_id="tea", order_id="o1"),
    ]
    (row,) = transform(leaf(with_day(events(spark, rows)), rates={})).collect()
    assert [(p["product_id"], p["kind"], p["occurred_at"]) for p in row["products"]] == [
        ("cup", "view", at("2026-02-01 11:00").replace(tzinfo=None)),
        ("tea", "cart", at("2026-02-01 12:00").replace(tzinfo=None)),
        ("tea", "view", at("2026-02-01 10:00").replace(tzinfo=None)),
    ]
    assert (row["view_count"], row["cart_count"], row["order_count"]) == (3, 1, 1)
