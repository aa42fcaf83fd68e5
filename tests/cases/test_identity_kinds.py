"""Further lists of events of the kinds in identity.jsonl: who of them is one person, in the order they came and reversed."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.cases.test_identity import profiles

Event = dict[str, Any]


def says(user: Any = None, cookie: str | None = None, type_: str = "identify", **traits: Any) -> Event:
    sent: Event = {"type": type_, "userId": user, "anonymousId": cookie, "traits": traits}
    return {name: value for name, value in sent.items() if value not in (None, {})}


def alias(previous: str, user: str) -> Event:
    return {"type": "alias", "previousId": previous, "userId": user}


def order(cookie: str, **traits: Any) -> Event:
    properties = {"order_id": "o-1", "revenue": 10}
    return says(None, cookie, "track", **traits) | {"event": "Order Completed", "properties": properties}


def group(user: str, **traits: Any) -> Event:
    return says(user, None, "group", **traits) | {"groupId": "g-1"}


def on(device: str, event: Event) -> Event:
    return event | {"context": {"device": {"id": device}}}


ZERO = "00000000-0000-0000-0000-000000000000"
DE = {"address": {"country": "Deutschland"}}

# what happens -> (events, who they are: equal letters are one person)
KINDS: Mapping[str, tuple[list[Event], str]] = {
    "a cookie is aliased before its login": ([alias("c", "u"), says("u", "d"), says(None, "c")], "AAA"),
    "an id is aliased to itself": ([alias("u", "u"), says("u")], "AA"),
    "an id that is nothing is aliased": ([alias("undefined", "u"), alias("undefined", "v")], "AB"),
    "two logins are aliased and stay two": ([says("u"), says("v"), alias("u", "v")], "ABB"),
    "an address in the web's spelling is aliased": ([alias("kim%40x.org", "u"), says(None, "c", email="Kim@x.org")], "AA"),
    "a group's address is nobody's": ([group("u", email="team@x.org"), group("v", email="team@x.org")], "AB"),
    "colleagues are not one": ([group("u"), group("v")], "AB"),
    "somebody logs out and another logs in": ([says("ann", "c"), says("ann"), says("bob", "c")], "AAB"),
    "three clerks at one tablet": ([says("a", "tab"), says("b", "tab"), says("c", "tab")], "ABC"),
    "an agent identifies customers at one cookie": ([says(f"u{n}", "agent", email=f"u{n}@x.org") for n in range(3)], "ABC"),
    "a couple at one address has two logins": ([says("eva", email="we@x.org"), says("tom", email="we@x.org")], "AB"),
    "a guest buys, then makes an account": ([order("c", email="g@x.org"), says("u", "d", email="G@x.org")], "AA"),
    "an address changes hands": ([says("u", email="old@x.org"), says("u", email="new@x.org"), says("v", email="old@x.org")], "AAB"),
    "a family has one card and its own logins": ([says("u", loyalty_id="L9"), says("v", loyalty_id="L9")], "AB"),
    "a till has no card": ([says(None, "c", loyalty_id="KEINE"), says(None, "d", loyalty_id="keine")], "AB"),
    "a telephone is handed on": ([on("phone-1", says("u")), on("phone-1", says("v"))], "AB"),
    "a telephone is known before its login": ([on("phone-1", says(None, "c")), on("phone-1", says("u"))], "AA"),
    "a telephone tells nothing": ([on(ZERO, says(None, "c")), on(ZERO, says(None, "d"))], "AB"),
    "a copied telephone": ([on("004999010640000", says(None, "c")), on("004999010640000", says(None, "d"))], "AB"),
    "a login in capitals is an address": ([says("Kim@X.ORG"), says(" kim@x.org "), says("kim%40x.org"), says("kim\uff20x.org")], "AAAA"),
    "a login in capitals is a name": ([says("AbC"), says("abc")], "AB"),
    "a login is a number": ([says(42), says("42"), says(42.0)], "AAA"),
    "a login is a word for nothing": ([says("Gast", "c"), says("GAST", "d"), says("null", "e")], "ABC"),
    "nobody is logged in": ([says("not_logged_in", "c"), says("Not logged in", "d"), says("notLoggedIn", "e")], "ABC"),
    "everybody is a visitor": ([says("visitor", "c"), says("Visitor", "d")], "AB"),
    "a login is a UUID of Windows": ([says("{7b0e0b4a-0b8c-4b7e-8b69-0000000000a8}"), says("7b0e0b4a-0b8c-4b7e-8b69-0000000000a8")], "AA"),
    "an address is masked": ([says(None, "c", email="k***@gmail.com"), says(None, "d", email="k***@gmail.com")], "AB"),
    "a form lost the plus": ([says(None, "c", email="kim x@gmail.com"), says(None, "d", email="kimx@gmail.com")], "AB"),
    "a field is called Email": ([says("u", "c", Email="Kim@x.org"), says(None, "d", email="kim@x.org")], "AA"),
    "a till writes guest@": ([says(None, "c", email="guest@shop.org"), says(None, "d", email="guest@shop.org")], "AB"),
    "a receipt goes to somebody else": ([order("c") | {"properties": {"order_id": "o-1", "revenue": 10, "email": "kim@x.org"}}, says(None, "d", email="kim@x.org")], "AB"),
    "one number of two countries": ([says(None, "c", phone="0664 1234567", address={"country": "AT"}), says(None, "d", phone="0664 1234567", **DE)], "AB"),
    "a card's zeros are its own": ([says(None, "c", loyalty_id="000123"), says(None, "d", loyalty_id="123")], "AB"),
    "an earlier id outside of an alias": ([says("u") | {"type": "track", "event": "x", "previousId": "c"}, says(None, "c")], "AB"),
    "an office in Spanish": ([says(None, "c", email="ventas@x.es"), says(None, "d", email="ventas@x.es")], "AB"),
    "an office with a number": ([says(None, "c", email="info2@x.de"), says(None, "d", email="info2@x.de")], "AB"),
    "a number is national to a country's name": ([says(None, "c", phone="0170 2345670", **DE), says(None, "d", phone="+49 170 2345670")], "AA"),
    "a number in Arabic digits": ([says(None, "c", phone="+\u0662\u0660\u0661\u0660\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0669"), says(None, "d", phone="+20 100 123 4569")], "AA"),
}  # fmt: skip


@pytest.mark.parametrize("step", [1, -1], ids=["in order", "reversed"])
@pytest.mark.parametrize(("events", "who"), KINDS.values(), ids=KINDS)
def test_who_is_one_person(events: list[Event], who: str, step: int) -> None:
    sent = [{"messageId": f"m{n}", "timestamp": f"2026-11-27T10:{n:02}:00Z", **event} for n, event in enumerate(events)]
    found = profiles(sent[::step])
    names = [found[event["messageId"]] for event in sent]
    assert [[a == b for a in names] for b in names] == [[a == b for a in who] for b in who]
