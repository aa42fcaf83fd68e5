"""The reading of a record in plain Python, no Spark: nothing makes it fail, and how JSON was written does not matter."""

import json
import random
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.config import load
from lakehouse.events.clock import instant, microseconds
from lakehouse.events.event_row import EventReader, EventRow
from lakehouse.events.event_rows import RECORD, event_rows
from lakehouse.events.reader import Reader
from lakehouse.events.reasons import REASONS
from lakehouse.events.verdict import parts
from tests.lakehouse.events.test_fuzz import make
from tests.lakehouse.events.test_reader import random_message
from tests.rows import encode, order

CONFIG = load("dev", environ={})
READER, ALONE = EventReader(CONFIG), Reader(CONFIG)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_US = microseconds(NOON)
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "type",
        "messageId",
        "userId",
        "anonymousId",
        "event",
        "timestamp",
        "sentAt",
        "receivedAt",
        "context",
        "properties",
        "traits",
        "x",
    ]
)


@given(st.dictionaries(NAMES, HOSTILE, max_size=8))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_anything_at_any_place_gets_a_row_or_a_reason(fields: dict[str, Any]) -> None:
    row = READER.read(
        encode({"type": "track", "messageId": "m", "anonymousId": "a", "event": "Seen"} | fields), NOON_US, NOON_US
    )
    if row.verdict is None:
        assert row.message_id
        assert row.identifiers
        assert row.occurred_at is not None
        assert row.received_at is not None
    else:
        assert row.verdict.partition("|")[0] in REASONS


@given(st.dictionaries(NAMES, HOSTILE, max_size=8))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_what_is_asked_of_a_message_alone_is_what_its_row_says(fields: dict[str, Any]) -> None:
    value = encode({"type": "track", "messageId": "m", "anonymousId": "a", "event": "Seen"} | fields)
    row, message = READER.read(value, NOON_US, NOON_US), ALONE.document(value)
    if row.verdict is not None or message is None:
        return
    assert ALONE.identifiers(message) == row.identifiers
    assert ALONE.is_bot(message) == row.is_bot
    assert microseconds(ALONE.occurred_at(message, NOON)) == row.occurred_at
    if row.type == "track" and row.event is not None and not row.event.startswith("dev:"):
        assert ALONE.event_name(message) == row.event


@pytest.mark.parametrize("word", [True, 1, 1.0, "1", 0, 0.0, "no", [True], {"a": 1}, [[[]]], "", None])
def test_a_word_of_consent_is_heard_alike_whoever_said_another_before(word: Any) -> None:
    for said in (True, 1.0, word):
        message = {
            "type": "page",
            "messageId": "m",
            "anonymousId": "a",
            "context": {"consent": {"categoryPreferences": {"marketing": said}}},
        }
        heard = READER.read(encode(message), NOON_US, NOON_US).consent
        assert heard is not None
        alone = ALONE.consent(message)
        assert alone is not None
        assert heard == alone.consent


def test_what_nests_thousands_of_levels_is_no_text_and_breaks_nothing() -> None:
    deep: Any = "u-1"
    for _ in range(5_000):
        deep = [deep]
    message = {
        **dict.fromkeys(("type", "event", "userId", "messageId", "receivedAt", "originalTimestamp"), deep),
        "anonymousId": "a",
        "context": {
            "externalIds": [{"type": "user_id", "id": deep}],
            "consent": {"categoryPreferences": {"x": deep}},
            "userAgent": deep,
        },
        "traits": {"email": deep, "address": deep},
    }
    assert ALONE.identifiers(message) == [("anonymous_id", "a")]
    alone = ALONE.consent(message)
    assert alone is not None
    assert alone.consent.marketing is False
    assert (ALONE.event_name(message), ALONE.is_bot(message)) == (None, False)
    assert ALONE.occurred_at(message, NOON) == NOON


