"""Identifiers: what stands for a value in every table, and for what nothing does. That Spark reads alike: test_sender.py."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config import Config, load
from lakehouse.events import identifiers
from lakehouse.events.identifiers import Resolver
from lakehouse.events.tokens import token

CONFIG = load("dev", environ={})
SECRETS = {"KAFKA_BOOTSTRAP_SERVERS": "b:1", "STITCHLAKE_HMAC_KEY": "k", "STITCHLAKE_HMAC_KEY_ID": "1"}
STRICT = load("prod", environ=SECRETS | {"STITCHLAKE__IDENTITY__EMAIL_TAGS": "known"})
ANN = token(CONFIG.privacy, "email", "ann@example.com")
PHONE = token(CONFIG.privacy, "phone", "+12025550143")

# (type, value as sent) -> what stands for it everywhere; None: no usable identifier
KNOWN: dict[tuple[str, str], str | None] = {
    ("user_id", " u-17 "): "u-17",
    ("user_id", "U-17"): "U-17",
    ("user_id", "ann@example.com"): token(CONFIG.privacy, "user_id", "ann@example.com"),
    ("user_id", "Ann%40example.com"): token(CONFIG.privacy, "user_id", "ann@example.com"),
    ("user_id", "ann\uff20example.com"): token(CONFIG.privacy, "user_id", "ann@example.com"),
    ("user_id", "ann%40"): token(CONFIG.privacy, "user_id", "ann%40"),
    ("email", "ann%40example.com"): ANN,
    ("phone", "\uff0b\uff11\uff12\uff10\uff12\uff15\uff15\uff15\uff10\uff11\uff14\uff13"): PHONE,
    ("user_id", "Null"): None,
    ("user_id", "[object Object]"): None,
    ("user_id", "nullable"): "nullable",
    ("user_id", "-1"): None,
    ("user_id", "0"): None,
    ("user_id", "01"): "01",
    ("user_id", ""): None,
    ("anonymous_id", "00000000-0000-0000-0000-000000000000"): None,
    ("anonymous_id", "xxx"): None,
    ("device_id", "ÜNKNOWN"): "ÜNKNOWN",
    ("loyalty_id", "card-1"): "card-1",
    ("email", "ann@example.com"): ANN,
    ("email", " Ann@EXAMPLE.com "): ANN,
    ("email", "ann\t@example\n.com"): ANN,
    ("email", "ann@example.com."): ANN,
    ("email", "ann+shop@example.com"): ANN,
    ("email", "Ann.Lee+shop@GoogleMail.com"): token(CONFIG.privacy, "email", "annlee@gmail.com"),
    ("email", "ann-shop@yahoo.com"): token(CONFIG.privacy, "email", "ann@yahoo.com"),
    ("email", "te.st+7@gmail.com"): None,
    ("email", "No-Reply@shop.com"): None,
    ("email", "a@A.com"): None,
    ("email", "ann@test.com"): None,
    ("email", "ann@example"): None,
    ("email", "a" * 65 + "@example.com"): None,
    ("email", "ann"): None,
    ("email", "ann@example@com"): None,
    ("email", "@example.com"): None,
    ("email", "ann@"): None,
    ("phone", "(202) 555-0143"): PHONE,
    ("phone", "1 202 555 0143"): PHONE,
    ("phone", "+1 202-555-0143 ext. 9"): PHONE,
    ("phone", "001 202 555 0143 x12"): PHONE,
    ("phone", "202 555 014"): None,
    ("phone", "000-000-0000"): None,
    ("phone", "(999) 999-9999"): None,
    ("phone", "123-456-7890"): None,
    ("phone", "1-123-456-7890"): None,
    ("device_id", "9774d56d682e549c"): None,
    ("device_id", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"): None,
    ("anonymous_id", "9774d56d682e549c"): "9774d56d682e549c",
    ("loyalty_id", "9999999999"): None,
    ("user_id", "9999999999"): "9999999999",
    ("user_id", "{{userId}}"): None,
    ("phone", "unknown"): None,
    ("phone", "+44 (0)20 7946 0018"): token(CONFIG.privacy, "phone", "+442079460018"),
    ("phone", "+1234567890123456"): None,
}
# Values whose case, blanks, digits or length could be taken in two ways.
ODD = [
    *("İstanbul", "ΣΊΣΥΦΟΣ", "straße", "STRASSE", "ẞ", "Å", "\ufb01", "K", "ﾐ", "😀", "e\u0301", "\u0130@\u0130.tr"),
    *(
        "\u00a0null\u00a0",
        "\u3000",
        "\ufeff",
        "\u200b",
        "null\n",
        "\nnull",
        "\t",
        "0\n0",
        "0\u00a00",
        "none\x00",
        "\x00",
    ),
    *("\x1c", "\x0b", "ann\x1c@example.com", "ann\u00a0@example.com", "ΣΑΣ@example.com", "ann@example.com\n", "a@b"),
    *("٠١٢٣٤٥٦٧٨٩", "+٤٤ 20 7946 0018", "+1+2025550143", "2025550143+", "0012025550143", "00", "+", "++442079460018"),
    *(
        "12025550143#5",
        "2025550143;ext=5",
        "202555EXT0143",
        "X2025550143",
        "+(0)(0)1234567",
        "0\r\n",
        "null\u2028",
        "0\u2028",
        "0\u0085",
        "1" * 30,
        "+" + "9" * 15,
    ),
]
TYPES = ("user_id", "email", "phone", "loyalty_id", "device_id")
VALUES = [*KNOWN, *((type_, value) for type_ in TYPES for value in ODD)]


@pytest.mark.parametrize(("type_", "value"), KNOWN)
def test_an_identifier_is_resolved_as_known(type_: str, value: str) -> None:
    assert identifiers.resolve(type_, value, CONFIG) == KNOWN[type_, value]


@pytest.mark.parametrize("config", [CONFIG, STRICT], ids=["dev", "prod"])
def test_what_an_identifier_stands_for_is_its_own_form_or_says_why_it_stands_for_nothing(config: Config) -> None:
    resolver = Resolver(config)
    for type_, value in VALUES:
        identifier, fault = resolver.resolve(type_, value), resolver.fault(type_, value)
        assert (identifier is None) == (fault is not None), (type_, value)
        if identifier is not None and not identifier[1].startswith(f"{config.privacy.hmac_key_id}:"):
            assert resolver.resolve(type_, identifier[1]) == identifier


def test_a_number_is_national_to_the_country_of_the_address() -> None:
    berlin = token(CONFIG.privacy, "phone", "+4930901820")
    assert identifiers.resolve("phone", "030 901820", CONFIG, "de") == berlin
    assert identifiers.resolve("phone", "030 901820", CONFIG) is None
    assert identifiers.resolve("phone", "202-555-0143", CONFIG, "XX") == PHONE


def test_an_address_is_an_address_wherever_it_stands() -> None:
    spellings = [
        "Kim.Lee@Example.com",
        "kim.lee@example.com",
        "Kim Lee <kim.lee@example.com>",
        "mailto:kim.lee@example.com",
    ]
    bundles = {tuple(Resolver(CONFIG).bundle([("user_id", one)])) for one in spellings}
    assert len(bundles) == 1
    assert [type_ for type_, _ in bundles.pop()] == ["email", "user_id"]


FUNCTIONS = (
    "Info",
    "sales3",
    "info.de",
    "sales-uk",
    "customer-care",
    "Customer_Support2",
    "atencion.al.cliente",
    "service-client",
    "b\u00fcro",
    "segreteria",
    "faktury",
)


@pytest.mark.parametrize("mailbox", FUNCTIONS)
def test_the_mailbox_of_a_function_is_an_identifier_of_its_own_in_any_language(mailbox: str) -> None:
    address = f"{mailbox}@firma.example.com"
    assert Resolver(CONFIG).resolve("email", address) == ("mailbox", token(CONFIG.privacy, "email", address.lower()))


@pytest.mark.parametrize("person", ["infos", "anna.info", "salesman", "kim2", "posta", "2"])
def test_a_person_is_no_function(person: str) -> None:
    identifier = Resolver(CONFIG).resolve("email", f"{person}@firma.example.com")
    assert identifier is not None
    assert identifier[0] == "email"


@given(
    st.sampled_from(sorted(CONFIG.identity.rules)),
    st.text(max_size=40) | st.text('<>()"@:;,.+0123456789 ax', max_size=40),
)
def test_no_value_makes_it_fail(type_: str, value: str) -> None:
    identifier = Resolver(CONFIG).resolve(type_, value, "DE")
    assert identifier is None or identifier[1]


def test_a_resolver_crosses_to_a_worker_without_what_it_remembers() -> None:
    resolver = Resolver(CONFIG)
    resolver.resolve("user_id", "ann")
    assert pickle.loads(pickle.dumps(resolver)).resolve("user_id", "ann") == ("user_id", "ann")
