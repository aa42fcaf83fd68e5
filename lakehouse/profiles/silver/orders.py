"""silver.orders: one row per order, from every message that completed, updated, cancelled or refunded it.

An order is its latest statement by event time (ties by message_id): what it is worth and holds is what was said last, and once it
is cancelled it is none, until somebody says otherwise. An update that says no amount leaves the total as it was; but an order that was worth its
lines, no more and no less, goes on being worth them. Who bought and when is the earliest completion. What was only updated or
refunded, and never completed, is no order yet. A cancellation that a later version of the same record does not repeat (mapping.py) was
called off: a card was declined, and another was not.

Refunds are taken off whoever sent them and whenever they came, even before the order itself. A refund of no amount is worth its
lines, at the order's prices; without lines it is the whole order. Without a currency it is in that of the order. An order is never
worth less than nothing: what was refunded beyond it is told in `over_refunded`. A returned line that has no price anywhere, or is of a
product that was bought at several, takes nothing off: such refunds are counted in `unpriced_refunds`.

The facts are sets keyed by message_id, so union is the whole of merging: any order, any batching and any replay give the same row.
A message's rate is that of its day: another one in the configuration counts from then on, and for all of history after a rebuild.
"""

from collections.abc import Collection, Iterable
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.events.money import EXACT, money
from lakehouse.lake import row_runs
from lakehouse.lake.delta import Lake, conform
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.declaration import LeafTable
from lakehouse.profiles.leaf import CANCELLED, COMPLETED
from lakehouse.profiles.rollup import ORDER_COLUMNS
from lakehouse.tables.contract import MONEY, ORDER_STATEMENT, PRODUCT_LINE, REFUND_STATEMENT, optional, required
from lakehouse.tables.people import By, by

FACTS = ("statements", "refunds")
_STATEMENT_FIELDS = ("stated_at", "message_id", "kind", "actor_id", "amount", "currency", "rate", "lines")
_VERSIONED = "^(.+:)[0-9]{20}:"  # the id of a version of a record: all versions begin alike, and are in order by text
_REFUND_FIELDS = ("stated_at", "message_id", "amount", "currency", "rate", "lines")


def transform(leaves: DataFrame) -> DataFrame:
    """Leaf rows -> rows of silver.orders, from the facts in these leaves alone."""
    return settled(facts(leaves))


def facts(leaves: DataFrame) -> DataFrame:
    """Leaf rows -> what they say of each order: order_id, statements, refunds, in any order."""
    stated = leaves.select(F.explode("orders").alias("fact")).select(
        "fact.order_id",
        F.struct(*(F.col(f"fact.{name}") for name in _STATEMENT_FIELDS)).cast(ORDER_STATEMENT).alias("statement"),
        F.lit(None).cast(REFUND_STATEMENT).alias("refund"),
    )
    refunded = leaves.select(F.explode("refunds").alias("fact")).select(
        "fact.order_id",
        F.lit(None).cast(ORDER_STATEMENT).alias("statement"),
        F.struct(*(F.col(f"fact.{name}") for name in _REFUND_FIELDS)).cast(REFUND_STATEMENT).alias("refund"),
    )
    told = stated.unionByName(refunded).groupBy("order_id")
    return told.agg(F.collect_list("statement").alias("statements"), F.collect_list("refund").alias("refunds"))


def together(told: DataFrame, known: DataFrame) -> DataFrame:
    """Two frames of `facts`, none of which has a fact of the other -> one."""
    both = told.unionByName(known).groupBy("order_id")
    return both.agg(*(F.flatten(F.collect_list(name)).alias(name) for name in FACTS))


def settled(facts: DataFrame) -> DataFrame:
    """[order_id, statements, refunds], in any order -> rows of silver.orders. Other columns stay."""
    rows = facts
    for columns in _steps():
        rows = rows.withColumns(columns)
    return rows.drop("bought", "is_order", "valued", "its_rate", "worth", "refunded")


