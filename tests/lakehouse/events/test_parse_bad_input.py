"""Bad records: value -> the one reason it is rejected for, None where it is just good enough. All in one Spark run."""

import json
from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from lakehouse.config import load
from lakehouse.events import reasons as R
from lakehouse.events.parse import parse
from tests.rows import ARRIVAL, Value, encode, message, order, records, track


def products(*sent: Any, event: str = "Product Added") -> dict[str, Any]:
    return track(event, properties={"products": list(sent)})


def sized(length: int) -> str:
    """A good message of so many bytes."""
    text = json.dumps(track(properties={"note": ""}))
    return text.replace('"note": ""', f'"note": "{"x" * (length - len(text))}"')


def nested(levels: int) -> dict[str, Any]:
    """A good message of so many levels, an array at every one but the two outermost."""
    inner: Any = "x"
    for _ in range(levels - 2):
        inner = [inner]
    return track(properties={"deep": inner})


def ahead(**late: int) -> dict[str, Any]:
    """A message whose time lies so far after its arrival."""
    return track(timestamp=(ARRIVAL + timedelta(**late)).isoformat())


GOOD = json.dumps(track())
CASES: dict[str, tuple[Value, str | None]] = {
    "tombstone": (None, R.NULL_VALUE),
    "40 KB": (sized(40_960), R.OVERSIZED),
    "a byte too long": (sized(36_865), R.OVERSIZED),
    "as long as allowed": (sized(36_864), None),
    "not UTF-8": (GOOD.encode().replace(b"anon-1", b"anon-\xc3\x28"), R.INVALID_UTF8),
    "UTF-16": (GOOD.encode("utf-16"), R.INVALID_UTF8),
    "surrogate as bytes": (GOOD.replace("anon-1", "\ud800"), R.INVALID_UTF8),
    "200 levels": (nested(200), R.TOO_DEEP),
    "200 arrays and nothing else": ("[" * 200 + "]" * 200, R.TOO_DEEP),
    "100,000 brackets that never close": ("[" * 30_000, R.TOO_DEEP),
    "33 levels": (nested(33), R.TOO_DEEP),
    "32 levels": (nested(32), None),
    "brackets in a text": (track(properties={"note": '[{"' * 200}), None),
    "no bytes": (b"", R.MALFORMED_JSON),
    "blanks": ("  ", R.MALFORMED_JSON),
    "not JSON": ("messageId=m-1", R.MALFORMED_JSON),
    "cut short": (GOOD[:-1], R.MALFORMED_JSON),
    "single quotes": (GOOD.replace('"', "'"), R.MALFORMED_JSON),
    "NaN": ('{"properties": {"value": NaN}, ' + GOOD[1:], R.MALFORMED_JSON),
    "Infinity": ('{"properties": {"value": -Infinity}, ' + GOOD[1:], R.MALFORMED_JSON),
    "words behind": (GOOD + " junk", R.MALFORMED_JSON),
    "a bracket behind": (GOOD + "]", R.MALFORMED_JSON),
    "two documents": (GOOD + GOOD, R.MALFORMED_JSON),
    "two documents, comma between": (GOOD + "," + GOOD, R.MALFORMED_JSON),
    "a number behind": (GOOD + ", 5", R.MALFORMED_JSON),
    "blanks around": (f"\n {GOOD}\r\n\t", None),
    "key twice": (GOOD[:-1] + ', "messageId": "m-2"}', R.DUPLICATE_KEYS),
    "key twice, within": ('{"context": {"a": 1, "a": 2}, ' + GOOD[1:], R.DUPLICATE_KEYS),
    "JSON array": ([track()], R.NOT_AN_OBJECT),
    "JSON text": ('"text"', R.NOT_AN_OBJECT),
    "JSON number": ("17", R.NOT_AN_OBJECT),
    "JSON null": ("null", R.NOT_AN_OBJECT),
    "empty object": ("{}", R.MISSING_FIELD),
    "no type": (track(type=None), R.MISSING_FIELD),
    "no messageId": (track(messageId=None), R.MISSING_FIELD),
    "blank messageId": (track(message_id="  "), R.MISSING_FIELD),
    "messageId null": ('{"messageId": null, ' + json.dumps(track(messageId=None))[1:], R.MISSING_FIELD),
    "track without event": (message("track"), R.MISSING_FIELD),
    "group without groupId": (message("group"), R.MISSING_FIELD),
    "alias without previousId": (message("alias", userId="ann"), R.MISSING_FIELD),
    "alias without userId": (message("alias", previousId="anon-0"), R.MISSING_FIELD),
    "messageId an object": (track(messageId={"id": 1}), R.WRONG_TYPE),
    "messageId an array": (track(messageId=["m-1"]), R.WRONG_TYPE),
    "messageId a number": (track(messageId=1), None),
    "event an object": (track(event={"name": "x"}), R.WRONG_TYPE),  # type: ignore[arg-type]
    "context a text": (track(context="web"), None),
    "properties an array": (track(properties=[]), None),
    "traits a number": (message("identify", traits=5), None),
    "context null": ('{"context": null, ' + GOOD[1:], None),
    "products an object": (track("Product Added", properties={"products": {"price": 1}}), None),
    "a product a text": (products("p-1"), None),
    "an order of its lines, one of them a text": (order(revenue=None, products=["p-1", {"price": 5}]), R.WRONG_TYPE),
    "products of somebody's own event": (track("Shelf Counted", properties={"products": 12}), None),
    "revenue a boolean": (order(revenue=True), R.WRONG_TYPE),
    "price an object": (products({"price": {"eur": 1}}), None),
    "unknown type": (message("purchase"), R.UNKNOWN_TYPE),
    "type in capitals": (message("TRACK", event="x"), R.UNKNOWN_TYPE),
    "messageId of 101": (track(message_id="m" * 101), R.VALUE_TOO_LONG),
    "messageId of 100": (track(message_id="m" * 100), None),
    "userId of 201": (track(userId="ü" * 201), None),
    "userId of 201, and nothing else": (track(userId="ü" * 201, anonymousId=None), R.NO_USABLE_IDENTIFIER),
    "order id of 201": (order(order_id="o" * 201), R.VALUE_TOO_LONG),
    "order id a placeholder": (order(order_id="[object Object]"), R.MISSING_FIELD),
    "userId of 200": (track(userId="ü" * 200), None),
    "time a word": (track(timestamp="yesterday"), R.INVALID_TIMESTAMP),
    "time without day": (track(timestamp="12:00"), R.INVALID_TIMESTAMP),
    "February 30": (track(timestamp="2025-02-30T00:00:00Z"), R.INVALID_TIMESTAMP),
    "sentAt a word": (track(sentAt="soon"), None),
    "year 1969": (track(timestamp="1969-12-31T23:59:59.999Z"), R.TIMESTAMP_OUT_OF_RANGE),
    "year 1970": (track(timestamp="1970-01-01T00:00:00Z"), R.TIMESTAMP_OUT_OF_RANGE),
    "zero": (track(timestamp=0), R.TIMESTAMP_OUT_OF_RANGE),
    "year 1999": (track(timestamp="1999-12-31T23:59:59.999Z"), R.TIMESTAMP_OUT_OF_RANGE),
    "year 2000": (track(timestamp="2000-01-01T00:00:00Z"), None),
    "year 2999": (track(timestamp="2999-01-01T00:00:00Z"), R.TIMESTAMP_OUT_OF_RANGE),
    "a number beyond all units": (track(timestamp=10**21), R.TIMESTAMP_OUT_OF_RANGE),
    "a day and a millisecond ahead": (ahead(days=1, milliseconds=1), R.TIMESTAMP_OUT_OF_RANGE),
    "a day ahead": (ahead(days=1), None),
    "revenue a word": (order(revenue="ten"), R.INVALID_NUMBER),
    "revenue with comma": (order(revenue="1,50"), R.INVALID_NUMBER),
    "revenue beyond max_amount": (order(revenue=100_000_000.01), R.INVALID_NUMBER),
    "revenue of max_amount": (order(revenue=100_000_000), None),
    "lines beyond max_amount": (order(revenue=None, products=[{"price": 60_000_000, "quantity": 2}]), R.INVALID_NUMBER),
    "exponent of Java's nightmares": (order(revenue="1e999999999"), R.INVALID_NUMBER),
    "revenue NaN in quotes": (order(revenue="NaN"), R.INVALID_NUMBER),
    "quantity of 2^31": (products({"price": 1, "quantity": 2**31}), None),
    "negative price": (products({"price": 5}, {"price": -0.01}), None),
    "negative quantity": (products({"price": 5, "quantity": -1}), None),
    "an order of its lines, one below zero": (order(revenue=None, products=[{"price": 5}, {"price": -1}]), R.NEGATIVE_AMOUNT),
    "a refund below zero": (track("Order Refunded", properties={"order_id": "o-1", "total": -5}), None),
    "negative revenue": (order(revenue=-1), R.NEGATIVE_AMOUNT),
    "negative value of somebody's own event": (track("Shelf Counted", properties={"value": -3}), None),
    "free order": (order(revenue=0), None),
    "unknown currency": (order(currency="EURO"), R.UNKNOWN_CURRENCY),
    "currency in small letters": (order(currency="eur"), None),
    "order without id": (order(order_id=None), R.MISSING_FIELD),
    "refund without id": (track("Order Refunded", properties={"total": 5}), R.MISSING_FIELD),
    "order without value": (order(revenue=None), R.MISSING_FIELD),
    "coupon applied, none named": (track("Coupon Applied", properties={"order_id": "o1"}), R.MISSING_FIELD),
    "coupon applied by name": (track("Coupon Applied", properties={"coupon_name": "spring"}), None),
    "coupon entered, none named": (track("Coupon Entered", properties={}), None),
    "no identifier": (track(anonymousId=None), R.NO_USABLE_IDENTIFIER),
    "blocked identifiers only": (
        track(anonymousId="00000000-0000-0000-0000-000000000000", userId="NULL", context={"device": {"id": "unknown"}}),
        R.NO_USABLE_IDENTIFIER,
    ),
    "blocked beside a good one": (track(userId="NULL"), None),
    "no e-mail, no phone": (message("identify", anonymousId=None, traits={"email": "ann", "phone": "12"}), R.NO_USABLE_IDENTIFIER),
}  # fmt: skip
DETAILS = {
    "40 KB": "at most 36864 bytes expected",
    "JSON text": None,
    "order without id": "properties.order_id",
    "coupon applied, none named": "properties.coupon",
    "time a word": "originalTimestamp: ISO 8601 or a number since 1970 expected",
    "an order of its lines, one below zero": "properties.products[].price: zero or more expected",
    "revenue a word": "properties.revenue: number of at most 100000000 expected",
    "order id of 201": "properties.order_id: at most 200 characters expected",
}
# Records that are good enough -> what of them is left empty, and told.
FAULTS = {
    "as long as allowed": None,
    "context a text": ["wrong_type|context: object expected"],
    "properties an array": None,
    "traits a number": ["wrong_type|traits: object expected"],
    "products an object": ["wrong_type|properties.products: array expected"],
    "a product a text": ["wrong_type|properties.products[]: object expected"],
    "price an object": ["wrong_type|properties.products[].price: number expected"],
    "userId of 201": ["value_too_long|userId: at most 200 characters expected"],
    "sentAt a word": ["invalid_timestamp|sentAt: ISO 8601 or a number since 1970 expected"],
    "quantity of 2^31": ["invalid_number|properties.products[].quantity: number of at most 100000000 expected"],
    "negative price": ["negative_amount|properties.products[].price: zero or more expected"],
    "a refund below zero": None,
    "blocked beside a good one": ["placeholder|userId: an identifier of somebody expected"],
}


