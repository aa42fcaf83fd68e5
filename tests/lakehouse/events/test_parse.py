"""Accepted events: message in, the columns of silver.events that it decides out. All in one Spark run."""

import hashlib
import hmac
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.events.parse import parse
from lakehouse.tables.events import SILVER_EVENTS
from tests.rows import ARRIVAL, message, order, records, track

CONFIG = load("dev", environ={})
NOON = ARRIVAL.replace(tzinfo=None)  # Spark hands times out naive; they are UTC


def token(type_: str, value: str) -> str:
    digest = hmac.new(CONFIG.privacy.hmac_key.encode(), f"{type_}:{value}".encode(), hashlib.sha256).hexdigest()
    return f"dev:{digest[:32]}"


def identifiers(**tokens: str) -> list[Row]:
    return [Row(type=type_, token=token_) for type_, token_ in sorted(tokens.items())]


def line(product_id: str, name: str | None, quantity: float, price: str) -> Row:
    return Row(product_id=product_id, name=name, quantity=Decimal(str(quantity)), price=Decimal(price))


def shown(event: str = "Product Viewed", **properties: Any) -> dict[str, Any]:
    return track(event, properties=properties)


def said(event: str, **fields: Any) -> dict[str, Any]:
    return track(event, anonymousId=None, **fields)


LINES = [{"product_id": "p-1", "name": "Mug", "price": 19.9, "quantity": 2}, {"productId": "p-2", "price": "20"}]
ADDRESS = {"city": "Rome", "postalCode": "00184", "floor": 3}
TRAITS = {
    "email": " Ann@Example.com ",
    "firstName": "Ann",
    "first_name": "Anna",
    "age": 41,
    "city": "Ostia",
    "pets": ["cat"],
}

