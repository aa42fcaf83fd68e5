"""A shop's own properties: random ones of every JSON kind, and personal values as senders plant them among them."""

import json
from decimal import Decimal
from random import Random
from typing import Any

import orjson

_LETTERS = "abcdeghijklmnopqrstuvwxyzABCÄÖéñßжש漢字😀 _!'\"\\\n\t\0"
_NUMBERS = [
    *("0", "-7", "12.99", "1.10", "59.990", "-0.5", "1e5", "2.5E-7", "1e400", "123456789012345678901234567890"),
    *("18446744073709551615", "-9223372036854775809", "0.1000000000000000055511151231257827", "1738310700000"),
]
_TEXTS = ["", " ", "0012345678", "2026-11-29T10:00:00Z", "12,50", "4006381333931", "null", "{}", "[1]", "a/b", "50%", "1.2"]  # fmt: skip
_DEEPEST = 4


def own(chance: Random, depth: int = 0) -> Any:
    """A JSON value of any kind, numbers in any spelling; nothing in it is personal. For orjson to write."""
    kind = chance.randrange(5 if depth == _DEEPEST else 9)
    match kind:
        case 0:
            return chance.choice([None, True, False])
        case 1:
            return orjson.Fragment(chance.choice(_NUMBERS))
        case 2:
            return chance.choice(_TEXTS)
        case 3 | 4:
            return "".join(chance.choices(_LETTERS, k=chance.randrange(12)))
        case 5 | 6:
            return [own(chance, depth + 1) for _ in range(chance.randrange(4))]
        case _:
            return own_object(chance, depth + 1)


def own_object(chance: Random, depth: int = 0) -> dict[str, Any]:
    """Fields whose names end in `q`: no name of anything personal does."""
    names = ("".join(chance.choices(_LETTERS, k=chance.randrange(8))) + "q" for _ in range(chance.randrange(5)))
    return {name: own(chance, depth) for name in names}


def exactly(text: str) -> Any:
    """A JSON text as what it says: the order of names counts, and every digit of a number."""
    return json.loads(text, parse_float=_digits, parse_int=_digits, object_pairs_hook=list)


