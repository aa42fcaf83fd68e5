"""A message reaches Kafka as it was sent, number for number, with what its sender left out."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.config.limits import PURPOSES
from lakehouse.events.consent import ConsentRules, heard
from serving.messages import collector
from serving.messages.collector import EVENT_BYTES, MOST_IN_BATCH, Refused

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARRIVED = "2026-03-01T12:00:00.000Z"


class Number(str):
    """The digits of a number, which `written` puts down as they are."""


NUMBERS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?\Z").map(Number)
NAMES = st.sampled_from(["userId", "type", "event", "context", "receivedAt", "writeKey", "a"]) | st.text(max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=6)


def written(value: Any) -> str:
    match value:
        case Number():
            return str(value)
        case dict():
            return "{" + " , ".join(f"{json.dumps(name)} : {written(held)}" for name, held in value.items()) + "}"
        case list():
            return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def exact(text: str | bytes) -> Any:
    """Numbers as decimals, which tell 1.10 from 1.1; an object that names a key twice is an error."""

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), "a key twice"
        return dict(pairs)

    return json.loads(text, parse_float=_digits, parse_int=_digits, object_pairs_hook=distinct)


def _digits(text: str) -> tuple[Decimal, str]:
    return Decimal(text), text


def is_left_out(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


@given(OBJECTS, st.sampled_from(["track", "p"]), st.none() | NUMBERS | st.text(min_size=1, max_size=5) | st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_single_call_is_what_was_sent_and_what_was_left_out(message: dict[str, Any], call: str, id_: Any) -> None:
    document = message if id_ is None else {**message, "messageId": id_}
    (record,), refused = collector.read(call, written(document).encode()).records(NOW)
    held, sent = exact(record.value), exact(written(document))
    assert refused == {}
    assert held.pop("receivedAt") == ARRIVED
    message_id = held.pop("messageId")
    if isinstance(id_, Number):
        assert message_id == str(id_)
    elif isinstance(id_, str) and id_.strip():
        assert message_id == id_
    else:
        assert len(message_id) == 32
    expected = {name: value for name, value in sent.items() if name not in ("receivedAt", "writeKey", "messageId")}
    if is_left_out(expected.get("type")):
        expected["type"] = collector.CALLS[call]
    assert held == expected
    assert record.event["messageId"] == message_id


@pytest.mark.parametrize(
    "text",
    [
        '{"writeKey":"k"}',
        ' { "writeKey" : "k" } ',
        '{"writeKey":"k","a":1.10}',
        '{"a":1.10,"writeKey":"k"}',
        '{ "a" : 1.10 , "writeKey" : "k" , "b" : [","] }',
        '{"a":{"writeKey":"inner"},"writeKey":"k"}',
        '{"writeKey":"k","a":{"writeKey":"inner"}}',
        '{"a":"writeKey","writeKey":"k"}',
        '{"write\\u004bey":"k","a":{"writeKey":"inner"}}',
        '{"writeKey":"quoted \\" , and \\\\","a":2}',
        '{"writeKey":["k","x"],"a":2}',
        '{"writeKey":"k","receivedAt":"then"}',
    ],
)
def test_a_write_key_is_taken_out_wherever_it_stands_and_nothing_else_is(text: str) -> None:
    (record,), _ = collector.read("track", text.encode()).records(NOW)
    expected = {name: value for name, value in exact(text).items() if name not in ("receivedAt", "writeKey")}
    held = exact(record.value)
    assert held.pop("receivedAt") == ARRIVED
    assert len(held.pop("messageId")) == 32
    assert held == {"type": "track", **expected}


@given(st.lists(OBJECTS, max_size=4), OBJECTS)
@settings(max_examples=100, deadline=None)
def test_a_batch_gives_each_message_what_it_says_for_all(
    messages: list[dict[str, Any]], context: dict[str, Any]
) -> None:
    body = written({"batch": messages, "context": context, "sentAt": "then", "writeKey": "k"})
    request = collector.read("batch", body.encode())
    records, refused = request.records(NOW)
    assert (request.write_key, refused, len(records)) == ("k", {}, len(messages))
    for record, sent in zip(records, exact(written(messages)), strict=True):
        held = exact(record.value)
        own = {name: value for name, value in sent.items() if name not in ("receivedAt", "writeKey", "context")}
        assert {name: held[name] for name in own} == own
        assert held["sentAt"] == "then"
        assert held["context"] == merged(exact(written(context)), sent.get("context"))


def merged(outer: Any, inner: Any) -> Any:
    if is_left_out(inner):
        return outer
    if not isinstance(outer, dict) or not isinstance(inner, dict):
        return inner
    return {**outer, **{name: merged_inside(outer.get(name), value) for name, value in inner.items()}}


def merged_inside(outer: Any, inner: Any) -> Any:
    """Below the context nothing is left out: null is said."""
    if not isinstance(outer, dict) or not isinstance(inner, dict):
        return inner
    return {**outer, **{name: merged_inside(outer.get(name), value) for name, value in inner.items()}}


def test_each_message_of_a_batch_has_its_own_verdict() -> None:
    large = written({"type": "track", "x": "y" * EVENT_BYTES})
    deep = '{"type":"track","x":' + "[" * 2000 + "]" * 2000 + "}"
    body = f'{{"batch":[{{"a":1}},{large},null,,{{"b":NaN}},{{"c":}},{deep},[],{{"d":"\\ud83d"}}]}}'
    records, refused = collector.read("batch", body.encode()).records(NOW)
    assert {index: reason.partition(",")[0] for index, reason in refused.items()} == {
        1: "event: got 32797 bytes",
        2: "event: got null",
        3: "event: got nothing",
        7: "event: got list",
    }
    texts = [record.value.decode() for record in records]
    assert texts[0].endswith('Z","a":1}')
    assert [record.event != {} for record in records] == [True, False, False, False, True]
    assert texts[2] == '{"c":}'
    assert texts[3] == deep


def test_the_limit_of_a_message_is_what_its_sender_counts() -> None:
    """Not what it has become: a sender who keeps to the limit is never refused for what the collector added."""
    frame = '{"event":"x","p":""}'
    common = b',"context":{"p":"' + b"z" * 5000 + b'"}}'
    body = frame.replace('""', '"' + "y" * (EVENT_BYTES - len(frame)) + '"')
    assert len(body) == EVENT_BYTES
    assert collector.read("track", body.encode()).records(NOW)[1] == {}
    _, refused = collector.read("b", b'{"batch":[' + body.encode() + b"]" + common).records(NOW)
    assert refused[0].startswith("event with what its batch says for all: got 37")
    _, refused = collector.read("track", body.replace("yy", "yyy", 1).encode()).records(NOW)
    assert refused[0].startswith(f"event: got {EVENT_BYTES + 1} bytes, expected at most {EVENT_BYTES}")


@pytest.mark.parametrize(
    ("call", "body", "told"),
    [
        ("track", b"{nope", "body: no JSON object: character 1: got 'n'"),
        ("track", b"[1]", "body: got list, expected one JSON object"),
        ("track", b"", "body: no JSON object: character 0: got the end"),
        ("batch", b'{"batch":{}}', "batch: missing, expected a list of events"),
        ("b", b'{"batch":[{}],"batch":[]}', "batch: named twice"),
        ("b", b"{}", "batch: missing, expected a list of events"),
        ("b", b'{"batch":[],"context":"' + b"x" * 40_000 + b'"}', "context: got 40002 bytes, expected at most 32768"),
        ("import", b'{"batch":[' + b"{}," * MOST_IN_BATCH + b"{}]}", "batch: got more than 2500 elements"),
    ],
)
def test_a_body_that_is_no_call_is_refused_with_its_place(call: str, body: bytes, told: str) -> None:
    with pytest.raises(Refused) as caught:
        collector.read(call, body)
    assert str(caught.value).startswith(told)


def test_events_inside_a_decision_are_the_visitors_also_with_long_numbers() -> None:
    event = {"type": "track", "event": "x", "properties": {"order_id": 202611270000012345671}}
    identity = {"userId": "u-1", "context": {"channel": "web"}}
    (record,) = collector.of_request([{**event, "context": {"page": {"url": "u"}}}], identity, NOW)
    held = json.loads(record.value)
    assert (record.key, held["userId"], held["properties"]) == (b"u-1", "u-1", {"order_id": 202611270000012345671})
    assert held["context"] == {"channel": "web", "page": {"url": "u"}}
    assert "timestamp" not in held


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("track", {"event": "a"}),
        ("track", {"event": "a", "context": {"gpc": False, "locale": "de"}}),
        (
            "batch",
            {"batch": [{"type": "track"}, {"type": "page", "context": {"gpc": False}}], "context": {"locale": "de"}},
        ),
        ("batch", {"batch": [{"type": "track"}], "context": "none"}),
    ],
)
def test_a_browser_that_signals_global_privacy_control_is_heard_whatever_the_page_says(
    call: str, body: dict[str, Any]
) -> None:
    rules = ConsentRules(purposes=PURPOSES, categories={}, gpc=("marketing",), tcf={})
    for signals in (True, False):
        records, refused = collector.read(call, written(body).encode(), signals_gpc=signals).records(NOW)
        assert refused == {}
        for record in records:
            context = record.event.get("context")
            said = heard(context, rules) if isinstance(context, dict) else None
            assert (None if said is None else said.consent.marketing) == (False if signals else None)
            assert json.loads(record.value).get("context") == context
            sent = body.get("context", {})
            assert signals or not isinstance(sent, dict) or context is None or "globalPrivacyControl" not in context
