"""silver.orders against a ledger in plain Python: what is said of orders in any order, in any batches, and again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from lakehouse.lake.delta import Lake
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.silver.orders import SILVER_ORDERS, merge, transform
from tests.accepted import event, events, once

RATES = {"EUR": "1.1", "JPY": "0.0067"}
START = datetime(2026, 3, 1, tzinfo=UTC)
PRODUCTS = ("cup", "tea", "rug")
NAMES = {
    "completed": "Order Completed",
    "updated": "Order Updated",
    "cancelled": "Order Cancelled",
    "refunded": "Order Refunded",
}
Line = tuple[str, str | None, Decimal, Decimal | None]


@dataclass(frozen=True)
class Said:
    """One message about one order."""

    minute: int
    message_id: str
    kind: str
    amount: Decimal | None
    currency: str | None
    lines: tuple[Line, ...] | None


def history(chance: random.Random, order: str) -> list[Said]:
    said = []
    for number in range(chance.randint(1, 7)):
        kind = chance.choice(["completed", "completed", "updated", "cancelled", "refunded", "refunded"])
        amount = None if kind != "completed" and chance.random() < 0.5 else Decimal(chance.randint(0, 9999)) / 100
        currency = chance.choice(["USD", "EUR", "JPY"]) if kind == "completed" or chance.random() < 0.3 else None
        line = (
            chance.choice(PRODUCTS),
            None,
            Decimal(chance.randint(0, 3000)) / 1000,
            chance.choice([None, Decimal(chance.randint(0, 99999)) / 10000]),
        )
        lines = (line,) if chance.random() < 0.5 else None
        said.append(Said(chance.randint(0, 5000), f"{order}-{number}", kind, amount, currency, lines))
    if chance.random() < 0.3:  # worth its lines, or a cent more, and then other lines
        price, quantity = Decimal(chance.randint(0, 99999)) / 10000, Decimal(chance.randint(0, 3000)) / 1000
        amount = cents(price * quantity) + chance.choice([0, 0, Decimal("0.01")])
        said.append(Said(5001, f"{order}-y", "completed", amount, "EUR", (("cup", None, quantity, price),)))
        later = chance.choice([None, price, price * 2])
        said.append(Said(5002, f"{order}-z", "updated", None, None, (("tea", None, quantity, later),)))
    return said


Worth = tuple[Decimal | None, Decimal | None, int]


def ledger(said: Sequence[Said]) -> Worth:
    """What an order is worth, what was refunded beyond it (None = it is no order), and how many refunds had a line without a price."""
    statements = sorted((one for one in said if one.kind != "refunded"), key=lambda one: (one.minute, one.message_id))
    completed = [one for one in statements if one.kind == "completed"]
    lined = [one.lines for one in statements if one.kind != "cancelled" and one.lines is not None]
    price_of = {product: price for product, _, _, price in reversed(lined[-1] if lined else ()) if price is not None}
    of_lines = [one.lines or () for one in said if one.kind == "refunded" and one.amount is None]
    unpriced = sum(any(price_of.get(p, price) is None for p, _, _, price in lines) for lines in of_lines)
    if not completed or statements[-1].kind == "cancelled":
        return None, None, unpriced
    valued = [one for one in statements if one.kind != "cancelled" and one.amount is not None][-1]
    its_rate = rate(valued.currency or completed[0].currency)
    amount = valued.amount or Decimal(0)
    if valued.lines is not None and of_its_lines(valued.lines) == amount:
        amount = of_its_lines(lined[-1]) if of_its_lines(lined[-1]) is not None else amount
    worth, refunded = amount * its_rate, Decimal(0)
    for refund in (one for one in said if one.kind == "refunded"):
        own_rate = its_rate if refund.currency is None else rate(refund.currency)
        if refund.amount is not None:
            refunded += refund.amount * own_rate
        elif refund.lines is not None:
            refunded += (
                sum((price_of.get(p, price) or Decimal(0)) * quantity for p, _, quantity, price in refund.lines)
                * own_rate
            )
        else:
            refunded += worth
    return cents(max(worth - refunded, Decimal(0))), cents(max(refunded - worth, Decimal(0))), unpriced


def of_its_lines(lines: Sequence[Line]) -> Decimal | None:
    prices = [None if price is None else price * quantity for _, _, quantity, price in lines]
    return None if None in prices else cents(sum((one for one in prices if one is not None), Decimal(0)))


def rate(currency: str | None) -> Decimal:
    return Decimal(RATES.get(currency or "", "1"))


def cents(exact: Decimal) -> Decimal:
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


def rows(order: str, said: Sequence[Said]) -> list[dict[str, Any]]:
    return [
        event(
            one.message_id,
            (START + timedelta(minutes=one.minute)).strftime("%Y-%m-%d %H:%M"),
            NAMES[one.kind],
            user_id=f"buyer-{order}",
            order_id=order,
            revenue=one.amount,
            currency=one.currency,
            lines=None if one.lines is None else list(one.lines),
        )
        for one in said
    ]


@pytest.fixture(scope="module")
def histories() -> dict[str, list[Said]]:
    chance = random.Random(11)
    return {f"o{n}": history(chance, f"o{n}") for n in range(400)}


def worth(found: Sequence[Row]) -> dict[str, Worth]:
    return {row["order_id"]: (row["revenue"], row["over_refunded"], row["unpriced_refunds"]) for row in found}


def test_every_order_is_worth_what_the_ledger_says(spark: SparkSession, histories: dict[str, list[Said]]) -> None:
    sent = [row for order, said in histories.items() for row in rows(order, said)]
    random.Random(3).shuffle(sent)
    found = transform(leaf(with_day(events(spark, sent)), rates=RATES)).collect()
    assert worth(found) == {order: ledger(said) for order, said in histories.items()}


def test_batches_replays_and_another_rate_change_nothing(lake: Lake, histories: dict[str, list[Said]]) -> None:
    lake.create(SILVER_ORDERS)
    some = dict(list(histories.items())[:60])
    sent = [row for order, said in some.items() for row in rows(order, said)]
    random.Random(5).shuffle(sent)
    batches = [sent[:50], sent[50:], sent[:50]]
    for number, batch in enumerate(batches):
        rates = RATES if number < 2 else {"EUR": "7"}  # the first messages come again on a day of another rate
        merge(lake, leaf(with_day(events(lake.spark, batch)), rates=rates), once(number))
    stored = lake.read(SILVER_ORDERS).collect()
    assert worth(stored) == {order: ledger(said) for order, said in some.items()}


def test_no_sum_stops_a_query(spark: SparkSession) -> None:
    """Amounts at the bound of the contract, at an absurd rate, refunded and returned by the million: bounded, not thrown."""
    most = Decimal("9999999999999999.99")
    huge = ("cup", None, Decimal(10) ** 11, Decimal(10) ** 11)
    sent = [
        event(
            "m1",
            "2026-03-01 10:00",
            "Order Completed",
            user_id="u",
            order_id="o",
            revenue=most,
            currency="EUR",
            lines=[huge],
        ),
        event("m2", "2026-03-01 11:00", "Order Refunded", user_id="u", order_id="o", lines=[huge] * 50),
        event("m3", "2026-03-01 10:00", "Order Completed", user_id="u", order_id="p", revenue=most, currency="EUR"),
    ]
    found = worth(transform(leaf(with_day(events(spark, sent)), rates={"EUR": "999999999"})).collect())
    assert found["p"] == (most, Decimal("0.00"), 0)
    assert found["o"][0] is not None


def test_one_number_of_two_customers_is_told(spark: SparkSession) -> None:
    sent = [
        event("m1", "2026-03-01 10:00", "Order Completed", user_id="ann", order_id="1017", revenue="30"),
        event("m2", "2026-03-01 11:00", "Order Completed", user_id="bob", order_id="1017", revenue="70"),
        event("m3", "2026-03-01 11:00", "Order Completed", user_id="bob", order_id="1018", revenue="70"),
    ]
    found = transform(leaf(with_day(events(spark, sent)), rates={})).collect()
    assert {row["order_id"]: row["buyers"] for row in found} == {"1017": 2, "1018": 1}


# What the versions of a record say, in the order they were made -> whether it is an order.
VERSIONS = {
    "cancelled 10:05, completed 10:00": True,  # the card was declined, and another was not
    "completed 10:00, cancelled 10:05": False,
    "completed 10:00, cancelled 10:05, completed 10:00, cancelled 10:09": False,
    "cancelled 10:05, updated 10:00": False,
}


def test_the_last_version_of_a_record_says_whether_it_is_cancelled(spark: SparkSession) -> None:
    sent = [
        event(
            f"shop-{said}:{number:020}:x",
            f"2026-03-01 {when}",
            NAMES[kind],
            user_id="ann",
            order_id=said,
            revenue="30",
        )
        for said in VERSIONS
        for number, (kind, when) in enumerate(map(str.split, said.split(", ")))
    ]
    found = transform(leaf(with_day(events(spark, sent[::-1])), rates={})).collect()
    assert {row["order_id"]: row["revenue"] is not None for row in found} == VERSIONS


def test_a_product_bought_at_two_prices_has_none_of_its_own(spark: SparkSession) -> None:
    """What goes back at 60 takes off 60; at a price that nobody says, nothing, and that is told."""
    bought = [("tee", None, Decimal(1), Decimal(40)), ("tee", None, Decimal(1), Decimal(60))]
    sent = []
    for order, price in (("o", Decimal(60)), ("p", None)):
        back = [("tee", None, Decimal(1), price)]
        told = {"user_id": "ann", "order_id": order}
        sent.append(event(f"{order}1", "2026-03-01 10:00", "Order Completed", revenue="100", lines=bought, **told))
        sent.append(event(f"{order}2", "2026-03-01 11:00", "Order Refunded", lines=back, **told))
    found = worth(transform(leaf(with_day(events(spark, sent)), rates={})).collect())
    assert found == {"o": (Decimal("40.00"), Decimal("0.00"), 0), "p": (Decimal("100.00"), Decimal("0.00"), 1)}
