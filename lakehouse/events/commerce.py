"""Ecommerce events: products, order value, currency. Source: Segment spec, V2 ecommerce events.

Only events of that spec are held to it; `value` in somebody's own event may be anything.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.contracts.contract import MONEY, PRODUCT_LINE
from lakehouse.events import amounts
from lakehouse.events import reasons as R
from lakehouse.events.currencies import CURRENCIES
from lakehouse.events.verdict import reject

ORDER_COMPLETED, ORDER_REFUNDED, PRODUCTS_SEARCHED = "Order Completed", "Order Refunded", "Products Searched"
ORDER_VALUE_EVENTS = (ORDER_COMPLETED, ORDER_REFUNDED)
COMMERCE_EVENTS = (
    *ORDER_VALUE_EVENTS,
    PRODUCTS_SEARCHED,
    *("Order Updated", "Order Cancelled"),
    *("Product List Viewed", "Product List Filtered", "Product Clicked", "Product Viewed", "Product Added"),
    *(
        "Product Removed",
        "Product Added to Wishlist",
        "Product Removed from Wishlist",
        "Wishlist Product Added to Cart",
    ),
    *("Cart Viewed", "Checkout Started", "Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered"),
    *("Coupon Entered", "Coupon Applied", "Coupon Denied", "Coupon Removed"),
    *("Promotion Viewed", "Promotion Clicked", "Product Shared", "Cart Shared", "Product Reviewed"),
)
# text column -> place it came from; the first three, in this order, are where an order's value is looked for
AMOUNTS = {
    "revenue": "properties.revenue",
    "total": "properties.total",
    "amount_value": "properties.value",
    "price": "properties.price",
    "quantity": "properties.quantity",
}
_WIDE = "decimal(38,4)"  # price x quantity, summed: 2^31 pieces at 10^16 each, ten thousand lines, still fit


def read_products(products: Column) -> Column:
    """Products as sent -> array of the line's texts and its amounts, read once; an element that is no object is null."""

    def read(product: Column) -> Column:
        price, quantity = (F.nullif(F.trim(product[name]), F.lit("")) for name in ("price", "quantity"))
        return F.when(
            product.isNotNull(),
            F.struct(
                F.coalesce(product["product_id"], product["productId"]).alias("product_id"),
                product["name"].alias("name"),
                price.alias("price_text"),
                quantity.alias("quantity_text"),
                amounts.amount(price).alias("price"),
                amounts.amount(quantity).alias("quantity"),
            ),
        )

    return F.transform(products, read)


def lines(products: Column) -> Column:
    """Order or cart lines; null = no products sent. A fraction of a piece (weighed goods) is rounded, absent is 1."""

    def line(product: Column) -> Column:
        quantity = F.coalesce(product["quantity"], F.lit(1)).cast("decimal(18,2)")
        return F.struct(
            product["product_id"],
            product["name"],
            F.round(quantity, 0).try_cast("int").alias("quantity"),
            product["price"],
        )

    kept = F.filter(products, lambda product: product.isNotNull())
    return F.when(F.size(kept) > 0, F.transform(kept, line).cast(f"array<{PRODUCT_LINE}>"))


def order_value(products: Column) -> Column:
    """revenue, else total, else value, else the sum of price x quantity of the products that have a price; may be null."""

    def add(sum_: Column, product: Column) -> Column:
        piece = F.coalesce(product["quantity"], F.lit(1)).cast("decimal(12,2)")
        return F.coalesce(F.try_add(sum_, product["price"] * piece).try_cast(_WIDE), sum_)

    priced = F.filter(products, lambda product: product["price"].isNotNull())
    total = F.aggregate(priced, F.lit(0).cast(_WIDE), add)
    sent = F.coalesce(*(F.col(f"{name}_amount") for name in list(AMOUNTS)[:3]))
    return F.coalesce(sent, F.when(F.size(priced) > 0, total.try_cast(MONEY)))


def verdict(products: Column) -> Column:
    """First fault of an ecommerce event; null for any other event.

    Reads event_name, type, order_id, currency, order_value, the columns of AMOUNTS and `<amount>_amount`.
    """
    is_commerce = (F.col("type") == "track") & F.col("event_name").isin(*COMMERCE_EVENTS)
    event = F.col("event_name")
    single = [amounts.verdict(F.col(name), F.col(f"{name}_amount"), place) for name, place in AMOUNTS.items()]
    is_unknown = F.col("currency").isNotNull() & ~F.upper("currency").isin(*sorted(CURRENCIES))
    has_no_value = (event == ORDER_COMPLETED) & F.col("order_value").isNull()
    faults = F.coalesce(
        reject(event.isin(*ORDER_VALUE_EVENTS) & F.col("order_id").isNull(), R.MISSING_FIELD, "properties.order_id"),
        *single,
        _product_verdict(products),
        reject(
            has_no_value & (F.size(products) > 0) & _has_price(products), R.INVALID_NUMBER, "sum of properties.products"
        ),
        reject(has_no_value, R.MISSING_FIELD, "properties.revenue"),
        reject(is_unknown, R.UNKNOWN_CURRENCY, "properties.currency"),
    )
    return F.when(is_commerce, faults)


def _has_price(products: Column) -> Column:
    return F.exists(products, lambda product: product["price"].isNotNull())


def _product_verdict(products: Column) -> Column:
    """First fault of any product: kind by kind, so that the verdict does not depend on the products' order."""

    def of(product: Column) -> Column:
        place = "properties.products[]"
        too_many = product["quantity"] >= 2**31
        return F.coalesce(
            reject(product.isNull(), R.WRONG_TYPE, f"{place}: object expected"),
            amounts.verdict(product["price_text"], product["price"], f"{place}.price"),
            amounts.verdict(product["quantity_text"], product["quantity"], f"{place}.quantity"),
            reject(too_many, R.INVALID_NUMBER, f"{place}.quantity: less than 2^31 expected"),
        )

    return F.get(F.filter(F.transform(products, of), lambda found: found.isNotNull()), F.lit(0))
