"""Ecommerce events: products, order value, currency. Source: Segment spec, V2 ecommerce events.

Only events that lakehouse/events/contracts.py names are held to it; `value` in somebody's own event may be anything.
"""

from functools import reduce
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import amounts, schema
from lakehouse.events import reasons as R
from lakehouse.events.contracts import names, names_by_need
from lakehouse.events.currencies import CURRENCIES
from lakehouse.events.privacy import without_address
from lakehouse.events.verdict import fault, first
from lakehouse.tables.contract import MONEY, PRODUCT_LINE

_WIDE = "decimal(38,4)"  # price x quantity, summed: 2^31 pieces at 10^16 each, ten thousand lines, still fit
_MOST_PIECES = 2**31 - 1
_LINE = "properties.products[]"


def products() -> Column:
    """Products as sent: array of struct<product_id,name,price,quantity,fault>; null = none sent. Reads `document`."""
    element = "struct<product_id:string,productId:string,name:string,quantity:string,price:string>"
    read = F.transform(
        schema.array_at("properties.products", element),
        lambda product: product.withField("price_amount", amounts.amount(F.trim(product["price"]))).withField(
            "quantity_amount", amounts.amount(F.trim(product["quantity"]))
        ),
    )
    return F.transform(read, _product)


def products_verdict() -> Column:
    """Products that are no array; null = none sent, or an array. Reads `document` and `message`; ecommerce events only."""
    is_commerce = schema.at("event").isin(*names()) & schema.at("properties").isNotNull()
    is_no_array = schema.is_other_than("ARRAY", "properties.products")
    return F.when(is_commerce & is_no_array, fault(R.WRONG_TYPE, "properties.products: array expected"))


def _product(read: Column) -> Column:
    price, quantity = read["price_amount"], read["quantity_amount"]
    price_place, quantity_place = F.lit(f"{_LINE}.price"), F.lit(f"{_LINE}.quantity")
    most = fault(R.INVALID_NUMBER, f"{_LINE}.quantity: at most {_MOST_PIECES} expected")
    found = F.coalesce(
        first((read.isNull(), fault(R.WRONG_TYPE, f"{_LINE}: object expected")), (quantity > _MOST_PIECES, most)),
        amounts.verdict(read["price"], price, price_place),
        amounts.verdict(read["quantity"], quantity, quantity_place),
    )
    return F.struct(
        without_address(F.coalesce(read["product_id"], read["productId"])).alias("product_id"),
        without_address(read["name"]).alias("name"),
        price.alias("price"),
        F.least(F.coalesce(quantity, F.lit(1)), F.lit(_MOST_PIECES)).cast("decimal(12,2)").alias("quantity"),
        found.alias("fault"),
    )


def lines(products: Column) -> Column:
    """Order or cart lines; null = no products sent. A fraction of a piece (weighed goods) is rounded, absent is 1."""

    def line(product: Column) -> Column:
        quantity = F.round(product["quantity"], 0).try_cast("int").alias("quantity")
        return F.struct(product["product_id"], product["name"], quantity, product["price"])

    return F.when(F.size(products) > 0, F.transform(products, line).cast(f"array<{PRODUCT_LINE}>"))


def order_value() -> Column:
    """Revenue, else total, else value, else the sum of price x quantity of the products that have a price; may be null.

    Reads `<amount>_amount` of schema.AMOUNTS and products.
    """

    def add(sum_: Column, product: Column) -> Column:
        return F.try_add(sum_, product["price"] * product["quantity"]).try_cast(_WIDE)

    priced = F.filter("products", lambda product: product["price"].isNotNull())
    total = F.aggregate(priced, F.lit(0).cast(_WIDE), add)
    said = (F.col(f"{name}_amount") for name in ("revenue", "total", "value"))
    return F.coalesce(*said, F.when(F.size(priced) > 0, total.try_cast(MONEY)))


def _figure_verdict() -> Column:
    """First fault of the single amounts; null = none. Reads `<amount>_text` and `<amount>_amount`."""
    names = {name: (F.col(f"{name}_text"), F.col(f"{name}_amount")) for name in schema.AMOUNTS}
    is_unread = reduce(or_, (text.isNotNull() & amount.isNull() for text, amount in names.values()))
    is_negative = F.least(*(amount for _, amount in names.values())) < 0
    figures = [
        F.struct(F.lit(schema.AMOUNTS[name]).alias("place"), text.alias("text"), amount.alias("amount"))
        for name, (text, amount) in names.items()
    ]
    faults = F.transform(F.array(*figures), lambda f: amounts.verdict(f["text"], f["amount"], f["place"]))
    return F.when(is_unread | F.coalesce(is_negative, F.lit(False)), F.array_min(faults))


def verdict() -> Column:
    """First fault of an ecommerce event; null for any other event.

    Reads columns type, event_name, what contracts need, currency, order_value, products, products_verdict and the amounts'.
    """
    event, products = F.col("event_name"), F.col("products")
    of_figures, of_products = _figure_verdict(), F.array_min("products.fault")
    has_no_value = event.isin(*names(lambda contract: contract.needs_value)) & F.col("order_value").isNull()
    currency = F.upper("currency")
    rules = first(
        *_missing(event),
        (F.col("products_verdict").isNotNull(), F.col("products_verdict")),
        (of_figures.isNotNull(), of_figures),
        (of_products.isNotNull(), of_products),
        (
            has_no_value & F.exists(products, lambda product: product["price"].isNotNull()),
            fault(R.INVALID_NUMBER, "sum of properties.products"),
        ),
        (has_no_value, fault(R.MISSING_FIELD, "properties.revenue")),
        (~currency.isin(*sorted(CURRENCIES)), fault(R.UNKNOWN_CURRENCY, "properties.currency: ISO 4217 code expected")),
    )
    return F.when((F.col("type") == "track") & event.isin(*names()), rules)


def _missing(event: Column) -> list[tuple[Column, Column]]:
    """What an event of this name needs and does not have."""
    return [
        (event.isin(*needing) & F.col(field).isNull(), fault(R.MISSING_FIELD, schema.TEXTS[field].places[0]))
        for field, needing in names_by_need().items()
    ]
