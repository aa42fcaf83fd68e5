"""What is personal in what somebody sent, by rule: the name a field has, and the look of its value. Pure; knows no configuration.

By its name a field is personal whatever stands in it: `customerEmail`, `billing_phone`, `first_name`, `shipping_address`, `ip`,
`api_key`, `card_number`, `passport_no`, `birthday`. Names are read in any spelling. `name` alone is a product's or a campaign's as often as a
person's: it is personal below a person (`customer`, `traits`, `recipient`).

By its look a value is personal whatever its field is called: an e-mail address, a telephone number as people write it, an IP address, a
secret, the number of a payment card. A person's name, a street and a number of bare digits have no look of their own. So
nothing finds them under a name that says nothing.
"""

import ipaddress
import re
import unicodedata
from typing import NamedTuple
from urllib.parse import unquote

from lakehouse.events.phone import in_our_digits
from lakehouse.events.traits import snake_case

EMAIL, PHONE, NAME, ADDRESS, IP, SECRET, CARD, ID = "email", "phone", "name", "address", "ip", "secret", "card", "id"
OWN = "own"  # what stands under a name of privacy.personal_fields

_PERSON = (
    r"traits|users?|customers?|clients?|persons?|people|contacts?|recipients?|receivers?|senders?|buyers?|payers?|cardholders?|owners?"
    r"|guests?|passengers?|travell?ers?|patients?|members?|employees?|attendees?|participants?|friends?|profiles?|billing|shipping"
    r"|delivery|devices?"
)
_NUMBER = r"(?:_?(?:no|nr|num|numbers?|nummer|e164))?"
# Kind -> the end of a name in snake_case, from a word's beginning on. In English, and in German where crm.yaml reads it.
_NAMED = {
    EMAIL: r"(?:e_?|(?<!_))mails?(?:_?(?:address(?:es)?|adressen?))?(?:_?(?:hash(?:ed)?|sha_?\d+|md_?5))?",
    PHONE: rf"(?:tele)?(?:phones?|fon|fax)(?:_?(?:hash(?:ed)?|sha_?\d+|md_?5))?{_NUMBER}"
    rf"|(?:tel|mobile(?:_?phone)?|mobil(?:telefon)?|handy|cell|msisdn|whats_?app){_NUMBER}",
    NAME: r"(?:first|last|middle|given|family|full|fore|maiden|nick|birth|legal|holder|user)_?names?|sur_?names?"
    rf"|(?:{_PERSON})_?names?|(?:vor|nach|familien)_?namen?",
    IP: r"ip(?:_?v?[46])?(?:_?addr(?:ess)?)?|(?:remote|client)_?addr|x_forwarded_for",
    SECRET: r"pass_?(?:words?|wort)|kennwort|passwd|pwd|pass_?(?:phrase|code)|secrets?|token|(?:api|access|private|session)_?keys?|authori[sz]ation|bearer"
    r"|jwt|cookies?|[cx]srf|otp|pin(?:_?code)?|credentials?",
    CARD: r"(?:card|pan|cc|iban|account|routing)_?(?:no|nr|num|numbers?)|iban|pan|cv[vc]2?|sort_?code",
    ID: r"(?:ssn|social_?security|passport|national_?id|identity_?card|tax_?id|driv(?:er|ing)_?s?_?licen[cs]e)"
    rf"{_NUMBER}|birth_?da(?:y|te)|date_?of_?birth|dob|geburts_?(?:datum|tag)",
    ADDRESS: r"addr(?:ess(?:es)?)?(?:_?(?:line)?_?\d)?|street(?:_?(?:name|no|number|address|line)?_?\d?)|house_?(?:no|number)"
    r"|stra(?:ss|s)e|haus_?(?:nr|nummer)|post(?:al)?_?code|zip(?:_?code)?|plz|post_?leit_?zahl|lat(?:itude)?|lng|lon(?:gitude)?|coordinates",
}
# Which one of several it is: `phone2`, `first_name_2`, `password_confirmation`, `phone_work`.
_WHICH = (
    r"(?:_?\d{1,2}|_(?:confirm(?:ation)?|again|repeat|verify|home|work|office|business|private|main|primary|secondary|other"
    r"|alt(?:ernative|ernate)?|new|old|current|previous))?"
)
_KIND = re.compile(rf"(?:\A|_)(?:{'|'.join(f'(?P<{kind}>{pattern})' for kind, pattern in _NAMED.items())}){_WHICH}\Z")
_IS_PERSON = re.compile(rf"(?:\A|_)(?:{_PERSON}|address(?:es)?)\Z")
_PART_OF_A_NAME = re.compile(r"(?:name|first|last|middle|given|family|initials)(?:_?\d{1,2})?\Z")
_VERSION = re.compile(r"(?:\A|_)(?:version|build|release|firmware)\Z")
_COUNTRY = re.compile(r"(?:\A|_)country(?:_?(?:code|name))?\Z")
_BETWEEN_WORDS = re.compile(r"[^0-9a-z]+")