@pytest.fixture(scope="module")
def rows(_session: SparkSession) -> dict[str, Row]:
    """What parse makes of each case."""
    parsed = parse(records(_session, [value for value, _ in CASES.values()]), load("dev", environ={}))
    columns = ("topic", "partition", "offset", "value", "reason", "detail", "faults")
    return dict(zip(CASES, parsed.select(*columns).orderBy("offset").collect(), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_a_bad_record_is_rejected_for_its_reason_and_keeps_its_bytes(rows: dict[str, Row], case: str) -> None:
    value, reason = CASES[case]
    row = rows[case]
    assert (row["reason"], row["value"]) == (reason, encode(value))
    assert (row["topic"], row["partition"]) == ("events", 0)


@pytest.mark.parametrize("case", DETAILS)
def test_the_detail_names_field_and_expectation(rows: dict[str, Row], case: str) -> None:
    assert rows[case]["detail"] == DETAILS[case]


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_left_empty_is_told_with_field_and_expectation(rows: dict[str, Row], case: str) -> None:
    assert rows[case]["faults"] == FAULTS[case]


def test_every_reason_that_one_record_can_give_is_tried_here() -> None:
    assert {reason for _, reason in CASES.values() if reason} == set(R.REASONS) - {
        R.BREAKS_PLAN,
        R.ID_CONFLICT,
        R.UNEXPECTED,
        R.UNMAPPED,
    }