@pytest.mark.parametrize("seed", range(3))
def test_how_json_is_written_does_not_matter(seed: int) -> None:
    chance = random.Random(seed)
    for number in range(200):
        message = (
            random_message(chance)
            if number % 2
            else order(order_id=f"o-{number}", revenue=chance.choice([1, 59.8, "7.005"]))
        )
        dense = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
        loose = json.dumps(message, indent=2)  # other blanks, escapes for all but ASCII: another way through the reader
        assert READER.read(dense.encode(), NOON_US, NOON_US) == READER.read(loose.encode(), NOON_US, NOON_US)


def test_a_number_keeps_its_digits_however_it_is_written() -> None:
    for sent, worth in (
        ("19.90", "19.90"),
        ("1e2", "100.00"),
        ("0.005", "0.01"),
        ('"19.90"', "19.90"),
        ("90071992.55", "90071992.55"),
    ):
        value = f'{{"type":"track","event":"Order Completed","messageId":"m","anonymousId":"a","properties":{{"order_id":900719925474099312345,"revenue":{sent}}}}}'
        row = READER.read(value.encode(), NOON_US, NOON_US)
        assert (row.order_id, row.revenue) == ("900719925474099312345", Decimal(worth))


@pytest.mark.parametrize("number", ["1e9999999999999999999", "1e-9999999999999999999", "1E+1000000000000000000"])
def test_an_exponent_that_no_decimal_holds_is_no_amount_and_stops_nothing(number: str) -> None:
    for properties, verdict in (
        (f'"revenue":5,"x":{number}', None),
        (f'"revenue":{number}', "invalid_number|properties.revenue: number of at most 100000000 expected"),
    ):
        value = f'{{"type":"track","event":"Order Completed","messageId":"m","anonymousId":"a","properties":{{"order_id":"o",{properties}}}}}'
        assert READER.read(value.encode(), NOON_US, NOON_US).verdict == verdict


def record_batch(values: list[bytes | None]) -> pa.RecordBatch:
    """Records as Spark hands them to a worker."""
    times = pa.array([NOON_US] * len(values), pa.timestamp("us", tz="UTC"))
    place = [
        pa.array(["events"] * len(values), pa.string()),
        pa.array([0] * len(values), pa.int32()),
        pa.array(range(len(values)), pa.int64()),
    ]
    columns = [*place, pa.array(values, pa.binary()), times, times]
    return pa.RecordBatch.from_arrays(columns, list(RECORD))


def test_a_batch_is_its_rows() -> None:
    chance = random.Random(3)
    values = [encode(make(chance, number)) for number in range(200)] + [
        encode(random_message(chance)) for _ in range(100)
    ]
    (batch,) = event_rows(CONFIG)([record_batch(values)])
    for number, (value, row) in enumerate(zip(values, batch.to_pylist(), strict=True)):
        alone = READER.read(value, NOON_US, NOON_US)
        assert (row["value"], row["offset"]) == (value, number)
        assert row["message_id"] == alone.message_id
        assert (row["reason"], row["detail"]) == parts(alone.verdict)
        assert row["faults"] == alone.faults
        assert row["revenue"] == alone.revenue
        assert (row["lines"] is None) == (alone.lines is None)
        assert [(one["type"], one["token"]) for one in row["identifiers"] or ()] == (alone.identifiers or [])
    (empty,) = event_rows(CONFIG)([record_batch([])])
    assert (empty.schema, empty.num_rows) == (batch.schema, 0)


def test_a_record_is_read_alike_alone_and_among_others_whatever_was_read_before() -> None:
    """What is remembered of one event, and what is asked of a whole column, changes no other event."""
    chance = random.Random(11)
    values = [encode(make(chance, number)) for number in range(500)]
    values += [encode(random_message(chance)) for _ in range(150)] + [encode(hostile_order(chance)) for _ in range(150)]
    chance.shuffle(values)
    times = [NOON_US] * len(values)
    alone = [EventReader(CONFIG).read(value, NOON_US, NOON_US) for value in values[::20]]
    for order_of_reading in (values, values[::-1]):
        columns = EventReader(CONFIG).columns(order_of_reading, times, times)
        rows = [EventRow._make(row) for row in zip(*columns.values(), strict=True)]
        assert (rows if order_of_reading is values else rows[::-1])[::20] == alone


