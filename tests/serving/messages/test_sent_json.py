import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.messages.sent_json import Unreadable, decoded, encoded

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def elements(text: str) -> list[tuple[str, bool]]:
    (_, batch), *_ = decoded(text.encode()).members(apart="batch", most=10)
    return [(each.text, each.is_json) for each in batch.elements or ()]


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), st.sampled_from([None, 2]))
@settings(max_examples=200, deadline=None)
def test_members_are_those_of_the_object_each_in_its_own_text(document: dict[str, Any], indent: int | None) -> None:
    members = dict(decoded(json.dumps(document, indent=indent).encode()).members())
    assert {name: sent.value for name, sent in members.items()} == document
    assert {name: json.loads(sent.text) for name, sent in members.items()} == document


@given(st.lists(JSON, max_size=5))
@settings(max_examples=200, deadline=None)
def test_a_list_is_taken_apart_into_its_elements(batch: list[Any]) -> None:
    text = json.dumps({"batch": batch}, ensure_ascii=False)
    assert [json.loads(each) for each, _ in elements(text)] == batch


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ('[{"a":NaN},{}]', [('{"a":NaN}', False), ("{}", True)]),
        ("[ , {} , ]", [("", False), ("{}", True)]),
        ('[{"a":},{"b":"],"} ]', [('{"a":}', False), ('{"b":"],"}', True)]),
        ('[{"a":"\\ud83d"},1e400]', [('{"a":"\\ud83d"}', True), ("1e400", True)]),
        ("[" + "[" * 3000 + "]" * 3000 + ",{}]", [("[" * 3000 + "]" * 3000, False), ("{}", True)]),
        ('[{"a":' + "1" * 5000 + "},{}]", [('{"a":' + "1" * 5000 + "}", False), ("{}", True)]),
        ('[{"a":1} {"b":2},3]', [('{"a":1} {"b":2}', False), ("3", True)]),
    ],
)
def test_what_cannot_be_read_spoils_nothing_beside_it(batch: str, expected: list[tuple[str, bool]]) -> None:
    assert elements('{"batch":' + batch + "}") == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "character 0: got the end"),
        ("[]", "character 0: got '['"),
        ('{"a":1', "character 6: got the end"),
        ('{"a":1}x', "character 7: got 'x'"),
        ('{"a" 1}', "character 5: got '1'"),
        ('{"batch":[{"a":1}', "character 17: got the end"),
        ('{"batch":[{"a":"x},{}]}', "character 15: got '\"'"),
        ('{"batch":[}]}', "character 10: got '}'"),
    ],
)
def test_a_text_that_is_no_object_is_told_with_its_place(text: str, place: str) -> None:
    with pytest.raises(Unreadable) as caught:
        dict(decoded(text.encode()).members(apart="batch", most=10))
    assert str(caught.value).startswith(place)


def test_bytes_that_are_no_text_come_out_as_they_went_in() -> None:
    body = b'\xef\xbb\xbf{"a":"\xff\xc3\xa9"}'
    assert encoded(decoded(body).whole().text) == body[3:]


def test_numbers_keep_their_digits_and_whole_ones_their_value() -> None:
    sent = decoded(b'{"a":900719925474099312345,"b":1.10}').whole()
    assert sent.value == {"a": 900719925474099312345, "b": 1.1}
    assert sent.text == '{"a":900719925474099312345,"b":1.10}'
