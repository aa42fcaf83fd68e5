"""What is personal by the name of its field and by its look, and what only seems to be."""

import pytest

from lakehouse.events.personal_data import kind_of, named
from lakehouse.sources.declaration import read_declaration
from tests.purity import PROJECT

PERSONAL = {
    "email": ["email", "E-Mail", "customer_email", "userEmailAddress", "emails", "email_sha256", "mail", "email_2", "E-Mail (again)"],
    "phone": ["phone", "billingPhone", "mobile", "telephone_number", "Telefon", "phoneNo", "whatsapp_number",
              "phone2", "phone_1", "mobile_2", "phone_work", "Telefonnummer", "Mobilnummer", "handy", "home_phone_old"],
    "name": ["firstName", "last_name", "Full Name", "cardholder_name", "recipientName", "username", "surname",
             "first_name_2", "Vorname", "Nachname", "lastName1"],
    "address": ["address", "shipping_address", "address_line_1", "addressLine2", "Street", "postal_code", "zip", "latitude",
                "zip2", "Straße", "strasse", "PLZ", "Hausnummer", "street_2", "billing_address_new"],
    "ip": ["ip", "IP-Address", "client_ip", "ipv6", "x-forwarded-for"],
    "secret": ["password", "apiKey", "access_token", "Authorization", "cookie", "pin", "password_confirmation", "password2",
               "new_password_again", "Passwort"],
    "card": ["card_number", "cardNo", "iban", "cvc"],
    "id": ["ssn", "passport_number", "date_of_birth", "dob", "Geburtsdatum"],
}  # fmt: skip
# Names that hold a word of the above and tell of no person.
OF_NOBODY = [
    *("name", "product_name", "campaign.name", "file_name", "email_subject", "email_opened", "phone_model", "mobile_app"),
    *("tokens", "total_tokens", "shipping", "zip_file", "tip", "flat", "pinned", "card_type", "city", "country", "brandName"),
    *("title", "address_is_complete", "version", "userAgent", "user_id", "token_count", "streetwear", "description"),
    *("email_verified", "direct_mail", "email_confirmed_at", "phone_verification_sent", "plan_2", "tier_new", "homepage", "workflow"),
]  # fmt: skip
# Numbers of test cards that the issuers publish.
CARDS = [
    "4111111111111111",
    "5555 5555 5555 4444",
    "2223003122003222",
    "3782-822463-10005",
    "6011111111111117",
    "3530111333300000",
]
PLAIN = [
    *("", "Mug", "12.99", "2026-11-29", "2026-11-29T10:00:00.000Z", "2026-11-29 10:00:00+0200", "29/11/2026", "01-02-2025", "12:30:45"),
    *("o-2025-000123", "1738310700000", "1738310700000000", "4006381333931", "SKU 0815-4711", "0012345678", "2025550143", "00:1B:44:11:3A:B7"),
    *("1160500b-93e4-3c94-de0b-0149a3bea3d0", "4111111111111112", "1234567812345670", "@shop", "2 @ 5.00", "a@ b", "std::vector"),
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    *("10-20", "1,234,567.89", "100 200 3000", "size 38/39/40/41", "50% off & more", "{braces}", "the bearer of news", "Basic Keyboard"),
    *("v1.2.3.4", "17.5.1", "256.1.1.1", "10.1.1", "token", "token: x", "Grüße, Fräulein", "\u0661\u0662", "CAESBQ-Gclid_abcdefgh0123456789"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in PERSONAL.items() for name in names])
def test_a_name_is_personal_in_any_spelling(kind: str, name: str) -> None:
    assert named(name).kind == kind


def test_what_a_file_of_people_calls_its_columns_is_personal() -> None:
    """One vocabulary: who sends a column of conf/sources/crm.yaml as an own field is hidden by the same names."""
    fields = read_declaration(PROJECT / "conf/sources/crm.yaml").fields
    personal = ("email", "phone", "first_name", "last_name", "birthday", "street", "postal_code")
    paths = [path for name in personal for path in fields[name].path]
    assert [path for path in paths if named(path).kind is None] == []
    assert len(paths) > len(personal)


@pytest.mark.parametrize("name", OF_NOBODY)
def test_a_name_that_tells_of_no_person_is_plain(name: str) -> None:
    assert named(name).kind is None


@pytest.mark.parametrize("text", PLAIN)
def test_what_only_seems_to_be_personal_is_plain(text: str) -> None:
    assert kind_of(text) is None


@pytest.mark.parametrize("number", CARDS)
def test_a_card_has_a_range_a_length_and_a_check_digit(number: str) -> None:
    assert kind_of(number) == "card"
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert kind_of(wrong) is None


def test_a_version_is_no_ip_address_where_its_name_says_so() -> None:
    assert (kind_of("1.2.3.4"), kind_of("1.2.3.4", is_version=True)) == ("ip", None)
    assert named("appVersion").is_version


@pytest.mark.parametrize(
    "text",
    ["a@" * 18_000, "eyJ-" * 9_000, "bearer " * 5_000, "<at>" * 9_000, "1 " * 18_000, "%40" * 12_000, "/a" * 18_000],
)
def test_no_text_of_a_record_takes_long(text: str) -> None:
    """Its patterns go over a text a bounded number of times: 36 KB, the longest record, in less than a second."""
    kind_of(text)