def hostile_order(chance: random.Random) -> dict[str, Any]:
    """An order with values that a dictionary takes for one: 1, 1.0 and true; and with texts that say other things in other fields."""
    odd: list[Any] = [
        1,
        1.0,
        True,
        0,
        False,
        -0.0,
        "1",
        None,
        "",
        [],
        {},
        "email",
        "ann@example.org",
        10**20,
        4111111111111111,
    ]
    fields = ("revenue", "total", "price", "quantity", "currency", "coupon", "id", "type", "value", "name", "q")
    sent = {name: chance.choice(odd) for name in fields if chance.random() < 0.5}
    consent = {name: chance.choice(odd) for name in ("analytics", "marketing")}
    return {
        **{"type": "track", "event": chance.choice(["Order Completed", "Product Viewed", "Seen"]), "messageId": "m"},
        **{
            "anonymousId": chance.choice(["a", "b", 1, 1.0, True]),
            "properties": sent | {"order_id": chance.choice(odd)},
        },
        "context": {"consent": {"categoryPreferences": consent}, "device": sent, "q": [sent, chance.choice(odd)]},
    }


def row_of(event: str, **properties: Any) -> EventRow:
    message = {"type": "track", "event": event, "messageId": "m", "anonymousId": "a", "properties": properties}
    return READER.read(encode(message), NOON_US, NOON_US)


UNREAD: dict[str, tuple[dict[str, Any], str]] = {
    "an amount as people write it": ({"total": "12,50"}, "invalid_number"),
    "products as text": ({"products": '[{"product_id": "p"}]'}, "wrong_type"),
    "products by their numbers, as PHP writes a list with a hole": (
        {"products": {"1": {"product_id": "p"}}},
        "wrong_type",
    ),
    "a line that names no product": ({"products": [{"quantity": 1}]}, "missing_field"),
    "items that name no product": ({"items": [{"quantity": 1}]}, "missing_field"),
    "items as text": ({"items": ' [{"product_id": "p"}]'}, "wrong_type"),
    "items by their numbers": ({"refunded_items": {"1": {"product_id": "p"}}}, "wrong_type"),
    "an amount as people write it, beside lines": (
        {"refund_amount": "12,50", "products": [{"product_id": "p"}]},
        "invalid_number",
    ),
    "an amount in an object, beside lines": (
        {"total": {"amount": 12.5}, "products": [{"product_id": "p"}]},
        "wrong_type",
    ),
    "a quantity with its unit": ({"products": [{"product_id": "p", "quantity": "1 pc"}]}, "invalid_number"),
}


@pytest.mark.parametrize("sent", UNREAD)
def test_a_refund_nobody_can_read_is_not_one_of_the_whole_order(sent: str) -> None:
    properties, reason = UNREAD[sent]
    assert (row_of("Order Refunded", order_id="o", **properties).verdict or "").partition("|")[0] == reason


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"total": ""},
        {"total": []},
        {"products": []},
        {"products": {}},
        {"total": None},
        {"items": 2},
        {"items": []},
    ],
)
def test_a_refund_that_says_nothing_more_is_of_the_whole_order(properties: dict[str, Any]) -> None:
    row = row_of("Order Refunded", order_id="o", **properties)
    assert (row.verdict, row.faults, row.revenue, row.lines) == (None, None, None, None)


