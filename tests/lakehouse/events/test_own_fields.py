"""A sender's own fields: what was sent is kept as it was, and nothing personal is among it."""

import dataclasses
import json
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.config import load
from lakehouse.events.document import record
from lakehouse.events.event_row import EventReader, EventRow
from lakehouse.events.json_text import Objects, json_text
from lakehouse.events.own_fields import OwnFields
from lakehouse.events.tokens import token
from tests.own_properties import PLANTED, exactly, own_object

CONFIG = load("dev", environ={})
READER, OWN = EventReader(CONFIG), OwnFields(CONFIG)
NOON_US = 1_772_366_400_000_000


def row(**fields: Any) -> EventRow:
    """Of a track event with these fields."""
    sent = {"type": "track", "event": "Seen", "messageId": "m", "anonymousId": "a"} | fields
    read = READER.read(orjson.dumps(sent), NOON_US, NOON_US)
    assert read.verdict is None
    return read


def shown(**properties: Any) -> Any:
    return json.loads(json_text(OWN.shown(properties)))


@given(st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_what_was_sent_is_kept_as_it_was(chance: Random) -> None:
    properties, context = own_object(chance), own_object(chance)
    read = row(properties=properties, context=context)
    for sent, kept in ((properties, read.properties), (context, read.context)):
        assert kept is not None
        assert exactly(kept.decode()) == exactly(orjson.dumps(sent).decode())


@given(st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_no_planted_value_is_left_and_nothing_else_is_lost(chance: Random) -> None:
    field, value, traces = chance.choice(PLANTED)
    around = own_object(chance)
    holder = {"nested_q": [around | {field: value}]}
    kept_text = row(properties=holder | {field: value}, context=holder).properties
    assert kept_text is not None
    text = kept_text.decode()
    assert [trace for trace in traces if trace in text] == []
    kept = json.loads(text)
    assert kept.pop(field) is not None
    kept["nested_q"][0].pop(field)
    assert exactly(json.dumps(kept)) == exactly(json.dumps({"nested_q": [json.loads(orjson.dumps(around))]}))


@given(st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_what_is_seen_at_once_of_many_objects_is_what_is_found_by_looking_closely_at_each(chance: Random) -> None:
    objects = [sent_object(chance) for _ in range(8)]
    closely = [
        OWN.shown({"q": one, "email": "ann@example.com"})["q"] for one in objects
    ]  # a personal name: all of it is looked at
    assert OWN.column(Objects.of(objects)).texts == list(map(json_text, closely))


def sent_object(chance: Random) -> dict[str, Any]:
    """As it is read from a record: names and values that come again, some of them personal, some by what stands beside them."""
    field, value, _ = chance.choice(PLANTED)
    values: list[Any] = [
        1,
        1.0,
        True,
        0,
        "L",
        "email",
        value,
        4111111111111111,
        4111111111111111.0,
        None,
        [],
        {},
        [value, {"size": "M"}],
    ]
    names = ("size", "id", "value", "type", "name", "customer", "app_version", field, "lines")
    flat = {name: chance.choice(values) for name in chance.sample(names, chance.randint(0, 4))}
    nested = {
        name: chance.choice([flat, [flat, own_object(chance)], "S"])
        for name in ("customer", "device")
        if chance.random() < 0.4
    }
    read = record(orjson.dumps(flat | nested), CONFIG.events).message
    assert read is not None
    return read


@pytest.mark.parametrize(
    ("field", "value", "traces"), PLANTED, ids=[f"{field}={value}"[:40] for field, value, _ in PLANTED]
)
def test_a_personal_value_is_in_neither_column(field: str, value: Any, traces: tuple[str, ...]) -> None:
    read = row(properties={field: value}, context={"q": {field: value}})
    assert read.properties is not None
    assert read.context is not None
    assert [trace for trace in traces if trace in (read.properties + read.context).decode()] == []


def test_a_token_stands_where_the_value_stood_and_joins_with_the_identifiers() -> None:
    email, phone = (
        token(CONFIG.privacy, *known) for known in (("email", "ann@example.com"), ("phone", "+12025550143"))
    )
    kept = shown(
        gift={"to": "Ann@Example.com", "size": "L"}, call="+1 202 555 0143", link="/u/ann@example.com/orders?page=2"
    )
    assert kept == {"gift": {"to": email, "size": "L"}, "call": phone, "link": f"/u/{email}/orders?page=2"}
    assert shown(note="for ann@example.com, gate code 7")["note"].startswith("dev:")  # who wrote it may stand beside it


def test_of_a_query_string_what_is_not_personal_stays() -> None:
    """analytics.js sends it as page.search with every call, and other libraries without its mark."""
    first, mail = (token(CONFIG.privacy, *known) for known in (("name", "Ann"), ("email", "ann@example.com")))
    kept = shown(
        search="?first_name=Ann&size=L&q=ann@example.com",
        form="size=L&mail=ann@example.com",
        sum="a = b",
        note="x=1; y=2",
    )
    assert kept == {
        "search": f"?first_name={first}&size=L&q={mail}",
        "form": f"size=L&mail={mail}",
        "sum": "a = b",
        "note": "x=1; y=2",
    }


def test_what_says_nothing_of_anybody_stays_under_a_personal_name() -> None:
    sent = {"email": None, "phone": "", "address": {"country": "NO", "is_complete": True}, "cookie": False}
    assert shown(**sent) == sent


def test_a_shops_names_are_its_own() -> None:
    """`name` is a product's; below a person it is that person's."""
    kept = shown(name="Mug", products=[{"name": "Mug", "brand": "Elm"}], customer={"name": "Ann", "tier": "gold"})
    assert (kept["name"], kept["products"], kept["customer"]["tier"]) == (
        "Mug",
        [{"name": "Mug", "brand": "Elm"}],
        "gold",
    )
    assert kept["customer"]["name"] == token(CONFIG.privacy, "name", "Ann")


def test_the_owner_of_the_data_overrules_names() -> None:
    privacy = dataclasses.replace(CONFIG.privacy, personal_fields=("Rufname",), plain_fields=("cart_token", "street"))
    own = OwnFields(dataclasses.replace(CONFIG, privacy=privacy))
    kept = json.loads(
        json_text(
            own.shown({"rufname": "Ann", "cartToken": "c-1", "street": "Elm Road 7", "Street": "ann@example.com"})
        )
    )
    assert (kept["cartToken"], kept["street"]) == ("c-1", "Elm Road 7")
    assert kept["rufname"].startswith("dev:")
    assert kept["Street"].startswith("dev:")  # its look is asked all the same


@pytest.mark.parametrize("sent", [None, "text", 3, [], [1]])
def test_what_is_no_object_leaves_the_column_empty(sent: Any) -> None:
    assert row(properties=sent).properties is None


def test_an_empty_object_is_kept_and_a_rejected_record_keeps_nothing() -> None:
    assert row(properties={}).properties == b"{}"
    rejected = READER.read(orjson.dumps({"type": "track", "properties": {"a": 1}}), NOON_US, NOON_US)
    assert (rejected.verdict is None, rejected.properties) == (False, None)


def test_half_a_character_is_replaced_and_a_null_character_is_written_out() -> None:
    read = READER.read(
        b'{"type":"track","event":"x","messageId":"m","anonymousId":"a","properties":{"q":"\\ud800\\u0000"}}',
        NOON_US,
        NOON_US,
    )
    assert read.properties == '{"q":"\ufffd\\u0000"}'.encode()


@pytest.mark.parametrize(
    "id_", ["ann@example.org", "0049 170 12345678", "0815-4711-22", "0815-4711", "(02) 1234567", "+49 (0)30 1234"]
)
def test_what_another_column_hides_is_not_shown_here(id_: str) -> None:
    read = row(properties={"product_id": id_, "coupon": id_})
    assert read.product_id is not None
    assert read.product_id.startswith("dev:")
    assert id_ not in str(read)
