"""A request is read as it was meant: what is missing in it is left out, and what is spoilt spoils no more than itself."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from serving.messages.request_models import DecisionRequest, ExposureRequest, SuppressionRequest
from serving.messages.request_reading import TooDeep, read

MOST = 100_000
NOTHING = st.sampled_from([None, "", " ", []])
BLANKS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("identifier", "segment", "events", "explain", "request_id", "offers"), NOTHING),
        "context": NOTHING
        | st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("page_type", "device", "product_id", "price", "session_id", "channel"), NOTHING)
        ),
    },
)
EVENT = {"event": "Product Viewed"}


def asked(document: Any) -> DecisionRequest:
    return read(DecisionRequest, json.dumps(document).encode(), "", MOST)


@given(BLANKS)
def test_what_a_template_has_nothing_for_is_as_good_as_left_out(blanks: dict[str, Any]) -> None:
    assert asked({"customer_id": "u-1", **blanks}) == asked({"customer_id": "u-1"})


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("type", "name", "messageId", "timestamp", "properties", "traits", "context"), NOTHING),
    )
)
def test_an_event_of_a_request_is_as_the_events_of_a_php_shop(blanks: dict[str, Any]) -> None:
    assert (
        asked({"customer_id": "u-1", "events": [{**EVENT, **blanks}]}).events
        == asked({"customer_id": "u-1", "events": [EVENT]}).events
    )


@pytest.mark.parametrize("nobody", [None, "", " ", []])
def test_whom_it_is_about_cannot_be_left_out(nobody: Any) -> None:
    for model, document in (
        (DecisionRequest, {"customer_id": nobody}),
        (SuppressionRequest, {"identifier": nobody}),
        (SuppressionRequest, {"identifier": {"type": "email", "value": nobody if nobody != " " else []}}),
        (ExposureRequest, {"decision_id": nobody if nobody != " " else ""}),
    ):
        with pytest.raises(ValidationError):
            read(model, json.dumps(document).encode(), "", MOST)


def test_a_customer_is_the_digits_of_their_number_in_whatever_language() -> None:
    for sent in ("7358220173425", "7358220173425.0", "7.358220173425e12"):
        assert read(DecisionRequest, f'{{"customer_id": {sent}}}'.encode(), "", MOST).customer_id == "7358220173425"
    for sent in ("1.5", "9007199254740993.0", "true"):
        with pytest.raises(ValidationError):
            read(DecisionRequest, f'{{"customer_id": {sent}}}'.encode(), "", MOST)


TITLE = '{"customer_id": "u-1", "context": {"title": "Caf\u00e9 \\ud83d", "price": 2}}'


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_half_a_character_or_a_mark_before_the_body_costs_no_answer(charset: str) -> None:
    request = read(DecisionRequest, TITLE.encode(charset), "", MOST)
    assert (request.customer_id, request.context.price) == ("u-1", 2)
    assert request.context.said()["title"] == "Caf\u00e9 \ufffd"


def test_what_is_no_json_and_what_nests_too_deep_is_told() -> None:
    for body in (b"", b"{", b'{"customer_id": "u",}', b"\xff\xfe{"):
        with pytest.raises(ValidationError, match="Invalid JSON"):
            read(DecisionRequest, body, "", MOST)
    deep = '{"customer_id": "u", "context": {"a": ' + "[" * 40 + "]" * 40 + "}}"
    for charset in ("utf-8", "utf-16"):
        with pytest.raises(TooDeep):
            read(DecisionRequest, deep.encode(charset), "", MOST)