@pytest.mark.parametrize("name", ["items", "line_items", "orderItems", "refundLineItems", "returned_items"])
def test_a_refund_is_of_its_lines_whatever_they_are_called(name: str) -> None:
    lines = {name: [{"item_id": "p", "quantity": 2}], "products": []}
    row = row_of("Order Refunded", order_id="o", **lines)
    assert (row.verdict, row.faults, row.revenue) == (None, None, None)
    assert [(line.product_id, line.quantity) for line in row.lines or ()] == [("p", 2)]
    assert json.loads(row.properties or "") == {"order_id": "o", **lines}, "as sent"


def test_only_what_names_an_order_has_its_lines_under_other_names_and_none_has_a_refunds() -> None:
    lines = [{"item_id": "p"}]
    assert row_of("Order Completed", order_id="o", revenue=1, refunded_items=lines).lines is None
    assert row_of("Order Completed", order_id="o", revenue=1, items=lines).product_id == "p"
    assert row_of("Survey Answered", items=lines).lines is None
    both = row_of("Order Completed", order_id="o", revenue=1, items=lines, products=[{"product_id": "q"}])
    assert [line.product_id for line in both.lines or ()] == ["q"]


@pytest.mark.parametrize("name", ["refundAmount", "refund_total", "total_refunded"])
def test_what_a_refund_gave_back_goes_before_the_total_of_its_order(name: str) -> None:
    assert row_of("Order Refunded", order_id="o", total=100, **{name: 5}).revenue == 5


def test_a_refund_of_lines_is_read_beside_an_amount_that_is_not() -> None:
    row = row_of("Order Refunded", order_id="o", total="n/a", products=[{"sku": "s-1"}])
    assert row.verdict is None
    assert [line.product_id for line in row.lines or ()] == ["s-1"]


@pytest.mark.parametrize(
    ("line", "product_id"),
    [
        ({"product_id": 7, "sku": "s"}, "7"),
        ({"product_id": "", "productId": "p"}, "p"),
        ({"sku": "s", "id": 9}, "s"),
        ({"id": 9}, "9"),
        ({"product_id": "undefined"}, None),
        ({"product_id": {"id": 1}}, None),
    ],
)
def test_a_line_is_of_the_product_it_names(line: dict[str, Any], product_id: str | None) -> None:
    lines = row_of("Order Completed", order_id="o", revenue=1, products=[line | {"price": 1}]).lines
    assert [one.product_id for one in lines or ()] == [product_id]


@pytest.mark.parametrize(
    ("properties", "reason", "currency"),
    [
        ({"currency": ["EUR"]}, "wrong_type", None),
        ({"currency": {"code": "EUR"}}, "wrong_type", None),
        ({"currency": "XTS"}, "unknown_currency", None),
        ({"currency": []}, None, "USD"),
        ({"currency_code": "eur"}, None, "EUR"),
    ],
)
def test_money_of_a_currency_nobody_can_read_is_not_counted(
    properties: dict[str, Any], reason: str | None, currency: str | None
) -> None:
    row = row_of("Order Completed", order_id="o", revenue=10, **properties)
    assert ((row.verdict or "").partition("|")[0] or None) == reason
    assert reason is not None or (row.currency, row.faults) == (currency, None)


@pytest.mark.parametrize("id_", ["ann@example.org", "ann\uff20example.org", "0049 170 12345678", "0815-4711-22", "p-1"])
def test_a_product_has_one_id_in_a_line_and_alone_and_shows_nobodys_address_or_number(id_: str) -> None:
    alone, line = row_of("Product Viewed", sku=id_), row_of("Product Added", products=[{"sku": id_, "price": 1}])
    assert line.lines is not None
    assert alone.product_id == line.product_id == line.lines[0].product_id
    assert (alone.product_id == id_) == (id_ == "p-1")


COMMERCE: dict[str, dict[str, Any]] = {
    "purchase": {"transaction_id": "T-1", "value": 10},
    "Purchase": {"value": 10},
    "Level Bought": {"transactionId": 7, "revenue": 1},
    "Order Complete": {"order_id": "o", "total": 1},
}