@cache
def _steps() -> list[dict[str, Column]]:
    """Columns of `settled`, each step over those before it. Built once: they are a hundred calls to the JVM, and more."""
    ordered = {name: F.array_sort(name) for name in ("statements", "refunds")}
    bought = F.get(F.filter("statements", _is_completion), F.lit(0))
    latest = F.try_element_at(F.filter("statements", _stands), F.lit(-1))
    valued = F.filter("statements", lambda one: one["amount"].isNotNull() & (one["kind"] != CANCELLED))
    lined = F.filter("statements", lambda one: one["lines"].isNotNull() & (one["kind"] != CANCELLED))
    is_worth_its_lines = _sum(F.col("valued.lines")) == F.col("valued.amount")
    described = {
        "bought": bought,
        "is_order": bought.isNotNull() & (latest["kind"] != CANCELLED),
        "valued": F.try_element_at(valued, F.lit(-1)),
        "lines": F.try_element_at(lined, F.lit(-1))["lines"],
    }
    # What says no currency is in that of the completion.
    its_rate = F.coalesce("valued.rate", "bought.rate", F.lit(1).cast("decimal(18,8)"))
    amount = F.coalesce(F.when(is_worth_its_lines, _sum(F.col("lines"))), "valued.amount")
    worth = F.coalesce(_product(amount, its_rate), F.lit(0).cast(EXACT))
    priced = {"its_rate": its_rate, "worth": worth}
    refunded = F.aggregate("refunds", F.lit(0).cast(EXACT), lambda sum_, refund: (sum_ + _off(refund)).cast(EXACT))
    is_order = F.col("is_order")
    over = F.greatest(F.col("refunded") - F.col("worth"), F.lit(0)).cast(EXACT)
    netted = {
        "actor_id": F.when(is_order, F.col("bought.actor_id")),
        "ordered_at": F.when(is_order, F.col("bought.stated_at")),
        "revenue": F.when(is_order, money(F.greatest(F.col("worth") - F.col("refunded"), F.lit(0)).cast(EXACT))),
        "over_refunded": F.when(is_order, money(over)),
        "buyers": F.size(F.array_distinct(F.filter("statements", _is_completion)["actor_id"])),
        "cancelled_at": F.when(latest["kind"] == CANCELLED, latest["stated_at"]),
        "unpriced_refunds": F.size(F.filter("refunds", _is_unpriced)),
    }
    return [ordered, described, priced, {"refunded": refunded}, netted]


def _is_completion(statement: Column) -> Column:
    return statement["kind"] == COMPLETED


def _stands(statement: Column) -> Column:
    """Whether it is no cancellation that a later version of its record took back. Reads the order's statements."""
    record = F.regexp_extract(statement["message_id"], _VERSIONED, 1)  # empty: of no versions

    def is_later(other: Column) -> Column:
        return other["message_id"].startswith(record) & (other["message_id"] > statement["message_id"])

    return (statement["kind"] != CANCELLED) | (record == "") | ~F.exists("statements", is_later)


def _sum(lines: Column) -> Column:
    """What lines are worth, as the parse sums them up; null where one has no price or quantity."""
    whole = F.transform(lines, lambda line: F.try_multiply(line["price"], line["quantity"]).try_cast(EXACT))
    return F.aggregate(whole, F.lit(0).cast(EXACT), lambda sum_, line: (sum_ + line).cast(EXACT)).try_cast(MONEY)


def _off(refund: Column) -> Column:
    """What one refund takes off, in the default currency. Reads lines, worth and its_rate of the order."""
    rate = F.coalesce(refund["rate"], "its_rate")
    of_lines = F.aggregate(
        F.transform(refund["lines"], _line_off), F.lit(0).cast(EXACT), lambda sum_, line: (sum_ + line).cast(EXACT)
    )
    return F.coalesce(
        _product(refund["amount"], rate), F.when(refund["lines"].isNotNull(), _product(of_lines, rate)), F.col("worth")
    )


def _line_off(returned: Column) -> Column:
    """What a returned line takes off; 0 where its price is not known."""
    return F.coalesce(F.try_multiply(_price(returned), returned["quantity"]).try_cast(EXACT), F.lit(0).cast(EXACT))


def _price(returned: Column) -> Column:
    """Of a returned line: the one price it was bought for, else its own; null where neither is known. Reads lines of the order."""
    same = F.filter("lines", lambda line: (line["product_id"] == returned["product_id"]) & line["price"].isNotNull())
    prices = F.array_distinct(same["price"])
    return F.coalesce(F.when(F.size(prices) == 1, F.get(prices, F.lit(0))), returned["price"])


def _is_unpriced(refund: Column) -> Column:
    """Whether some line of a refund without an amount has no price."""
    has_none = F.exists(refund["lines"], lambda returned: _price(returned).isNull())
    return refund["amount"].isNull() & F.coalesce(has_none, F.lit(False))


def _product(amount: Column | str, rate: Column) -> Column:
    """Null where the amount is, or where it is beyond any sum of money."""
    return F.try_multiply(F.col(amount) if isinstance(amount, str) else amount, rate).try_cast(EXACT)


_OF_STORED = ("order_id", *FACTS)  # what `united` reads
_BY = ("order_id", "actor_id")  # how orders are looked up


def united(leaves: DataFrame, stored: DataFrame) -> DataFrame:
    """The facts of the leaves, united with what is stored of their orders -> rows of silver.orders, and who had bought each by then."""
    known = stored.selectExpr("order_id", "statements AS known_statements", "refunds AS known_refunds")
    joined = known.join(F.broadcast(facts(leaves)), on="order_id", how="right")
    return conform(settled(joined.select(*_unions())), SILVER_ORDERS, "bought_by")


