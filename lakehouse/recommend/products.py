"""Events -> gold.products. Pure, needs Spark.

Category, and the name and price of an event about a single product, are not in silver.events. They are read from the record
in bronze that the silver row names (topic, partition, offset), so what silver refused or deduplicated is left out here as well.
"""

from collections.abc import Mapping
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.events import amounts
from lakehouse.events.contracts import ORDER_COMPLETED, PRODUCT_VIEWED
from lakehouse.events.money import in_default_currency
from lakehouse.events.privacy import without_address
from lakehouse.tables.contract import MONEY, Table, optional, required
from lakehouse.tables.people import Nobody

_PLACE = ["topic", "partition", "offset"]
_SENT_LINES = "array<struct<category:string>>"
_MOST = 10**12  # a larger price is none
_LONGEST = 200  # characters of a category or name, as of every other id


def products(
    events: DataFrame, bronze: DataFrame, *, rates: Mapping[str, str], as_of: datetime, gone_days: int
) -> DataFrame:
    """Rows of gold.products from silver.events and bronze.events, events after `as_of` and those of bots left out.

    Orders are counted where they were completed, refunds do not undo them. A price below 0 is no price.
    """
    about = events.where(
        ~F.col("is_bot")
        & (F.col("type") == "track")
        & (F.col("occurred_at") <= F.lit(as_of))
        & (F.col("product_id").isNotNull() | (F.size("lines") > 0))
    )
    touched = _touched(about.join(bronze.select(*_PLACE, "value"), on=_PLACE, how="left"))
    price = F.when(F.col("price") >= 0, in_default_currency(F.col("price"), F.col("currency"), rates))
    return (
        touched.where(F.trim("product_id") != "")
        .withColumn("price", price)
        .groupBy("product_id")
        .agg(
            *(_latest(name).alias(name) for name in ("category", "name", "price")),
            F.min("occurred_at").alias("first_seen_at"),
            F.max("occurred_at").alias("last_seen_at"),
            F.count_if(F.col("event") == PRODUCT_VIEWED.name).alias("view_count"),
            F.count_distinct(F.when(F.col("event") == ORDER_COMPLETED.name, F.col("order_id"))).alias("order_count"),
        )
        .withColumn("is_available", F.col("last_seen_at") >= F.lit(as_of) - F.make_dt_interval(F.lit(gone_days)))
        .withColumn("as_of", F.lit(as_of))
    )


def _touched(about: DataFrame) -> DataFrame:
    """One row per event and product of it: product_id, category, name, price, currency, event, order_id, occurred_at."""
    text = F.col("value").cast("string")
    single = F.struct(
        "product_id",
        _text(F.get_json_object(text, "$.properties.category")).alias("category"),
        _text(F.get_json_object(text, "$.properties.name")).alias("name"),
        amounts.amount(F.trim(F.get_json_object(text, "$.properties.price")), _MOST).cast(MONEY).alias("price"),
    )
    sent = F.from_json(F.get_json_object(text, "$.properties.products"), _SENT_LINES)

    def line(line: Column, position: Column) -> Column:
        category = _text(F.get(sent, position)["category"]).alias("category")
        return F.struct(
            line["product_id"].alias("product_id"), category, line["name"].alias("name"), line["price"].alias("price")
        )

    several = F.transform(F.coalesce("lines", F.array()), line)
    every = F.concat(F.when(F.col("product_id").isNotNull(), F.array(single)).otherwise(F.array()), several)
    return about.select("event", "order_id", "occurred_at", "currency", F.explode(every).alias("one")).select(
        "one.*", "event", "order_id", "occurred_at", "currency"
    )


def _text(sent: Column) -> Column:
    """Trimmed, at most _LONGEST characters; null where it is empty or an e-mail address stands in it."""
    trimmed = F.substring(F.trim(sent), 1, _LONGEST)
    return without_address(F.when(trimmed != "", trimmed))


def _latest(name: str) -> Column:
    """Of the latest event that had one; of several at the same time the largest, so that the order of rows says nothing."""
    return F.max(F.when(F.col(name).isNotNull(), F.struct("occurred_at", name)))[name]


GOLD_PRODUCTS = Table(
    name="gold.products",
    grain="one row per product",
    people=Nobody("of products, made anew by each training"),
    key=("product_id",),
    owner="ml/train_recommender.py",
    reads=("bronze.events", "silver.events"),
    columns=(
        required("product_id", "string", "product"),
        optional("category", "string", "latest category sent with it; null = none ever sent"),
        optional("name", "string", "latest name sent with it; null = none ever sent"),
        optional("price", MONEY, "latest price sent with it, default_currency; null = none ever sent"),
        required("first_seen_at", "timestamp", "earliest event about it"),
        required("last_seen_at", "timestamp", "latest event about it"),
        required("view_count", "bigint", "Product Viewed events"),
        required("order_count", "bigint", "distinct orders it is in"),
        required(
            "is_available", "boolean", "seen within recommender.gone_days of as_of; stock is told to the decision API"
        ),
        required("as_of", "timestamp", "time up to which events were read"),
    ),
)
