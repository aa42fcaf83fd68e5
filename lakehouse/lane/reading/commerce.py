"""lakehouse/events/commerce.py as columns: products, order value, what takes the meaning from an ecommerce event."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.config import EventsConfig
from lakehouse.events import amounts, ids, schema
from lakehouse.events import reasons as R
from lakehouse.events.blocked_values import Blocked
from lakehouse.events.contracts import ORDER_REFUNDED, ORDER_UPDATED, names, names_by_need
from lakehouse.events.currencies import CURRENCIES
from lakehouse.events.figures import PRICES, PRODUCT_IDS, QUANTITIES
from lakehouse.events.privacy import without_address
from lakehouse.lane.reading import amount_verdict, places
from lakehouse.lane.reading.verdict import fault, first
from lakehouse.tables.contract import MONEY, PRODUCT_LINE

_EXACT = "decimal(38,14)"  # price x quantity, summed; beyond it a sum is null, and so no worth
_LINE = "properties.products[]"
_LINE_FIELDS = ("product_id", "name", "quantity", "price")
_TELLING = ("product_id", "name", "price")  # what a line must tell one of


def products(config: EventsConfig, junk: Blocked) -> Column:
    """Products as sent: array of struct<product_id,name,price,quantity,fault>; null = none sent. Reads `document`, `message`. `junk`: what is no id.

    Lines that a refund alone calls its own (schema.LINES_OF_REFUND) are read by the lake.
    """
    named = ",".join(f"{name}:string" for name in (*PRODUCT_IDS, *PRICES, *QUANTITIES))
    element = f"struct<{named},name:string>"

    def texts(sent: Column) -> Column:
        def said(names: tuple[str, ...]) -> Column:
            return ids.normalised(F.trim(F.coalesce(*(places.not_blank(sent[name]) for name in names))))

        price, quantity, product_id = map(said, (PRICES, QUANTITIES, PRODUCT_IDS))
        return sent.withField("price", price).withField("quantity", quantity).withField("product_id", product_id)

    def figures(sent: Column) -> Column:
        price = amounts.price(sent["price"], config.max_amount)
        quantity = amounts.quantity(sent["quantity"], config.max_amount)
        return sent.withField("price_amount", price).withField("quantity_amount", quantity)

    spec, *others = (places.array_at(f"properties.{name}", element) for name in schema.LINES)
    filled = F.coalesce(*(F.when(F.size(one) > 0, one) for one in others))
    sent = F.coalesce(F.when(F.size(spec) > 0, spec), F.when(_text(schema.LINES[0]).isNull() & _names_order(), filled))
    return F.transform(
        F.transform(F.transform(sent, texts), figures), lambda read: _product(read, config.max_amount, junk)
    )


def products_text() -> Column:
    """What stands where the spec has the products, or lists of what names an order, as text; null = nothing. Reads `document`, `message`."""
    spec, *others = map(_text, schema.LINES)
    nested = (F.when(text.startswith("[") | text.startswith("{"), text) for text in others)
    return F.coalesce(spec, F.when(_names_order(), F.coalesce(*nested)))


def _text(name: str) -> Column:
    return places.not_blank(F.try_variant_get("document", f"$[0].properties.{name}", "string"))


def _names_order() -> Column:
    return F.coalesce(*(places.not_blank(places.at(place)) for place in places.PLACES["order_id"])).isNotNull()


def _product(read: Column, most: int, junk: Blocked) -> Column:
    price, quantity = read["price_amount"], read["quantity_amount"]
    spoilt = F.coalesce(
        first((read.isNull(), fault(R.WRONG_TYPE, f"{_LINE}: object expected"))),
        amount_verdict.verdict(read["price"], price, F.lit(f"{_LINE}.price"), most),
        amount_verdict.verdict(read["quantity"], quantity, F.lit(f"{_LINE}.quantity"), most),
    )
    product_id = places.usable_id(read["product_id"], junk)
    return F.struct(
        without_address(product_id).alias("product_id"),
        without_address(read["name"]).alias("name"),
        F.when(price >= 0, price).alias("price"),
        F.when(read["quantity"].isNull(), F.lit(1)).otherwise(F.when(quantity >= 0, quantity)).alias("quantity"),
        spoilt.alias("fault"),
    )


def lines(products: Column) -> Column:
    """Order or cart lines; null = no products sent. A quantity that is absent is 1, one that cannot be read is null."""

    def line(product: Column) -> Column:
        return F.struct(*(product[name].alias(name) for name in _LINE_FIELDS))

    told = F.filter(
        products, lambda product: F.coalesce(*(product[name].cast("string") for name in _TELLING)).isNotNull()
    )
    return F.when(F.size(products) > 0, F.transform(told, line).cast(f"array<{PRODUCT_LINE}>"))


def order_value(config: EventsConfig) -> Column:
    """Revenue, else total, else value, else the sum of price x quantity of the products that have a price; may be null.

    Multiplied exactly and rounded once. Of lines with one that cannot be read the sum is not known. A refund is what was said,
    whatever its sign, else null: its lines are priced by the order they belong to. An update is what was said, too. Reads `<amount>_amount` and products.
    """

    def add(sum_: Column, product: Column) -> Column:
        return F.try_add(sum_, product["price"] * product["quantity"]).try_cast(_EXACT)

    priced = F.filter("products", lambda product: product["price"].isNotNull())
    total = F.aggregate(priced, F.lit(0).cast(_EXACT), add).try_cast(MONEY)
    is_sound = (
        ~_is_unread(schema.SAID)
        & (F.size(priced) > 0)
        & (F.size(F.filter("products", _is_spoilt)) == 0)
        & (total <= config.max_amount)
    )
    said, given_back = (
        F.coalesce(*(F.col(f"{name}_amount") for name in names)) for names in (schema.SAID, schema.SAID_OF_REFUND)
    )
    is_refund, is_update = (F.col("event_name") == one.name for one in (ORDER_REFUNDED, ORDER_UPDATED))
    worth = F.when(is_refund, F.abs(given_back)).when(is_update, said)
    return worth.otherwise(F.coalesce(said, F.when(is_sound, total)))


def _unread(name: str) -> Column:
    """Whether an amount was said, in digits or as an object, that nobody can read."""
    text, amount = F.col(f"{name}_text"), F.col(f"{name}_amount")
    return F.coalesce(amount.isNull() & text.rlike(r"\p{Nd}|\A[\[{]"), F.lit(False))


def _is_unread(names: Sequence[str]) -> Column:
    return reduce(or_, map(_unread, names))


def _is_spoilt(product: Column) -> Column:
    return product["fault"].isNotNull()


def figure_faults(config: EventsConfig) -> Column:
    """What is wrong with the single amounts, an array that may hold nulls; null = nothing. Reads `<amount>_text`, `<amount>_amount`."""
    figures = {name: (F.col(f"{name}_text"), F.col(f"{name}_amount")) for name in schema.AMOUNTS}
    is_unread = reduce(or_, (text.isNotNull() & amount.isNull() for text, amount in figures.values()))
    is_negative = F.coalesce(F.least(*(amount for _, amount in figures.values())) < 0, F.lit(False))
    found = [
        amount_verdict.verdict(text, amount, F.lit(schema.AMOUNTS[name]), config.max_amount)
        for name, (text, amount) in figures.items()
    ]
    return F.when(is_unread | is_negative, F.array(*found))


def verdict() -> Column:
    """First fault that takes the meaning from an ecommerce event; null for any other event.

    Reads what contracts need, event_name, is_track, currency, order_value, products, products_text, figure_faults.
    """
    event = F.col("event_name")
    has_value = event.isin(*names(lambda contract: contract.has_value))
    has_no_value = event.isin(*names(lambda contract: contract.needs_value)) & F.col("order_value").isNull()
    is_priced = F.exists("products", lambda product: product["price"].isNotNull())
    spoilt = F.get(F.filter("products", _is_spoilt), F.lit(0))["fault"]
    rules = first(
        *_missing(event),
        (has_no_value & F.col("figure_faults").isNotNull(), F.array_min("figure_faults")),
        (has_no_value & spoilt.isNotNull(), spoilt),
        (has_no_value & is_priced, fault(R.INVALID_NUMBER, "sum of properties.products")),
        (has_no_value, fault(R.MISSING_FIELD, "properties.revenue")),
        (has_value & (F.col("order_value") < 0), F.array_min("figure_faults")),
        (has_value & F.col("currency").isNull(), places.spoilt("currency")),
        (
            has_value & ~F.col("currency").isin(*sorted(CURRENCIES)),
            fault(R.UNKNOWN_CURRENCY, "properties.currency: ISO 4217 code expected"),
        ),
    )
    refund = F.when((event == ORDER_REFUNDED.name) & F.col("order_value").isNull(), _unread_refund(spoilt))
    return F.when(F.col("is_track") & event.isin(*names()), F.coalesce(rules, refund))


def _unread_refund(spoilt: Column) -> Column:
    """Why a refund that says no amount is not known to be one of its lines, or of the whole order; null where it is."""
    is_told = F.coalesce(F.size(lines(F.col("products"))) > 0, F.lit(False))
    is_no_array = F.col("products_text").isNotNull() & F.col("products").isNull()
    return F.coalesce(
        spoilt,
        F.when(~is_told | _is_unread(schema.SAID_OF_REFUND), F.array_min("figure_faults")),
        F.when(is_no_array, fault(R.WRONG_TYPE, "properties.products: array expected")),
        F.when(~is_told & (F.size("products") > 0), fault(R.MISSING_FIELD, f"{_LINE}.product_id")),
        F.when(~is_told & F.col("product_id").isNotNull(), fault(R.MISSING_FIELD, "properties.products")),
    )


def _missing(event: Column) -> list[tuple[Column, Column]]:
    """What an event of this name needs and does not have."""
    return [
        (event.isin(*needing) & F.col(field).isNull(), places.lacking(field))
        for field, needing in names_by_need().items()
    ]
