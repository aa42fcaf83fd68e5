"""A rejected record as it is sent again, and as it is shown."""

from datetime import UTC, datetime

import orjson
import pytest

from lakehouse.config import load
from lakehouse.events.event_row import EventReader
from lakehouse.events.own_fields import OwnFields
from lakehouse.events.quarantine import with_arrival, without_personal_data
from tests.rows import order

CONFIG = load("dev", environ={})
MONDAY, THURSDAY = 1_780_304_400_000_000, 1_780_563_600_000_000  # microseconds since 1970
FIRST_AT = datetime.fromtimestamp(MONDAY / 1e6, UTC)
SENT = order() | {"timestamp": "2026-06-01T08:00:00Z", "sentAt": "2026-06-01T08:50:00Z"}
TELLS = b'"receivedAt":"2026-06-01T09:00:00.000Z"'


@pytest.mark.parametrize(
    ("sent", "again"),
    [
        (b'{"a":1}', b'{"a":1,' + TELLS + b"}"),
        (b' {"a": {"b": 1} } \n', b' {"a": {"b": 1} ,' + TELLS + b"} \n"),
        (b'{"receivedAt": null, "a":1}', b"{" + TELLS + b', "a":1}'),
        (b'{"a":1,"receivedAt":"  "}', b'{"a":1,' + TELLS + b"}"),
        (b'{"a":{"receivedAt":null},"receivedAt":null}', b'{"a":{"receivedAt":null},' + TELLS + b"}"),
        *((same, same) for same in (b'{"receivedAt":"2020-01-01T00:00:00Z"}', b"{}", b"[1]", b"no json", b"\xff", b"")),
    ],
)
def test_a_record_tells_when_it_came_first_and_is_else_what_it_was(sent: bytes, again: bytes) -> None:
    assert with_arrival(sent, FIRST_AT, CONFIG.events) == again


def test_an_event_that_is_sent_again_happened_when_it_happened() -> None:
    reader, value = EventReader(CONFIG), orjson.dumps(SENT)
    first = reader.read(value, MONDAY, MONDAY)
    late = reader.read(value, THURSDAY, THURSDAY)
    again = reader.read(with_arrival(value, FIRST_AT, CONFIG.events), THURSDAY, THURSDAY)
    assert again == first
    assert (late.occurred_at, late.received_at) != (first.occurred_at, first.received_at)


def test_nothing_personal_is_shown() -> None:
    own = OwnFields(CONFIG)
    sent = order() | {"userId": "ann@example.com", "traits": {"firstName": "Ann", "plan": "gold"}}
    shown = without_personal_data(orjson.dumps(sent), own, CONFIG.events)
    assert "ann@" not in shown
    assert '"Ann"' not in shown
    assert '"plan":"gold"' in shown
    assert without_personal_data(b'{"userId": "ann@x.org", 41', own, CONFIG.events) == '{"xxxxxx": "xxx@x.xxx", 99'
    assert without_personal_data(b"\0\0\0\0\x07Ann 5\x1b", own, CONFIG.events) == ".....xxx 9."
    assert without_personal_data(None, own, CONFIG.events) == "no value"