def _digits(number: str) -> tuple[str, str]:
    return ("number", str(Decimal(number)))


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
# (field, what is sent, what must be nowhere afterwards)
PLANTED: list[tuple[str, Any, tuple[str, ...]]] = [
    ("q_note", "ann.leeson@example.com", ("leeson",)),
    ("q_note", "Ann.Leeson@EXAMPLE.com", ("Leeson",)),
    ("q_note", "Ann Leeson <ann.leeson@example.com>", ("Leeson", "leeson")),
    ("q_note", "write to ann.leeson@example.com.", ("leeson",)),
    ("q_note", "mailto:ann.leeson@example.com", ("leeson",)),
    ("q_note", "ann.leeson%40example.com", ("leeson",)),
    ("q_note", "ann.leeson&#64;example.com", ("leeson",)),
    ("q_note", "ann.leeson\uff20example.com", ("leeson",)),
    ("q_note", "ann.leeson (at) example (dot) com", ("leeson",)),
    ("q_note", "ann.leeson @ example.com", ("leeson",)),
    ("q_link", "https://shop.test/u/ann.leeson%40example.com/orders?utm_source=q", ("leeson",)),
    ("q_link", "https://shop.test/?next=%2Flogin%3Fmail%3Dann.leeson%2540example.com", ("leeson",)),
    ("q_link", "https://shop.test/reset?first_name=Annabella&token=hush-hush&page=2", ("Annabella", "hush-hush")),
    ("q_link", "https://ann:hush-hush@shop.test/", ("hush-hush",)),
    ("q_search", "?first_name=Annabella&phone=2025550143", ("Annabella", "2025550143")),
    ("q_search", "?first_name=Annabella Lee&size=L", ("Annabella", "Lee")),
    ("q_search", "first_name=Annabella&size=L", ("Annabella",)),
    ("q_hash", "#/account?user%5Bfirst_name%5D=Annabella", ("Annabella",)),
    ("q_link", "www.shop.test?mail=leeson&page=2", ("leeson",)),
    ("q_link", "https://shop.test/?next=%2Flogin%3Ffirst_name%3DAnnabella%26page%3D2", ("Annabella",)),
    ("email_sha256", "0cc175b9c0f1b6a831c399e269772661", ("0cc175b9",)),
    ("q_note", "+1 202 555 0143", ("555 0143",)),
    ("q_note", "+12025550143", ("5550143",)),
    ("q_note", "tel:+49-170-2345678", ("2345678",)),
    ("q_note", "call (202) 555-0143 after six", ("555-0143",)),
    ("q_note", "202-555-0143", ("555-0143",)),
    ("q_note", "202.555.0143", ("555.0143",)),
    ("q_note", "0170/2345678", ("2345678",)),
    ("q_note", "0170 2345678", ("2345678",)),
    ("q_note", "\uff0b\uff14\uff19 170 2345678", ("2345678",)),
    ("contactPhone", 2025550143, ("2025550143",)),
    ("Mobile-Number", "2025550143", ("2025550143",)),
    ("q_ids", [{"type": "phone", "id": "2025550143"}, {"name": "E-Mail", "value": "leeson at home"}], ("2025550143", "leeson")),
    ("q_note", "203.0.113.77", ("203.0.113",)),
    ("q_note", "from 203.0.113.77.", ("203.0.113",)),
    ("q_note", "http://203.0.113.77:8080/x", ("203.0.113",)),
    ("q_note", "2001:db8::8a2e:370:7334", ("8a2e",)),
    ("q_note", "2001:0db8:0000:0000:0000:8a2e:0370:7334", ("8a2e",)),
    ("q_note", "https://[2001:db8::8a2e:370:7334]/", ("8a2e",)),
    ("q_note", "::ffff:203.0.113.77", ("203.0.113",)),
    ("ip", "unreadable 203", ("203",)),
    ("firstName", "Annabella", ("Annabella",)),
    ("last_name", "Leeson", ("Leeson",)),
    ("recipientName", "Annabella Leeson", ("Annabella", "Leeson")),
    ("customer", {"name": "Annabella", "plan": "gold"}, ("Annabella",)),
    ("passengers", [{"first": "Annabella"}, {"first": "Leeson"}], ("Annabella", "Leeson")),
    ("Nom d'utilisateur / user name", "Annabella", ("Annabella",)),
    ("shipping_address", {"line1": "Elm Road 7", "geo": {"city": "Oldtown"}, "country": "NO"}, ("Elm Road", "Oldtown")),
    ("billingAddress", "Elm Road 7, Oldtown", ("Elm Road",)),
    ("postalCode", "00184-77", ("00184",)),
    ("street", ["Elm Road 7"], ("Elm Road",)),
    ("latitude", 59.913868, ("59.91",)),
    ("birthday", "1990-07-14", ("1990-07",)),
    ("passport_no", "C01X00T47", ("C01X00T47",)),
    ("q_note", "Bearer abc.def-123456", ("abc.def",)),
    ("q_note", JWT, ("eyJ", "c2lnbmF0dXJl")),
    ("q_note", f"GET /x HTTP/1.1 Authorization: {JWT}", ("eyJ",)),
    ("q_note", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", ("4eC39",)),
    ("q_note", "password: hunter22", ("hunter22",)),
    ("api_key", "Annabella", ("Annabella",)),
    ("q_note", "4111 1111 1111 1111", ("1111",)),
    ("q_note", "paid by 4111-1111-1111-1111", ("1111",)),
    ("q_note", 4111111111111111, ("1111",)),
    ("q_note", [[5555555555554444]], ("4444",)),
    ("q_note", "378282246310005", ("246310",)),
    ("cardNumber", "4111", ("4111",)),
    ("iban", "DE89 3704 0044 0532 0130 00", ("3704",)),
    ("q_map", {"ann.leeson@example.com": 3}, ("leeson",)),
]  # fmt: skip