def merge(lake: Lake, leaves: DataFrame | pa.Table, _: Transaction) -> set[str]:
    """Union the facts of the leaves into silver.orders; a row whose facts are all known is left alone.

    Returns the actors who had bought these orders by then. Collects the rows to the driver.
    """
    if lake.uses_delta_rs:
        return _merge_here(lake, leaves)
    assert isinstance(leaves, DataFrame)
    merged = united(leaves, lake.read(SILVER_ORDERS)).toArrow()
    grown = " OR ".join(f"(cardinality(new.{c}) > cardinality(stored.{c}))" for c in FACTS)
    lake.upsert(merged.drop_columns("bought_by"), SILVER_ORDERS, update_when=grown)
    return _buyers(merged)


def _merge_here(lake: Lake, leaves: DataFrame | pa.Table) -> set[str]:
    """`merge` on this machine, where the stored orders are looked up: new ones are appended, and those that know more now are set."""
    runs = row_runs.current(lake, SILVER_ORDERS, _BY)
    if isinstance(leaves, pa.Table):
        stored = runs.rows("order_id", _order_ids(leaves), columns=_OF_STORED)
        merged = lake.few_rows.run(SILVER_ORDERS.name, united, leaves=leaves, stored=stored)
    else:
        merged = united(leaves, lake.read(SILVER_ORDERS)).toArrow()
        stored = runs.rows("order_id", merged["order_id"].to_pylist(), columns=_OF_STORED)
    known = dict(zip(stored["order_id"].to_pylist(), _fact_counts(stored), strict=True))
    told = zip(merged["order_id"].to_pylist(), _fact_counts(merged), strict=True)
    before = [(known.get(order_id), counts) for order_id, counts in told]
    rows = merged.drop_columns("bought_by")
    new = rows.filter(pa.array([counts is None for counts, _ in before], pa.bool_()))
    grown = rows.filter(pa.array([counts is not None and counts != now for counts, now in before], pa.bool_()))
    lake.add(new, SILVER_ORDERS)
    lake.upsert(grown, SILVER_ORDERS)
    runs.set_rows(pa.concat_tables([new, grown]), row_runs.stamp(lake, SILVER_ORDERS))
    return _buyers(merged)


def _fact_counts(rows: pa.Table) -> Iterable[tuple[int, ...]]:
    """How many facts each order has, by kind: they only ever become more."""
    return zip(*(pc.list_value_length(rows[name]).to_pylist() for name in FACTS), strict=True)


def _buyers(merged: pa.Table) -> set[str]:
    return {actor for known in merged["bought_by"].to_pylist() if known for actor in known}


def look_up(lake: Lake, actors: Collection[str]) -> pa.Table:
    """What profiles are made of, of the orders of these actors; of a lake on this machine."""
    return row_runs.current(lake, SILVER_ORDERS, _BY).rows("actor_id", actors, columns=ORDER_COLUMNS)


def _order_ids(leaves: pa.Table) -> set[str]:
    """The orders that leaf rows say something of."""
    told = (pc.struct_field(pc.list_flatten(leaves[name]), "order_id") for name in ("orders", "refunds"))
    return {order_id for of_list in told for order_id in of_list.to_pylist()}


@cache
def _unions() -> list[Column]:
    unions = (_union(F.col(f"known_{name}"), F.col(name)).alias(name) for name in ("statements", "refunds"))
    return [F.col("order_id"), F.col("known_statements.actor_id").alias("bought_by"), *unions]


def _union(known: Column, new: Column) -> Column:
    """The known facts, and those of the new whose message is not among them."""
    unknown = F.filter(new, lambda one: ~F.array_contains(known["message_id"], one["message_id"]))
    return F.coalesce(F.concat(known, unknown), new)


SILVER_ORDERS = LeafTable(
    name="silver.orders",
    grain="one row per order",
    people=(by("order_id", By.ORDER), by("actor_id", By.ACTOR)),
    key=("order_id",),
    transform=transform,
    merge=merge,
    look_up=look_up,
    sent_in=("orders", "refunds"),
    columns=(
        required("order_id", "string", "order"),
        optional(
            "actor_id", "string", "actor of the earliest completion; null = no order: never completed, or cancelled"
        ),
        optional(
            "ordered_at", "timestamp", "time of the earliest completion; null = no order: never completed, or cancelled"
        ),
        optional(
            "revenue",
            MONEY,
            "what the order was last said to be worth less its refunds, default_currency; null = no order",
        ),
        optional("over_refunded", MONEY, "refunded beyond what the order was worth, default_currency; null = no order"),
        required(
            "buyers",
            "int",
            "distinct actors that completed it: more than 1 = one order told from several devices, or one number of two customers",
        ),
        optional(
            "cancelled_at", "timestamp", "time of the cancellation; null = not cancelled, or said to be one again since"
        ),
        optional(
            "unpriced_refunds",
            "int",
            "refunds of lines that have no one price, neither theirs nor the order's: nothing was taken off for those",
        ),
        optional("lines", f"array<{PRODUCT_LINE}>", "lines last said; null = none ever said"),
        required("statements", f"array<{ORDER_STATEMENT}>", "what each message said of the order, in order of time"),
        required(
            "refunds",
            f"array<{REFUND_STATEMENT}>",
            "what each refund said; null amount = its lines, or the whole order",
        ),
    ),
)
