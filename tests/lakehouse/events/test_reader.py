"""Plain Python reads a message as `events.parse` does: identifiers and time, of hand-picked and of random messages. One Spark run."""

import json
import random
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from lakehouse.config import load
from lakehouse.events.parse import parse
from lakehouse.events.reader import Reader

CONFIG = load("dev", environ={"STITCHLAKE__IDENTITY__GUEST_SOURCES": "till,17"})
ARRIVED = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
IDS: list[Any] = [
    "u-1",
    " u-2 ",
    "null",
    "",
    " ",
    17,
    True,
    None,
    "a@b.co",
    "x" * 200,
    "ü",
    "tab\t",
    12345.0,
    900719925474099312345,
    '"null"',
    "\u00a0u-1",
    "u-1\u200b",
    "Ann@X.org",
    "%22u-1%22",
]
EMAILS: list[Any] = ["Ann@Example.com", "ann+x@shop.de", "no-reply@x.com", "ann", None, 7]
PHONES: list[Any] = ["(202) 555-0143", "0171 2345678", "+44 20 7946 0958", "123", 2025550143, None]
TIMES: list[Any] = [
    "2026-03-01T11:00:00Z", "2026-03-01T12:30:00+02:00", "2026-2-3", "2026-02-03 04:05:06.789", 1772359200000, "1772359200000",
    "2026-03-01T12:00:05Z", None, "", 1772359200, 1772359200123456, "1772359200.5", 0, "1970-01-01", "2026-03-01 11:00:00 UTC",
    "2026-03-01T11:00:00,5Z", "20260301T110000Z", "2026-03-01T16:30:00+0530", "9999-05-28T13:13:23.260Z", "0001-01-01T00:00:00Z",
    "2569-03-01T11:00:00Z", "2026-03-01T11:00:00.123456789Z", "2026-03-01T24:00:00Z", "\u0662\u0660\u0662\u0666-\u0660\u0663-\u0660\u0661", [], {}, True,
]  # fmt: skip
SOURCES: list[Any] = ["till", " till ", "Till", "17", 17, "", " ", {"a": 1}, None]
COUNTRIES: list[Any] = ["DE", "us", "XX", None]


def random_message(choose: random.Random) -> dict[str, Any]:
    traits = {"email": choose.choice(EMAILS), "phone": choose.choice(PHONES), "loyaltyId": choose.choice(IDS)}
    return {
        "type": choose.choice(["track", "identify", "group", "alias", "page"]), "messageId": f"m{choose.random()}", "event": "Something",
        "groupId": "g", "name": "n",
        "userId": choose.choice(IDS), "anonymousId": choose.choice(IDS), "previousId": choose.choice(IDS),
        "traits": traits | ({"address": {"country": choose.choice(COUNTRIES)}} if choose.random() < 0.5 else {}),
        "properties": {"email": choose.choice(EMAILS), "loyalty_id": choose.choice(IDS)} if choose.random() < 0.5 else {},
        "channel": choose.choice(SOURCES),
        "context": {
            "library": {"name": choose.choice(SOURCES)},
            "device": {"id": choose.choice(IDS)}, "traits": {"phone": choose.choice(PHONES)},
            "externalIds": [{"type": choose.choice(["email", "user_id", "shoe", "device_id"]), "id": choose.choice([*IDS, *EMAILS])}],
        },
        "originalTimestamp": choose.choice(TIMES), "sentAt": choose.choice(TIMES), "receivedAt": choose.choice(TIMES),
    }  # fmt: skip


def test_the_same_identifiers_and_the_same_time(spark: SparkSession) -> None:
    choose = random.Random(5)
    sent = [random_message(choose) for _ in range(400)]
    records = spark.createDataFrame(
        [(bytearray(json.dumps(one).encode()), "events", 0, n, ARRIVED, ARRIVED) for n, one in enumerate(sent)],
        "value binary, topic string, partition int, offset bigint, timestamp timestamp, arrived_at timestamp",
    )
    parsed = (
        parse(records, CONFIG).select("offset", "identifiers", "user_id", "occurred_at", "reason").toArrow().to_pylist()
    )
    reader, accepted, guests = Reader(CONFIG), 0, 0
    for row in parsed:
        if row["reason"] is not None:
            continue
        accepted += 1
        message = sent[row["offset"]]
        found = [(one["type"], one["token"]) for one in row["identifiers"]]
        assert reader.identifiers(message) == found, message
        if any(type_ == "guest_id" for type_, _ in found):
            guests += 1
            assert row["user_id"] is None
        assert reader.occurred_at(message, ARRIVED) == min(row["occurred_at"], ARRIVED), message
    assert accepted > 100
    assert guests > 20


def test_many_messages_are_read_at_once_as_one_by_one() -> None:
    choose = random.Random(7)
    sent = [*(random_message(choose) for _ in range(200)), {}, {"context": 7, "traits": []}, {"userId": {"a": 1}}]
    by_one = Reader(CONFIG)
    assert Reader(CONFIG).identifiers_of(sent) == [by_one.identifiers(one) for one in sent]


def test_what_is_no_message_has_no_identifiers_and_happened_when_it_came() -> None:
    reader = Reader(CONFIG)
    for message in (
        {},
        {"userId": {"a": 1}},
        {"context": 7, "traits": []},
        {"userId": "\ud800@x"},
        {"originalTimestamp": "1e999"},
    ):
        assert reader.identifiers(message) == []
        assert reader.occurred_at(message, ARRIVED) == ARRIVED
    assert reader.occurred_at({"originalTimestamp": "0001-01-01", "sentAt": "9999-12-31"}, ARRIVED).year == 2000


def test_a_record_is_a_document_with_every_digit_of_its_whole_numbers() -> None:
    reader = Reader(CONFIG)
    assert reader.document(b'{"userId":900719925474099312345}') == {"userId": 900719925474099312345}
    assert reader.document(b'\xef\xbb\xbf{"price":1.5}') == {"price": 1.5}
    assert reader.document(b'{"bio":"tea \\ud83d"}') == {"bio": "tea \ufffd"}
    for no_document in (None, b"", b"{", b'{"a":NaN}', b"[" * 100_000, b"\xff", b'{"a":1}{"a":2}', b'{"a":1,"a":2}'):
        assert reader.document(no_document) is None