# case -> (message, columns it must give)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "order": (
        order(currency="eur", coupon="MAY", products=LINES, revenue=59.995, total=70) | {"userId": "ann"},
        {
            "message_id": "m-1", "type": "track", "event": "Order Completed", "order_id": "o-1", "currency": "EUR",
            "revenue": Decimal("60.00"), "coupon": "MAY", "user_id": "ann", "anonymous_id": "anon-1", "product_id": None,
            "lines": [line("p-1", "Mug", 2, "19.90"), line("p-2", None, 1, "20.00")], "traits": None, "consent": None,
            "identifiers": identifiers(anonymous_id="anon-1", user_id="ann"), "is_bot": False, "is_clamped": False,
            "topic": "events", "partition": 0, "offset": 0,
        },
    ),
    "order worth its lines": (order(revenue=None, products=LINES), {"revenue": Decimal("59.80"), "currency": "USD"}),
    "order of weighed goods": (
        order(products=[{"product_id": "p-3", "price": 3, "quantity": 1.5}], revenue=None),
        {"revenue": Decimal("4.50"), "lines": [line("p-3", None, 1.5, "3.00")], "product_id": "p-3"},
    ),
    "refund of the whole order": (
        shown("Order Refunded", order_id="o-1"),
        {"event": "Order Refunded", "order_id": "o-1", "revenue": None, "lines": None},
    ),
    "a cancellation is one whatever it says of money": (
        shown("Order Cancelled", order_id="o-1", total=-60, currency="?"),
        {"event": "Order Cancelled", "order_id": "o-1", "revenue": None, "currency": None},
    ),
    "refund in part": (shown("Order Refunded", orderId=17, total="5.5"), {"order_id": "17", "revenue": Decimal("5.50")}),
    "amounts of other events": (shown(revenue=5, product_id="p-1"), {"revenue": None, "currency": None, "product_id": "p-1"}),
    "search": (shown("Products Searched", query="red mug"), {"query": "red mug"}),
    "search for a person": (shown("Products Searched", query="ann@example.com"), {"query": None}),
    "identify": (
        message("identify", userId="ann", traits=TRAITS | {"address": ADDRESS}),
        {
            "type": "identify", "event": None,
            "identifiers": identifiers(anonymous_id="anon-1", email=token("email", "ann@example.com"), user_id="ann"),
            "traits": {
                "email": " Ann@Example.com ", "first_name": "Ann", "age": "41", "city": "Ostia", "postal_code": "00184",
            },
        },
    ),
    "traits of a track event": (track(traits={"email": "ann@example.com"}), {"traits": None}),
    "page": (
        message("page", name="Home", properties={"url": "https://shop.test/home?email=ann@example.com#top"}),
        {"type": "page", "event": "Home", "page_url": "https://shop.test/home"},
    ),
    "page of a person": (
        track(context={"page": {"url": "https://shop.test/u/ann%40example.com/orders"}}),
        {"page_url": "https://shop.test/u/-/orders"},
    ),
    "alias": (
        message("alias", anonymousId=None, previousId="anon-0", userId="ann"),
        {"type": "alias", "previous_id": "anon-0", "identifiers": identifiers(anonymous_id="anon-0", user_id="ann")},
    ),
    "alias of an e-mail": (
        message("alias", anonymousId=None, previousId="a@x.org", userId="ann"),
        {
            "previous_id": token("anonymous_id", "a@x.org"),
            "identifiers": identifiers(
                anonymous_id=token("anonymous_id", "a@x.org"), email=token("email", "a@x.org"), user_id="ann"
            ),
        },
    ),
    "previousId of no alias": (track(previousId="p-1"), {"previous_id": None, "identifiers": identifiers(anonymous_id="anon-1")}),
    "traits of a group": (
        message("group", groupId="club", traits={"email": "office@club.org"}, context={"traits": {"email": "ann@example.com"}}),
        {"identifiers": identifiers(anonymous_id="anon-1", email=token("email", "ann@example.com")), "traits": None},
    ),
    "blank is absent": (
        order(revenue="", total=" ", value="7.00", currency=""), {"revenue": Decimal("7.00"), "currency": "USD"},
    ),
    "an address in a line": (
        order(revenue=5, products=[{"product_id": "p-1", "name": "Card for ann@example.com", "price": 5}]),
        {"lines": [line("p-1", None, 1, "5.00")]},
    ),
    "group": (message("group", groupId="club"), {"type": "group", "group_id": "club", "event": None}),
    "e-mail as userId": (
        track(userId="Ann@Example.com", anonymousId=None),
        {
            "user_id": token("user_id", "ann@example.com"),
            "identifiers": identifiers(email=token("email", "ann@example.com"), user_id=token("user_id", "ann@example.com")),
        },
    ),
    "blocked userId": (track(userId="null"), {"user_id": None, "identifiers": identifiers(anonymous_id="anon-1")}),
    "ids as numbers, blanks around": (
        track(message_id=" 7 ", userId=42, anonymousId="  "),
        {"message_id": "7", "user_id": "42", "anonymous_id": None, "identifiers": identifiers(user_id="42")},
    ),
    "a blank place before a good one": (
        said("x", traits={"email": ""}, context={"traits": {"email": "ann@example.com"}}),
        {"identifiers": identifiers(email=token("email", "ann@example.com"))},
    ),
    "a friend's address": (
        track("Invite Sent", properties={"email": "bob@example.com", "phone": "+12025550143"}),
        {"identifiers": identifiers(anonymous_id="anon-1")},
    ),
    "a telephone as userId": (track(userId="+1 202 555 0143"), {"user_id": token("user_id", "+1 202 555 0143")}),
    "the mailbox of a function": (
        message("identify", traits={"email": "Info@praxis.org"}),
        {"identifiers": identifiers(anonymous_id="anon-1", mailbox=token("email", "info@praxis.org"))},
    ),
    "a page called as an order": (
        message("page", name="Order Completed", properties={"order_id": "o-1", "revenue": 5}),
        {
            "event": "Order Completed", "type": "page", "revenue": None,
            "faults": [
                "not_counted|event: the name of an order event expected, for it speaks of an order",
            ],
        },
    ),
    "external ids": (
        said("x", context={"externalIds": [
            {"type": "loyalty_id", "id": "card-1"}, {"type": "phone", "id": "(202) 555-0143"}, {"type": "ga", "id": "1.2"},
        ]}),
        {"identifiers": identifiers(loyalty_id="card-1", phone=token("phone", "+12025550143"))},
    ),
    "a number of the country of the address": (
        message("identify", anonymousId=None, traits={"phone": "030 901820", "address": {"country": " de "}}, context={
            "externalIds": [{"type": "phone", "id": "030/90 18 20"}],
        }),
        {"identifiers": identifiers(phone=token("phone", "+4930901820"))},
    ),
    "spellings of one address": (
        said("x", traits={"email": "Ann.Lee+shop@GoogleMail.com"}, context={
            "externalIds": [{"type": "email", "id": "annlee@gmail.com"}, {"type": "email", "id": "noreply@shop.com"}],
        }),
        {"identifiers": identifiers(email=token("email", "annlee@gmail.com"))},
    ),
    "slow clock": (
        track(timestamp=None, originalTimestamp="2025-01-31T09:00:00+01:00", sentAt=1738310700000, receivedAt="2025-01-31T11:05:00Z"),
        {"occurred_at": datetime(2025, 1, 31, 11, 0), "received_at": datetime(2025, 1, 31, 11, 5), "is_clamped": False},
    ),
    "fast clock without sentAt": (
        track(timestamp="2025-01-31T13:00:00Z"),
        {"occurred_at": NOON, "received_at": NOON, "is_clamped": True},
    ),
    "no times": (track(timestamp=None), {"occurred_at": NOON, "received_at": NOON, "is_clamped": False}),
    "time without zone": (track(timestamp="2025-01-30T08:00:00.5"), {"occurred_at": datetime(2025, 1, 30, 8, 0, 0, 500_000)}),
    "receivedAt of no sense": (track(receivedAt="2999-01-01T00:00:00Z"), {"received_at": NOON}),
    "consent": (
        track(
            context={
                "consent": {"categoryPreferences": {"analytics": True, "marketing": False, "other": True}, "jurisdiction": "de", "textVersion": 7},
                "library": {"name": "shop.js"},
            }
        ),
        {
            "consent": Row(
                at=datetime(2025, 1, 31, 11, 59, 59), message_id="m-1", analytics=True, personalization=None, marketing=False,
            ),
            "consent_basis": Row(source="categories", jurisdiction="DE", text_version="7", others=None, told_by="shop.js"),
        },
    ),
    "consent to nothing we know": (
        track(context={"consent": {"categoryPreferences": {"other": True}}}),
        {"consent": Row(
            at=datetime(2025, 1, 31, 11, 59, 59), message_id="m-1", analytics=None, personalization=None, marketing=None,
        )},
    ),
    "bot": (track(context={"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}), {"is_bot": True}),
    "browser": (track(context={"userAgent": "Mozilla/5.0 Firefox/140"}), {"is_bot": False}),
    "where from": (
        track(context={"campaign": {"name": "may"}, "channel": "store", "sessionId": "s-1"}),
        {"campaign": "may", "channel": "store", "session_id": "s-1"},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def rows(_session: SparkSession) -> dict[str, Row]:
    """What parse makes of each case."""
    parsed = parse(records(_session, [sent for sent, _ in CASES.values()]), CONFIG)
    return dict(zip(CASES, parsed.orderBy("offset").collect(), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_an_accepted_event_has_the_columns_its_message_says(rows: dict[str, Row], case: str) -> None:
    row, expected = rows[case], CASES[case][1]
    assert (row["reason"], row["detail"]) == (None, None)
    assert {name: row[name] for name in expected} == expected


def test_an_actor_is_its_bundle_whatever_the_event(rows: dict[str, Row]) -> None:
    assert rows["search"]["actor_id"] == rows["bot"]["actor_id"] == rows["blocked userId"]["actor_id"]
    assert rows["order"]["actor_id"] != rows["search"]["actor_id"]
    assert len(rows["order"]["actor_id"]) == 32


def test_the_frame_has_the_columns_of_the_contract_and_what_goes_with_them(rows: dict[str, Row]) -> None:
    extra = ["traits", "value", "kafka_timestamp", "arrived_at", "faults", "source", "fact", "reason", "detail"]
    assert rows["order"].__fields__ == [*SILVER_EVENTS.column_names, *extra]


def test_no_column_of_silver_shows_an_address(rows: dict[str, Row]) -> None:
    shown_text = str([[row[name] for name in SILVER_EVENTS.column_names] for row in rows.values()]).lower()
    assert "example.com" not in shown_text
    assert "5550143" not in shown_text


def test_arrival_bounds_what_the_broker_says(spark: SparkSession) -> None:
    """A producer may stamp any time on a record: it moves no event, no watermark and no clock of the lake."""
    far = ARRIVAL.replace(year=2099)
    sent = [
        track(),
        track(timestamp=None, receivedAt="2025-01-31T12:00:00Z"),
        track(timestamp=None),
        track(timestamp=far.isoformat()),
    ]
    stamped = records(spark, sent, arrival=far).withColumn("arrived_at", F.lit(ARRIVAL))
    rows = parse(stamped, CONFIG).orderBy("offset").collect()
    assert [row["reason"] for row in rows] == [None, None, "timestamp_out_of_range", "timestamp_out_of_range"]
    assert {row["occurred_at"].year for row in rows[:2]} == {row["received_at"].year for row in rows[:2]} == {2025}


def test_records_of_a_registered_schema_that_read_alike_as_text_are_two(spark: SparkSession) -> None:
    rows = parse(records(spark, [b"\0\xff", b"\0\xfe", b"\xff", b"\xfe"]), CONFIG).orderBy("offset").collect()
    first, second, third, fourth = (row["content_hash"] for row in rows)
    assert first != second
    assert third == fourth  # which is no JSON, and in quarantine
