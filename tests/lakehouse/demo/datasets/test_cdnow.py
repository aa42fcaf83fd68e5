import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest

from lakehouse.demo.datasets import cdnow
from lakehouse.demo.datasets.packages import wheel
from lakehouse.kafka.message import Message
from tests.lakehouse.demo.datasets.oracle_cdnow import expected_rfm


@pytest.fixture(scope="module")
def sent() -> list[Message]:
    return list(cdnow.messages(None, 0))


def test_orders_customers_and_revenue_are_those_published(sent: list[Message]) -> None:
    events = [json.loads(message.value or b"", parse_float=Decimal) for message in sent]
    assert len(events) == 69_659
    assert len({event["userId"] for event in events}) == 23_570
    assert sum(event["properties"]["revenue"] for event in events) == Decimal("2500315.63")
    assert len({event["properties"]["order_id"] for event in events}) == 69_659
    assert len({event["messageId"] for event in events}) == 69_659


def test_every_customer_has_the_orders_revenue_and_last_day_that_pandas_finds(sent: list[Message]) -> None:
    orders: Counter[str] = Counter()
    revenue: dict[str, Decimal] = {}
    last: dict[str, str] = {}
    for message in sent:
        event = json.loads(message.value or b"", parse_float=Decimal)
        user = event["userId"]
        orders[user] += 1
        revenue[user] = revenue.get(user, Decimal(0)) + event["properties"]["revenue"]
        last[user] = max(last.get(user, ""), event["originalTimestamp"][:10])
    expected = expected_rfm(wheel(cdnow.REQUIREMENT))
    assert len(expected) == 23_570
    for row in expected.itertuples():
        assert (orders[row.user_id], revenue[row.user_id]) == (row.frequency, row.monetary)
        assert last[row.user_id] == row.last_order_on.isoformat()


def test_the_first_row_of_the_file_reads_as_printed(sent: list[Message]) -> None:
    first = next(json.loads(m.value or b"") for m in sent if b'"cdnow-00001"' in (m.value or b""))
    assert first["userId"] == "00001"
    assert first["originalTimestamp"] == "1997-01-01T12:00:00.000Z"
    assert first["properties"] == {
        "order_id": "cdnow-00001",
        "revenue": 11.77,
        "currency": "USD",
        "products": [{"product_id": "cd", "quantity": 1}],
    }


def test_orders_of_no_money_are_kept(sent: list[Message]) -> None:
    assert sum(b'"revenue":0.00,' in (message.value or b"") for message in sent) == 80


def test_messages_come_by_date_and_a_number_limits_them(sent: list[Message]) -> None:
    assert all(a.at <= b.at for a, b in pairwise(sent))
    assert sent[0].at == datetime(1997, 1, 1, 12, tzinfo=UTC)
    assert list(cdnow.messages(10, 3)) == sent[:10]
