import json
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from lakehouse.demo.datasets import completejourney
from lakehouse.demo.datasets.completejourney import MAX_BYTES, _line, _order
from lakehouse.demo.datasets.packages import wheel
from lakehouse.kafka.message import Message
from tests.lakehouse.demo.datasets.oracle_completejourney import expected_rfm, transactions


@pytest.fixture(scope="module")
def sent() -> list[Message]:
    return list(completejourney.messages(None, 0))


@pytest.fixture(scope="module")
def events(sent: list[Message]) -> list[dict[str, Any]]:
    return [json.loads(message.value or b"", parse_float=Decimal) for message in sent]


def test_events_of_every_kind_are_as_many_as_the_package_has_rows(events: list[dict[str, Any]]) -> None:
    assert Counter(event.get("event", event["type"]) for event in events) == {
        "Order Completed": 155_848,
        "Campaign Delivered": 6_589,
        "Coupon Redeemed": 2_102,
        "identify": 801,
    }
    assert len({event["messageId"] for event in events}) == len(events)


def test_every_household_has_the_baskets_revenue_and_last_time_that_pandas_finds(events: list[dict[str, Any]]) -> None:
    revenue: dict[str, Decimal] = defaultdict(Decimal)
    baskets: dict[str, set[str]] = defaultdict(set)
    last: dict[str, str] = defaultdict(str)
    for event in events:
        if event.get("event") == "Order Completed":
            user = event["userId"]
            revenue[user] += event["properties"]["revenue"]
            baskets[user].add(event["properties"]["order_id"])
            last[user] = max(last[user], event["originalTimestamp"])
    expected = expected_rfm(wheel(completejourney.REQUIREMENT))
    assert len(expected) == 2_469
    assert expected["frequency"].sum() == 155_848
    assert sum(expected["monetary"]) == Decimal("4596039.58")
    for row in expected.itertuples():
        assert (len(baskets[row.user_id]), revenue[row.user_id]) == (row.frequency, row.monetary)
        assert last[row.user_id] == row.last_order_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_lines_are_all_there_and_add_up_to_their_order(events: list[dict[str, Any]]) -> None:
    orders = [event["properties"] for event in events if event.get("event") == "Order Completed"]
    lines = [line for order in orders for line in order["products"]]
    assert len(lines) == 1_469_307
    assert all(sum(line["sales_value"] for line in order["products"]) == order["revenue"] for order in orders)
    assert sum(line["quantity"] for line in lines) == transactions(wheel(completejourney.REQUIREMENT))["quantity"].sum()


def test_no_message_is_too_large_and_all_come_by_time(sent: list[Message]) -> None:
    assert max(len(message.value or b"") for message in sent) <= MAX_BYTES
    assert all(a.at <= b.at for a, b in pairwise(sent))


def test_a_number_limits_the_messages(sent: list[Message]) -> None:
    assert list(completejourney.messages(900, 1)) == sent[:900]


@pytest.mark.parametrize(
    ("quantity", "cents", "price"),
    [(1, 199, "1.99"), (3, 200, "0.67"), (2, 1, "0.01"), (0, 50, "0.50"), (2, 0, "0.00")],
)
def test_price_is_per_piece_to_the_nearest_cent_and_the_lines_value_stays_exact(
    quantity: int, cents: int, price: str
) -> None:
    line = json.loads(_line((1, 2, 3, 4, quantity, cents, 0), ("", ""), 2), parse_float=str)
    assert (line["quantity"], line["price"]) == (quantity, price)
    assert line["sales_value"] == f"{cents // 100}.{cents % 100:02d}"


def test_a_basket_too_large_loses_category_then_name_but_no_line() -> None:
    about = {4: (',"name":"' + "n" * 100 + '"', ',"category":"' + "c" * 100 + '"')}
    for lines, kept in ((100, {"name", "category"}), (160, {"name"}), (300, set())):
        _, message = _order(3, [(1, 2, 3, 4, 1, 199, 0)] * lines, about)
        products = json.loads(message.value or b"")["properties"]["products"]
        assert len(products) == lines
        assert set(products[0]) - {"product_id", "quantity", "price", "sales_value"} == kept
        assert len(message.value or b"") <= MAX_BYTES