class Name(NamedTuple):
    """What a field's name says.

    kind: of personal data that stands in it; None = none by its name. is_part: personal below a person. is_person: whose fields are
    those of a person. is_version: four numbers there are no IP address. is_country: no place of one person, also in an address.
    """

    kind: str | None = None
    is_part: bool = False
    is_person: bool = False
    is_version: bool = False
    is_country: bool = False


def named(name: str) -> Name:
    """What a name says, in whatever spelling."""
    words = spelling(name)
    personal = _KIND.search(words)
    return Name(
        kind=None if personal is None else personal.lastgroup,
        is_part=_PART_OF_A_NAME.match(words) is not None,
        is_person=_IS_PERSON.search(words) is not None,
        is_version=_VERSION.search(words) is not None,
        is_country=_COUNTRY.search(words) is not None,
    )


def spelling(name: str) -> str:
    """A name in snake_case, without accents and marks: `E-Mail` and `eMail` are `e_mail`."""
    if not name.isascii():
        marks = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
        name = "".join(one for one in marks if not unicodedata.combining(one))
    return _BETWEEN_WORDS.sub("_", snake_case(name)).strip("_")


def kind_of(text: str, *, is_version: bool = False) -> str | None:
    """The kind of personal data a text is or holds; None = none that has a look of its own."""
    if len(text) < _SHORTEST or text.isalpha():
        return None
    if text.isascii():
        if len(text) < _SHORTEST_BARE and text.isalnum():
            return None
    else:
        text = in_our_digits(unicodedata.normalize("NFKC", text))
    found = _found(text, is_version)
    if found is None and "%" in text:
        found = _found(unquote(unquote(text)), is_version)  # a link in a link
    return found


_SHORTEST = 5  # characters
_SHORTEST_BARE = 14  # of letters and digits alone, as most ids are: nothing shorter than a card's number has a look
_AROUND_AT = re.compile(r"[@%&(\[{<]")
_EMAIL = re.compile(
    r"[^\s@](?:@|%40|&#0*64;|&commat;)[^\s@]"
    r"|[^\s@]\s{0,2}(?:@|[\[({<]\s?(?:at|ät)\s?[\])}>])\s{0,2}[^\s@]{1,99}\s?(?:[.]|[\[({<]\s?(?:dot|punkt)\s?[\])}>])\s?[a-z]{2}",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"[0-9](?:[ ()./\u2010-\u2015-]{0,3}[0-9]){5}")
