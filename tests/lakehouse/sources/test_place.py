"""Where something lies in a record."""

import pytest

from lakehouse.errors import RuleError
from lakehouse.sources.place import place

RECORD = {
    "id": 7,
    "customer": {"email": "a@b.c", "note": ""},
    "a.b": "dotted",
    "Lineitem price": "1.50",
    "lines": [{"sku": "s1", "of": {"kind": "refund"}}, {"sku": "s2"}, "no line"],
    "params": [
        {"key": "title", "value": {"text": "Home"}},
        {"key": "page", "value": {"int": 3}},
        {"key": "title", "ok": "y"},
    ],
    "packed": '{"data":[{"schema":"iglu:x/order/1-0-0","id":"o1"},{"schema":"iglu:x/page/1-0-0"}]}',
    "broken": "{no json",
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("id", [7]),
        ("customer.email", ["a@b.c"]),
        ("customer.note", []),
        ("customer.phone.home", []),
        ("Lineitem price", ["1.50"]),
        ("`a.b`", ["dotted"]),
        ("lines[1].sku", ["s2"]),
        ("lines[9].sku", []),
        ("lines[].sku", ["s1", "s2"]),
        ("lines[].of.kind", ["refund"]),
        ("params[key=title].value.text", ["Home"]),
        ("params[key=title][ok=y].key", ["title"]),
        ("params[key=page].value.int", [3]),
        ("params[key=none].value", []),
        ("packed.data[schema^=iglu:x/order/].id", ["o1"]),
        ("packed.data[].id", ["o1"]),
        ("broken.data", []),
        ("line*", [RECORD["lines"]]),
        ("params[key=page].val*.int", [3]),
        ("`line*`", []),
        ("id.more", []),
        ("id[0]", []),
    ],
)
def test_what_stands_at_a_place(text: str, found: list[object]) -> None:
    assert place(text).found(RECORD) == found


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a[", "a]b", "a[1", "a[x]", "[0]x", "a`b", "x" * 500])
def test_what_names_no_place_is_refused(text: str) -> None:
    with pytest.raises(RuleError, match="expected names with dots between them"):
        place(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("line*[1].sku", ["s2"]),
        ("cust*.email", ["a@x"]),
        ("a.*.b", None),
        ("nothing*.x", None),
        ("*.email", ["a@x"]),
        ("customer.email", ["a@x"]),
        ("gone.email", None),
    ],
)
def test_among_names_a_place_is_one_of_them_or_none(text: str, found: list[object] | None) -> None:
    record = {"customer": {"email": "a@x"}, "lines": [{"sku": "s1"}, {"sku": "s2"}]}
    one = place(text).among(record)
    assert (None if one is None else one.found(record)) == found


def test_a_place_that_begins_as_several_names_do_is_in_all_of_them() -> None:
    record = {"event_1_0_0": None, "event_1_0_1": {"type": "refund"}}
    one = place("event_1*.type").among(record)
    assert one is not None
    assert one.found(record) == ["refund"]
