"""E-mail addresses in one form: every spelling that reaches one mailbox is one address. No network, no list of users.

Without the name before it (`Kim <kim@x.org>`), `mailto:` or `e-mail:`, what a list or a sentence leaves behind it and the escapes of a
URL, without white space and invisible characters, in Unicode form NFKC, in lower case, the domain in its letters (not in `xn--`). Then
what the mailbox's provider says it ignores, by domain:

gmail.com, googlemail.com    dots; from `+` on; both names are one (Google: "dots don't matter", task-specific addresses)
proton.me, protonmail, pm.me dots, dashes, underscores; from `+` on (Proton: one user name per spelling, +aliases)
outlook, hotmail, live, msn  from `+` on (Microsoft: plus addressing)
icloud.com, me.com, mac.com  from `+` on; names of one account, given to nobody else (Apple: about your iCloud addresses)
fastmail, zoho, yandex, mail.ru, hey, mailbox.org, posteo, runbox, mailfence   from `+` on (each: plus or sub-addressing)
yahoo, ymail, rocketmail     from `-` on: disposable addresses are <base name>-<keyword>, and no user name has a dash.
                             Not Yahoo Japan, another company

At any other domain from `+` on is dropped when identity.email_tags is `all`: most shops' customers with a domain of
their own have it at Google, Microsoft or behind Postfix, which all take `+` for a tag, and hardly any server gives two
people addresses that differ only there. Where one does, two logins still keep the two people apart (user_id is unique).

No address: no `@` or two, an empty local part, one with a blank in it (a form's `+`, or a name before it: `kim x@` is nobody's `kimx@`) or
masked (`k***@`, `k...@`), a domain without a dot, with an empty label or with a mark in it; a local part of more than 64 bytes, more than 254 in all (RFC 5321). Names before an address are read by the standard library (RFC 5322).
"""

import re
import unicodedata
from email.utils import getaddresses
from functools import lru_cache
from urllib.parse import unquote

import idna

ALL, KNOWN = "all", "known"  # identity.email_tags
_LONGEST_LOCAL, _LONGEST = 64, 254  # bytes

_MAILTO = re.compile(r"(?:mailto|e-?mail|mail)\s*:", re.IGNORECASE)
_BEFORE, _BEHIND = "<([{,;:\u201c\u201e", ".,;:?!>)]}\u201c\u201d"  # what lists and sentences leave at either end
_IDEOGRAPHIC_STOP = "\u3002"  # as a Japanese keyboard writes the dot of a domain (UTS 46)
_LINE_END = re.compile(r"(?:\\[nrt]|%0[ad]|%20)+\Z", re.IGNORECASE)  # as it is written in a text of one line
_INVISIBLE = r"[ \t\n\x0b\f\r\u0085\u00a0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]++"
_NOT_SEEN = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]++")
_SPLIT = re.compile(r"[^\s@.]\s+[^\s@.][^@]*@")
_MASKED = re.compile(r"[*\u2022][^@]*@|[.]{3,}@")
_LABEL = r"[^@.,;:?!()\[\]<>{}\"'%\\/]++"
_ADDRESS = rf"[^@]++@{_LABEL}(?:[.]{_LABEL})++"
_COUNTRY = r"[.](?:com|[a-z]{2}|com?[.][a-z]{2})"
_GMAIL = r"(?:gmail|googlemail)[.]com"
_PROTON = r"(?:proton[.]me|protonmail[.](?:com|ch)|pm[.]me)"
_YAHOO = rf"(?:yahoo(?![.]co[.]jp){_COUNTRY}|(?:ymail|rocketmail)[.]com)"
_TAGGED = (
    rf"(?:{_GMAIL}|{_PROTON}|(?:outlook|hotmail|live){_COUNTRY}|msn[.]com|(?:icloud|me|mac)[.]com|fastmail[.](?:com|fm)"
    rf"|zoho{_COUNTRY}|zohomail[.](?:com|eu|in)|yandex{_COUNTRY}|ya[.]ru|mail[.]ru|hey[.]com|mailbox[.]org"
    r"|posteo[.](?:de|net)|runbox[.]com|mailfence[.]com)"
)
_SAME_DOMAIN = (
    (r"(?<=@)googlemail[.]com\Z", "gmail.com"),
    (r"(?<=@)(?:me|mac)[.]com\Z", "icloud.com"),
)


@lru_cache(maxsize=100_000)
def normalise(value: str, tags: str = ALL) -> str | None:
    """One address in its one form; None when it is none. `tags`: ALL or KNOWN."""
    address = _bare(value)
    local, _, domain = address.partition("@")
    address = f"{local}@{_in_letters(domain)}"
    if len(address.encode(errors="replace")) > _LONGEST or len(local.encode(errors="replace")) > _LONGEST_LOCAL:
        return None
    for pattern, instead in _rules(tags):
        address = re.sub(pattern, instead, address)
    return address if re.fullmatch(_ADDRESS, address) else None


def mailbox(address: str) -> str:
    """What stands before the `@` of a normalised address, as it is compared with names of functions.

    `customercare` of `customer-care2@`, `info` of `info.de@`.
    """
    return re.sub(r"[._-][a-z]{2}\Z|[._-]|[0-9]+\Z", "", address.partition("@")[0])


def _bare(value: str) -> str:
    """The address alone, in lower case, of what was written around it; empty where nobody can tell whose it is."""
    text = _LINE_END.sub("", unicodedata.normalize("NFKC", value)).replace(_IDEOGRAPHIC_STOP, ".")
    if "@" not in text:
        text = unquote(text)
    if _MAILTO.match(text.strip()):
        text = unquote(_MAILTO.sub("", text.strip()).partition("?")[0])
    if "<" in text or "(" in text:
        named = _addresses(text)
        text = named[0][1] if len(named) == 1 and named[0][1] else text
    bare = re.sub(_INVISIBLE, "", text).lower()
    if _SPLIT.search(_NOT_SEEN.sub("", text)) or _MASKED.search(bare):
        return ""
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'`":
        bare = bare[1:-1]
    return bare.lstrip(_BEFORE).rstrip(_BEHIND)


def _addresses(text: str) -> list[tuple[str, str]]:
    try:
        return getaddresses([text])
    except (ValueError, IndexError):  # it is made for headers, not for what people type
        return []


def _in_letters(domain: str) -> str:
    """A domain as people write it; as it is where it is no internationalised one."""
    if "xn--" not in domain:
        return domain
    try:
        return idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        return domain


@lru_cache(maxsize=4)
def _rules(tags: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """(pattern, what stands in its place), in order. What is ignored goes in one pass."""
    tagged = "" if tags == ALL else rf"{_TAGGED}\Z"
    ignored = (
        rf"(?<=[^@])[+][^@]*+(?=@{tagged})",
        rf"(?<=[^@])-[^@]*+(?=@{_YAHOO}\Z)",
        rf"[.](?=[^@]*+@{_GMAIL}\Z)",
        rf"[._-](?=[^@]*+@{_PROTON}\Z)",
    )
    rules = (("|".join(ignored), ""), *_SAME_DOMAIN)
    return tuple((re.compile(pattern), instead) for pattern, instead in rules)