_DATE = r"(?!\d{1,2}[ ./-]\d{1,2}[ ./-]\d{2,4}(?!\d))"
_PHONE = re.compile(
    r"(?<![\w+])(?:\+|tel:\+?)\s?\(?\d(?:[ ().\u2010-\u2015/-]{0,3}\d){6,14}(?!\d)"  # abroad
    r"|(?<![\w)])\(\+?\d{2,5}\)[ /-]{0,2}\d(?:[ ./-]?\d){4,11}(?!\d)"
    rf"|(?<![\w.,/-]){_DATE}00?[1-9]\d{{0,4}}[ /-]\d(?:[ /-]?\d){{4,12}}(?![\w-])"  # at home, behind a trunk prefix
    r"|(?<![\w.,/-])(?:1[ .-])?[2-9]\d\d[ .-]\d{3}[ .-]\d{4}(?![\w-])"  # North America
    rf"|\A{_DATE}(?:[+(]\d[\d ()./-]{{5,29}}|0\d{{1,5}}[ /-][\d /-]{{4,20}})\Z",  # alone, as tokens.PERSONAL has it
    re.IGNORECASE,
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IP4 = re.compile(rf"(?<![\w.])(?<![A-Za-z]/)(?:{_OCTET}\.){{3}}{_OCTET}(?!\w|\.\d)")  # Chrome/126.0.0.0 is a version
_IP6 = re.compile(r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE)
_KEYS = (
    "eyJ",
    "_live_",
    "_test_",
    "glpat-",
    "AKIA",
    "AIza",
    "ya29.",
    "xox",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "shp",
    "PRIVATE KEY",
)
_WORD_BEFORE = re.compile(r"(?<=[a-zA-Z])[\s:=]")  # `Bearer x`, `token: x`, `password=x`
_SECRET = re.compile(
    r"\bbearer\s+(?=\S*[\d._-])\S{8,}|\bbasic\s+(?=\S*\d)[a-z0-9+/]{12,}=*"
    r"|\beyJ[\w-]{5,400}\.[\w-]{2,}|\b[spr]k_(?:live|test)_\w{8,}|\bgh[pousr]_\w{20,}|\bglpat-\S{15,}|\bxox[abeprs]-[\w-]{8,}"
    r"|\bAKIA[0-9A-Z]{12,}|\bAIza[\w-]{30,}|\bya29\.[\w-]{10,}|\bshp(?:at|ca|pa|ss)_[0-9a-f]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(?:password|passwd|pwd|secret|token|api[_-]?key)\s*[:=]\s*[^\s&]{4,}",
    re.IGNORECASE,
)
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){13,18}(?![\w-])")
# What begins the numbers of each issuer, and how long they are (ISO/IEC 7812 ranges as their owners publish them).
_ISSUER = re.compile(
    r"4(?:\d{15}|\d{18})|(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)\d*(?<=\A\d{16})|3[47]\d{13}|3(?:0[0-5]|[689])\d*(?<=\A\d{14})"
    r"|(?:6011|64[4-9]|65|62|35(?:2[89]|[3-8]))\d{12,17}|(?:50|5[6-9]|6[037])\d{14,17}"
)


def is_card(digits: str) -> bool:
    """Whether it is the number of a payment card: of an issuer's range and length, and with the right check digit (Luhn, ISO/IEC 7812-1 annex B)."""
    if not 14 <= len(digits) <= 19 or _ISSUER.fullmatch(digits) is None:
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(doubled)) % 10 == 0


def _is_ip6(text: str) -> bool:
    try:
        return text != "::" and bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _found(text: str, is_version: bool) -> str | None:
    """Before each pattern stands what is in every text it finds, and in few others: most texts are seen through at once."""
    if _AROUND_AT.search(text) and _EMAIL.search(text):
        return EMAIL
    if (any(map(text.__contains__, _KEYS)) or _WORD_BEFORE.search(text)) and _SECRET.search(text):
        return SECRET
    if _DIGITS.search(text):
        if any(is_card(number[0].replace(" ", "").replace("-", "")) for number in _CARD.finditer(text)):
            return CARD
        if _PHONE.search(text):
            return PHONE
    if not is_version and text.count(".") >= 3 and _IP4.search(text):
        return IP
    if text.count(":") >= 2 and any(_is_ip6(one[0]) for one in _IP6.finditer(text)):
        return IP
    return None
