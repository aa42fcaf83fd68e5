"""E-mail addresses in one form: every spelling that reaches one mailbox is one address. No network, no list of users.

Without white space and invisible characters, in lower case (an internationalised domain, too), without a dot at the
end. Then what the mailbox's provider says it ignores, by domain:

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

No address: no `@` or two, an empty local part, a domain without a dot or with an empty label; a local part of more than
64 bytes, more than 254 in all (RFC 5321). The same regular expressions are read by Python and by Java.
"""

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events.binding import bound

ALL, KNOWN = "all", "known"  # identity.email_tags
_LONGEST_LOCAL, _LONGEST = 64, 254  # bytes

_INVISIBLE = r"[ \t\n\x0b\f\r\u0085\u00a0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]++"
_ADDRESS = r"[^@]++@[^@.]++(?:[.][^@.]++)++"
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


def normalise(value: str, tags: str = ALL) -> str | None:
    """One address in its one form; None when it is none. `tags`: ALL or KNOWN."""
    address = re.sub(_INVISIBLE, "", value).lower().rstrip(".")
    if len(address.encode()) > _LONGEST or len(address.partition("@")[0].encode()) > _LONGEST_LOCAL:
        return None
    for pattern, instead in _rules(tags):
        address = re.sub(pattern, instead, address)
    return address if re.fullmatch(_ADDRESS, address) else None


def normalised(value: Column, tags: str = ALL) -> Column:
    """The same as a column; null when it is no address."""
    bare = F.rtrim(F.lower(F.regexp_replace(value, _INVISIBLE, "")), F.lit("."))
    return bound(bare, lambda found: bound(_one_form(found, tags), _if_address))


def _one_form(bare: Column, tags: str) -> Column:
    fits = (F.octet_length(bare) <= _LONGEST) & (F.octet_length(F.substring_index(bare, "@", 1)) <= _LONGEST_LOCAL)
    address = F.when(fits, bare)
    for pattern, instead in _rules(tags):
        address = F.regexp_replace(address, _java(pattern), instead)
    return address


def _if_address(text: Column) -> Column:
    return F.when(text.rlike(_java(rf"\A{_ADDRESS}\Z")), text)


def _java(pattern: str) -> str:
    return pattern.replace(r"\Z", r"\z")


def _rules(tags: str) -> tuple[tuple[str, str], ...]:
    """(pattern, what stands in its place), in order. What is ignored goes in one pass."""
    tagged = "" if tags == ALL else rf"{_TAGGED}\Z"
    ignored = (
        rf"(?<=[^@])[+][^@]*+(?=@{tagged})",
        rf"(?<=[^@])-[^@]*+(?=@{_YAHOO}\Z)",
        rf"[.](?=[^@]*+@{_GMAIL}\Z)",
        rf"[._-](?=[^@]*+@{_PROTON}\Z)",
    )
    return (("|".join(ignored), ""), *_SAME_DOMAIN)
