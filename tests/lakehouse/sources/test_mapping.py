"""A declared mapping: what it makes of a record, and what is told of one that cannot be used."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse.config import load
from lakehouse.errors import ConfigError
from lakehouse.events.event_row import EventReader, EventRow
from lakehouse.sources.mapping import Mapped
from lakehouse.sources.record_files import records
from lakehouse.sources.source import Source

CONFIG = load("dev", environ={})
NOW = 1_780_000_000_000_000
SOUND = """
fields: {id: text, kind: text, at: time, who: text, total: number, parts: number, tags: texts, ok: boolean}
type: track
name: kind
names: {bought: Order Completed}
time: at
identifiers: {user_id: who}
properties: {order_id: id, revenue: total / parts, tags: tags, ok: ok}
"""
RECORD = {"id": "o1", "kind": "Bought", "at": "2025-01-31T10:00:00Z", "who": "ann", "total": "10", "parts": 4}


def source(folder: Path, text: str) -> Source:
    path = folder / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    return Source.read(path, CONFIG)


def mapped(folder: Path, text: str, record: dict[str, Any]) -> Mapped:
    return source(folder, text).mapping.map(record, "r1")


def parsed(found: Mapped) -> EventRow:
    return EventReader(CONFIG).read(orjson.dumps(found.document), NOW, NOW)


def test_a_record_becomes_the_event_it_is_declared_to_be(tmp_path: Path) -> None:
    found = mapped(tmp_path, SOUND, {**RECORD, "tags": ["a"], "ok": "no"})
    assert found.document == {
        "type": "track",
        "messageId": "shop:r1",
        "timestamp": "2025-01-31T10:00:00Z",
        "event": "Order Completed",
        "userId": "ann",
        "context": {"library": {"name": "shop"}},
        "properties": {"order_id": "o1", "revenue": 2.5, "tags": ["a"], "ok": False},
    }
    assert parsed(found).verdict is None


def test_the_same_record_gives_the_same_document(tmp_path: Path) -> None:
    assert mapped(tmp_path, SOUND, RECORD) == mapped(tmp_path, SOUND, dict(reversed(RECORD.items())))


@pytest.mark.parametrize(
    ("change", "unmapped"),
    [({"at": None}, "time: the time of the event expected"), ({"kind": ""}, "name: the name of the event expected")],
)
def test_what_has_no_time_or_name_is_unmapped_and_says_so(
    tmp_path: Path, change: dict[str, Any], unmapped: str
) -> None:
    assert mapped(tmp_path, SOUND, RECORD | change) == Mapped(None, unmapped)


def test_what_cannot_be_read_is_handed_on_as_it_was_sent_and_told_by_the_parse(tmp_path: Path) -> None:
    spoilt = mapped(tmp_path, SOUND, RECORD | {"total": "12,50"})
    assert spoilt.document is not None
    assert spoilt.document["properties"]["revenue"] == "12,50"
    assert str(parsed(spoilt).verdict).startswith("invalid_number|properties.revenue")


def test_an_identifier_that_cannot_be_read_leaves_those_that_can(tmp_path: Path) -> None:
    two = SOUND.replace("ok: boolean}", "ok: boolean, card: text}").replace(
        "user_id: who", "user_id: who, loyalty_id: card"
    )
    read = mapped(tmp_path, two, RECORD | {"card": ["a", "b"]})
    assert read.document is not None
    assert "loyalty_id" not in read.document.get("traits", {})
    assert parsed(read).verdict is None
    assert str(parsed(mapped(tmp_path, SOUND, RECORD | {"at": "yesterday"})).verdict).startswith("invalid_timestamp")


DECIDED = SOUND.replace("name: kind", "name: CASE WHEN parts > 0 THEN 'Order Refunded' ELSE 'Order Completed' END")


@pytest.mark.parametrize(
    ("text", "change", "unmapped"),
    [
        (DECIDED, {"parts": "12,50"}, "parts: number expected"),
        (SOUND.replace("type: track", "type: CASE WHEN ok THEN 'page' ELSE 'track' END"), {"ok": "perhaps"}, "ok: boolean expected"),
        (f"{SOUND}skip: ok IS NULL", {"ok": "perhaps"}, "ok: boolean expected"),
        (f"{SOUND}id: id\nversion: parts", {"parts": "v2"}, "parts: number expected"),
        (SOUND.replace("user_id: who", "user_id: CASE WHEN ok THEN who ELSE id END"), {"ok": "perhaps"}, "ok: boolean expected"),
    ],
    ids=["name", "type", "skip", "version", "identifier"],
)  # fmt: skip
def test_what_a_record_is_is_not_guessed_from_what_cannot_be_read(
    tmp_path: Path, text: str, change: dict[str, Any], unmapped: str
) -> None:
    assert mapped(tmp_path, text, RECORD) != Mapped(None, unmapped)
    assert mapped(tmp_path, text, RECORD | change) == Mapped(None, unmapped)


def test_a_text_that_asks_what_cannot_be_read_is_what_was_sent(tmp_path: Path) -> None:
    text = SOUND + ("channel: CASE WHEN parts > 3 THEN 'store' ELSE 'web' END\ntraits: {vip: total > 5 AND parts > 3}")
    found = mapped(tmp_path, text, RECORD | {"parts": "4,0", "total": 3})
    assert found.document is not None
    assert (found.document["channel"], found.document["traits"]) == ("4,0", {"vip": False})


@pytest.mark.parametrize(
    ("sent", "is_allowed"),
    [("ja", True), ("1.0", True), (1, True), ("Subscribed", True), (None, None), ("", None)]
    + [(word, False) for word in ("nein", "0.0", 0.0, "no", "-", "unsubscribed", "perhaps", "n/a")],
)
def test_whoever_did_not_say_yes_has_not_consented(tmp_path: Path, sent: Any, is_allowed: bool | None) -> None:
    row = parsed(mapped(tmp_path, f"{SOUND}consent: {{marketing: ok}}", RECORD | {"ok": sent}))
    assert (None if row.consent is None else row.consent.marketing) == is_allowed


def test_what_is_divided_by_a_field_that_is_zero_is_nothing(tmp_path: Path) -> None:
    found = mapped(tmp_path, SOUND, RECORD | {"parts": 0})
    assert found.document is not None
    assert "revenue" not in found.document["properties"]


def test_a_skipped_record_is_neither_an_event_nor_unmapped(tmp_path: Path) -> None:
    assert mapped(tmp_path, f"{SOUND}skip: ok", RECORD | {"ok": "yes", "at": None}) == Mapped(None)
    assert mapped(tmp_path, f"{SOUND}skip: ok", RECORD).document is not None


def test_identifiers_lie_where_the_parse_finds_them_with_the_strength_of_their_type(tmp_path: Path) -> None:
    text = SOUND.replace(
        "{user_id: who}",
        "{user_id: who, guest_id: id, email: kind, anonymous_id: id, device_id: id, loyalty_id: id}\ntraits: {address.country: who}",
    )
    row = parsed(mapped(tmp_path, text, RECORD | {"kind": "ann@example.com", "id": "x-1"}))
    types = {type_ for type_, _ in row.identifiers or ()}
    assert types == {"user_id", "guest_id", "email", "anonymous_id", "device_id", "loyalty_id"}


def test_consent_and_context_lie_where_the_parse_finds_them(tmp_path: Path) -> None:
    text = (
        SOUND + "consent: {marketing: ok, analytics_storage: \"'no'\"}\ncontext: {page.url: who, campaign.name: kind}"
    )
    row = parsed(mapped(tmp_path, text, RECORD | {"ok": True, "who": "https://shop.example.com/a?b=1"}))
    assert row.consent is not None
    assert (row.consent.marketing, row.consent.analytics) == (True, False)
    assert (row.page_url, row.campaign) == ("https://shop.example.com/a", "Bought")


def test_a_version_is_a_message_of_its_own_and_later_ones_sort_behind(tmp_path: Path) -> None:
    shop = source(tmp_path, f"{SOUND}id: concat('order-', id)\nversion: at")
    records = [RECORD | {"at": at} for at in ("1999-12-31", "2025-01-31", "2025-02-01")]
    ids = [(shop.mapping.map(record, f"r{n}").document or {})["messageId"] for n, record in enumerate(records)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 3
    assert all(id_.startswith("order-o1:") for id_ in ids)


def test_an_id_too_long_for_a_message_gives_way_to_that_of_the_record(tmp_path: Path) -> None:
    found = mapped(tmp_path, f"{SOUND}id: id", RECORD | {"id": "x" * 101})
    assert (found.document or {})["messageId"] == "shop:r1"


def test_lines_read_their_own_fields_and_those_of_the_record(tmp_path: Path) -> None:
    text = SOUND + (
        "lines: {each: items, fields: {sku: text, n: number}, properties: {product_id: 'concat(id, sku)', quantity: n}}"
    )
    found = mapped(tmp_path, text, RECORD | {"items": [{"sku": "-a", "n": 2}, {"sku": None}, "no line"]})
    assert (found.document or {})["properties"]["products"] == [{"product_id": "o1-a", "quantity": 2}]
    as_text = mapped(tmp_path, text, RECORD | {"items": '[{"sku": "-a", "n": 2}, "{\\"sku\\": \\"-b\\"}"]'})
    assert (as_text.document or {})["properties"]["products"][1] == {"product_id": "o1-b"}


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ({"timestamp": "2025-01-01T00:00:00Z", "sentAt": "2025-01-01T00:00:09Z"}, "2025-01-01T00:00:00"),
        ({"sentAt": "2025-01-01T00:00:09Z"}, "2025-01-01T00:00:09"),
        ({"timestamp": "2025-01-01T00:00:00Z", "sentAt": "soon"}, "2025-01-01T00:00:00"),
        (
            {
                "originalTimestamp": "2025-01-01T00:00:00Z",
                "sentAt": "2025-01-01T00:00:09Z",
                "receivedAt": "2025-01-01T00:01:09Z",
            },
            "2025-01-01T00:01:00",
        ),
        ({"timestamp": "2025-01-01T12:00:00", "sentAt": "2025-01-01T10:00:00Z"}, "2025-01-01T12:00:00"),
        ({"timestamp": "2025-01-01T12:00:00", "sentAt": 1_735_725_600}, "2025-01-01T12:00:00"),
        ({}, None),
        ({"sentAt": "soon"}, None),
    ],
)
def test_an_event_of_a_file_did_not_happen_when_it_was_imported(
    tmp_path: Path, said: dict[str, Any], at: str | None
) -> None:
    shop = source(tmp_path, "is_event: true").mapping
    found = shop.map({"type": "track", "event": "x", "userId": "u", **said}, "r1", file_time=NOW)
    if at is None:
        assert found == Mapped(None, "time: the time of the event expected")
    else:
        occurred = parsed(found).occurred_at
        assert occurred is not None
        assert datetime.fromtimestamp(occurred / 1e6, UTC).isoformat() == f"{at}+00:00"


def test_records_that_are_events_pass_as_they_are_and_never_as_the_services_own(tmp_path: Path) -> None:
    shop = source(tmp_path, "is_event: true")
    sent = {"type": "track", "event": "x", "userId": "u", "timestamp": "2025-01-01T00:00:00Z"}
    assert shop.mapping.map(sent, "r1").document == {**sent, "messageId": "shop:r1"}
    assert shop.mapping.map({**sent, "messageId": "m"}, "r1").document == {**sent, "messageId": "m"}
    assert shop.mapping.map({"type": "suppress", "userId": "u"}, "r1").document is None


def test_no_mapping_makes_an_event_of_the_services_own(tmp_path: Path) -> None:
    text = SOUND.replace("type: track", "type: kind")
    assert mapped(tmp_path, text, RECORD | {"kind": "suppress"}) == Mapped(
        None, "type: one of track, identify, page, screen expected"
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("time: at", "time: att", "shop.yaml: time: unknown column 'att'; did you mean 'at'?"),
        ("total / parts", "total / 0", "shop.yaml: properties.revenue: /: got a division by zero"),
        ("total / parts", "total / (2 - 2)", "division by zero"),
        ("total / parts", "total / who", "cannot take (number, text)"),
        ("total / parts", "java_method('x')", "is not allowed"),
        ("total / parts", "sum(total) over ()", "is not allowed"),
        ("time: at", "time: total", "shop.yaml: time: got a number, expected a time"),
        ("type: track", "type: suppress", "unknown column 'suppress'"),
        ("type: track", "", "type: got none, expected what every event needs"),
        ("time: at", "", "time: got none"),
        ("{user_id: who}", "{usr_id: who}", "identifiers: got 'usr_id', expected an identifier type, one of anonymous_id"),
        ("{user_id: who}", "{}", "identifiers: got none"),
        ("id: text, kind", "id: {type: text, path: a..b}, kind", "shop.yaml: fields: path: got 'a..b'"),
        ("id: text, kind", "id: {type: text, pth: a}, kind", "unknown key 'pth'; did you mean 'path'?"),
        ("id: text, kind", "record_id: text, id: text, kind", "the name 'record_id' is taken"),
        ("id: text, kind", "id: money, kind", "Input should be 'text', 'number', 'boolean', 'time' or 'texts'"),
        ("type: track", "type: track\nversion: at", "version: got no id beside it"),
        ("type: track", "type: track\ncolour: red", "shop.yaml: got 'colour'"),
        ("type: track", "type: track\nis_event: true", "is_event: its records are event documents"),
        ("type: track", "type: track\ncontext: {page: id, page.url: id}", "got 'page' and 'page.url'"),
        ("type: track", "type: track\ncontext: {library.name: id}", "a place that no other key fills"),
        ("type: track", "type: &loop [*loop]", "shop.yaml"),
        ("fields: {", "fields: &loop {self: *loop, ", "shop.yaml"),
        ("fields: {", "fields: [", "shop.yaml: cannot be read"),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_be_used_says_where_and_what_was_expected(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in SOUND
    with pytest.raises(ConfigError) as caught:
        source(tmp_path, SOUND.replace(old, new, 1))
    assert told in str(caught.value)


def test_every_fault_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        source(tmp_path, SOUND.replace("time: at", "time: att").replace("total / parts", "totl"))
    assert len(str(caught.value).splitlines()) == 2


def test_what_a_record_says_besides_is_kept_under_its_own_names(tmp_path: Path) -> None:
    sent = {
        **RECORD,
        "colour": "red",
        "total_before": 12,
        "more": '{"room": "hall", "tags": "of their own"}',
        "order_id": "no",
    }
    kept = parsed(mapped(tmp_path, SOUND + 'kept: [more, "*"]\n', sent)).properties
    assert orjson.loads(kept or "") == {
        "order_id": "o1", "revenue": 2.5, "room": "hall", "tags": "of their own", "colour": "red", "total_before": 12,
    }  # fmt: skip


def test_what_is_read_is_told_by_the_beginning_of_its_name_and_the_rows_of_an_order_are_not_kept(
    tmp_path: Path,
) -> None:
    text = SOUND.replace("tags: texts", 'tags: {type: texts, path: "tag_*"}') + 'format: {group_by: id}\nkept: ["*"]\n'
    declared = source(tmp_path, text)
    names = ("id", "tag_1", "rows", "tag", "colour")
    assert [declared.mapping.reads(name) for name in names] == [True, True, True, False, False]
    path = tmp_path / "orders.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps({**RECORD, "tag_1": tag, "colour": "red"}) for tag in "ab"))
    (found,) = [declared.mapped(one, "r1") for one in records(path, declared.format, CONFIG)]
    assert found.document is not None
    assert found.document["properties"] == {"order_id": "o1", "revenue": 2.5, "tags": ["a"], "colour": "red"}
    events = source(tmp_path, "is_event: true\n").mapping
    assert events.reads("anything")


def test_an_amount_has_no_digits_that_only_calculating_added(tmp_path: Path) -> None:
    text = SOUND.replace("total / parts", "total - parts")
    found = mapped(tmp_path, text, {**RECORD, "total": "598.94", "parts": "209"}).document
    assert found is not None
    assert found["properties"]["revenue"] == 389.94
