"""The list of junk that ships: what identifies nobody anywhere, what only prod refuses, and what it must leave alone."""

import dataclasses

import pytest

from lakehouse.config import Config, IdentifierRule, load
from lakehouse.events.blocked_values import blocked
from lakehouse.events.identifiers import resolve

DEV = load("dev", environ={})
PROD = load(
    "prod", environ={"KAFKA_BOOTSTRAP_SERVERS": "b:1", "STITCHLAKE_HMAC_KEY": "k", "STITCHLAKE_HMAC_KEY_ID": "1"}
)
ZERO = "00000000-0000-0000-0000-000000000000"

JUNK = {
    "user_id": [
        *("null", "NULL", " Null ", "undefined", "None", "NaN", "N/A", "#N/A", "unknown", "anonymous", "guest", "-1", "0"),
        *("[object Object]", "{{userId}}", "${user.id}", "<userId>", "%USER_ID%", "{}", "true", "not_authenticated"),
        *("distinct_id", "distinctId", "user_id", "test", "-", "...", ZERO, "", "  "),
        *("order_id", "__ORDER_ID__", "$orderId", ":user_id", "[USER_ID]", "#{user_id}", "*|EMAIL|*", "%s", "%!s(<nil>)", "YOUR_USER_ID"),
        *("undefined,undefined", "shop-undefined", "null null", "[object Promise]", "function () { return id }", "() => id", "Optional.empty"),
        *("-1.0", "+0", "\u2014", "???", "***", "#REF!", "Infinity", "9.00719E+20", "2147483647", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        *("unbekannt", "Keine Angabe", "inconnu", "desconocido", "nessuno", "onbekend", "brak", "неизвестно", "不明", "redacted", "[deleted]"),
    ],
    "anonymous_id": ["null", "undefined", ZERO, "0"],
    "device_id": [ZERO, "9774d56d682e549c", "9774D56D682E549C", "02:00:00:00:00:00", "000000000000000", "ffffffffffffffff",
                  "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "unknown", "emulator", "android_id", "IDFA", "optout", "004999010640000"],
    "loyalty_id": ["0000000000", "9999999999", "1234567890", "n/a", "none", "KEINE", "Aucune", "\u041d\u0415\u0422"],
    "email": [
        *("test@test.com", "TEST@TEST.COM", "te.st+1@gmail.com", "a@a.com", "none@none.com", "null@null.com", "x@x.com"),
        *("noreply@shop.com", "no-reply@shop.com", "no.reply@shop.com", "do-not-reply@shop.com", "ann@test.com", "me@me.com"),
        *("test@gmail.com", "test123@gmail.com", "test_1@own.org", "n/a", "none", "unknown", "ann@localhost", "ann@x.invalid"),
        *("asdf@asdf.com", "not@real.com", "postmaster@own.org", "no-email@own.org", "{{email}}", "null@shop.com"),
    ],
    "phone": [
        *("0000000000", "1111111111", "999-999-9999", "+1 999 999 9999", "1 (999) 999-9999", "+10000000000", "555-555-5555"),
        *("1234567890", "(123) 456-7890", "0123456789", "9876543210", "+49 1111111111", "7777777", "(415) 555-1212"),
        *("212-867-5309", "n/a", "none", "+000000000"),
    ],
}  # fmt: skip
RESERVED = {
    "email": ["ann@example.com", "ann@mail.example.org", "ann@shop.test", "ann@corp.example"],
    "phone": [
        "202-555-0143",
        "+1 555 123 4567",
        "+44 7700 900123",
        "020 7946 0018 x1",
        "+49 30 23125 123",
        "+33 6 39 98 12 34",
    ],
}
PEOPLE = {
    "user_id": ["1", "42", "1234", "123456", "ann", "abc123", "u-0", "nullable", "tester7", "Ned", "{x", "a%b%c",
                "undefined-1017", "null-17", "chris.null", "orders-7", "1e3", "12345678901234567000", "Tom", "Brakman", "deadbeef-0000-0000", "f1"],
    "anonymous_id": ["a", "1", "11111111-1111-4111-8111-111111111111", "anon-1"],
    "device_id": ["a", "aaaa", "emulator-7", "10000000-0000-0000-0000-000000000000", "laptop"],
    "loyalty_id": ["L31000007", "1234", "0000000001", "card-1"],
    "email": ["ann@gmail.com", "contest@own.org", "testa@own.org", "nina@own.org", "ann@latest.com", "ann@testing-lab.com",
              "info@own.org", "ann@example.com.br", "ann@counterexample.com", "ann@contest.org", "none.such@own.org"],
    "phone": ["+1 202 222 2222", "+1 415 867 5300", "+49 30 901820", "+44 20 7123 4567", "+39 06 1234 5678", "+1 646 123 4567"],
}  # fmt: skip


def pairs(values: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(type_, value) for type_, listed in values.items() for value in listed]


@pytest.mark.parametrize(("type_", "value"), pairs(JUNK))
@pytest.mark.parametrize("config", [DEV, PROD], ids=["dev", "prod"])
def test_junk_identifies_nobody(config: Config, type_: str, value: str) -> None:
    assert resolve(type_, value, config) is None


@pytest.mark.parametrize(("type_", "value"), pairs(RESERVED))
def test_what_is_set_aside_for_examples_is_let_in_by_dev_alone(type_: str, value: str) -> None:
    country = "GB" if value.startswith("020") else None
    assert resolve(type_, value, DEV, country) is not None
    assert resolve(type_, value, PROD, country) is None


@pytest.mark.parametrize(("type_", "value"), pairs(PEOPLE))
@pytest.mark.parametrize("config", [DEV, PROD], ids=["dev", "prod"])
def test_what_only_looks_a_little_like_junk_stays(config: Config, type_: str, value: str) -> None:
    assert resolve(type_, value, config) is not None


def test_a_type_has_the_rules_for_all_and_its_own() -> None:
    rule = IdentifierRule(priority=1, limit=1, max_actors=9, blocked_values=("kiosk",), blocked_pattern="^shop-")
    identity = dataclasses.replace(
        DEV.identity,
        blocked_values=("null",),
        blocked_pattern="",
        rules={"card": rule, "till": DEV.identity.rules["user_id"]},
    )
    card, till = blocked("card", identity), blocked("till", identity)
    assert [card.holds(value) for value in ("null", "KIOSK", "Shop-7", "kiosks", "")] == [True, True, True, False, True]
    assert [till.holds(value) for value in ("null", "kiosk", "shop-7", "")] == [True, False, False, True]


def test_a_blocked_address_is_blocked_in_every_spelling() -> None:
    rule = dataclasses.replace(DEV.identity.rules["email"], blocked_values=("shop.desk@gmail.com",))
    identity = dataclasses.replace(DEV.identity, rules={**DEV.identity.rules, "email": rule})
    config = dataclasses.replace(DEV, identity=identity)
    assert resolve("email", "ShopDesk+2@googlemail.com", config) is None
    assert resolve("email", "shopdesk2@gmail.com", config) is not None