@pytest.mark.parametrize("event", COMMERCE)
def test_what_speaks_of_an_order_under_another_name_is_told(event: str) -> None:
    told = "not_counted|event: the name of an order event expected, for it speaks of an order"
    assert row_of(event, **COMMERCE[event]).faults == [told]


@pytest.mark.parametrize("event", ["Order Cancel", "Refund", "refundRequested"])
def test_what_speaks_of_a_return_is_told_as_one_and_in_no_balance_of_completed_orders(event: str) -> None:
    (told,) = row_of(event, order_id="o").faults or ()
    assert told.startswith("return_not_counted|event: ")


@pytest.mark.parametrize(
    ("event", "properties"),
    [
        ("Order Shipped", {"order_id": "o"}),
        ("Clicked", {"value": 3}),
        ("Recorder Viewed", {"value": 3}),
        ("Border Crossed", {"value": 3}),
    ],
)
def test_what_does_not_is_nothing_to_tell(event: str, properties: dict[str, Any]) -> None:
    assert row_of(event, **properties).faults is None


MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2026, 2, 1))
OFFSETS = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timedelta(minutes=15 * quarters))


@given(MOMENTS, OFFSETS)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_one_moment_is_one_however_programs_write_it(moment: datetime, offset: timedelta) -> None:
    """The writers of Java, Go, Ruby, Python, .NET and JavaScript."""
    utc = moment.replace(tzinfo=UTC)
    here = utc.astimezone(timezone(offset))
    colon, plain = here.isoformat(timespec="microseconds"), here.strftime("%Y-%m-%d %H:%M:%S.%f %z")
    written = (
        *(colon, f"{colon}[Europe/Berlin]", plain, f"{plain} CET", f'"{colon}"', f"\ufeff{colon}\n"),
        *(
            utc.strftime(form)
            for form in ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dt%H:%M:%S.%fz", "%Y-%m-%d %H:%M:%S.%f UTC")
        ),
        utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ[UTC]"),
        str(microseconds(utc)),
    )
    assert {instant(text) for text in written} == {microseconds(utc)}


@pytest.mark.parametrize(
    "text", ["2026-02-01T10:00:00 CET", "2026-02-01T10:00:00[Europe/Berlin]", "2026-02-01T10:00:00+24:00"]
)
def test_a_zone_that_gives_no_offset_is_no_time(text: str) -> None:
    assert instant(text) is None


@pytest.mark.parametrize(
    ("sent", "user_id"),
    [("1e+05", "100000"), ("1E3", "1000"), ("1.5e2", "150"), ("-5.0", "-5"), ("1e21", "1" + "0" * 21), ("1.5", "1.5")],
)
def test_a_whole_number_is_an_id_by_its_digits(sent: str, user_id: str) -> None:
    value = f'{{"type":"page","messageId":"m","userId":{sent}}}'.encode()
    assert READER.read(value, NOON_US, NOON_US).user_id == user_id
    message = ALONE.document(value)
    assert message is not None
    assert ALONE.identifiers(message) == [("user_id", user_id)]


@pytest.mark.parametrize("name", ["Order Completed", "Order Updated", "Order Cancelled", "Order Refunded"])
def test_no_order_is_a_robots(name: str) -> None:
    message = {
        **{"type": "track", "event": name, "messageId": "m", "anonymousId": "a"},
        "properties": {"order_id": "o", "total": 5},
        "context": {"userAgent": "python-requests/2.31"},
    }
    assert READER.read(encode(message), NOON_US, NOON_US).is_bot is False
    assert ALONE.is_bot(message) is False


def test_consent_in_a_shape_nobody_can_read_is_told_and_was_asked_for() -> None:
    row = READER.read(
        encode({"type": "page", "messageId": "m", "anonymousId": "a", "context": {"consent": {"tcString": "CPXx"}}}),
        NOON_US,
        NOON_US,
    )
    assert row.consent is not None
    assert row.consent == (None, None, None)
    assert row.faults == ["wrong_type|context.consent.categoryPreferences: object of categories expected"]
