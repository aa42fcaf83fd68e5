"""Values as advertisers' platforms compare them, hashed by SHA-256 without a key, as all of them demand: hex, in lower case.

Each rule is its vendor's; where two have one of a name that differs, there are two functions. None in, None out; what has no value left is None.

Meta    https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences (Hashing and Normalization)
Google  https://developers.google.com/data-manager/api/devguides/concepts/formatting, and of names AddressInfo of
        https://developers.google.com/data-manager/api/reference/rest/v1/UserData
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping

from lakehouse.events import countries

_BLANKS = re.compile(r"\s+")
_NO_DIGIT = re.compile(r"[^0-9]")
_GMAIL = ("gmail.com", "googlemail.com")
# ANSI INCITS 38, by the names without blanks.
_AMERICAN_STATES: Mapping[str, str] = {
    "alabama": "al", "alaska": "ak", "arizona": "az", "arkansas": "ar", "california": "ca", "colorado": "co", "connecticut": "ct",
    "delaware": "de", "districtofcolumbia": "dc", "florida": "fl", "georgia": "ga", "hawaii": "hi", "idaho": "id", "illinois": "il",
    "indiana": "in", "iowa": "ia", "kansas": "ks", "kentucky": "ky", "louisiana": "la", "maine": "me", "maryland": "md",
    "massachusetts": "ma", "michigan": "mi", "minnesota": "mn", "mississippi": "ms", "missouri": "mo", "montana": "mt", "nebraska": "ne",
    "nevada": "nv", "newhampshire": "nh", "newjersey": "nj", "newmexico": "nm", "newyork": "ny", "northcarolina": "nc", "northdakota": "nd",
    "ohio": "oh", "oklahoma": "ok", "oregon": "or", "pennsylvania": "pa", "rhodeisland": "ri", "southcarolina": "sc", "southdakota": "sd",
    "tennessee": "tn", "texas": "tx", "utah": "ut", "vermont": "vt", "virginia": "va", "washington": "wa", "westvirginia": "wv",
    "wisconsin": "wi", "wyoming": "wy", "puertorico": "pr",
}  # fmt: skip


def sha256(value: str | None) -> str | None:
    """Of the text in UTF-8."""
    return hashlib.sha256(value.encode()).hexdigest() if value else None


def meta_email(value: str | None) -> str | None:
    """Trimmed, lower case.

    >>> meta_email(" John_Smith@Gmail.com ")
    'john_smith@gmail.com'
    """
    return None if value is None else value.strip().lower() or None


def meta_phone(value: str | None) -> str | None:
    """Digits alone, the country code first, no zeros before it. A number that names no country is somebody else's in another.

    >>> [meta_phone(number) for number in ("+1 (650) 555-1212", "0044 844 412 4653", "(650) 555-1212")]
    ['16505551212', '448444124653', None]
    """
    return _international(value)


def meta_name(value: str | None) -> str | None:
    """Lower case, without punctuation; letters of any alphabet. Of towns and states, too, without blanks.

    >>> [meta_name(name) for name in (" Mary ", "O'Brien", "정", "San Francisco")]
    ['mary', 'obrien', '정', 'sanfrancisco']
    """
    if value is None:
        return None
    return "".join(letter for letter in value.strip().lower() if unicodedata.category(letter)[0] in "LMN") or None


def meta_state(value: str | None, country: str | None) -> str | None:
    """Of the USA, also where no country is told, the code of two letters; elsewhere as a name, without blanks.

    >>> [meta_state("California", "United States"), meta_state("N. Dakota", "US"), meta_state("CA", None), meta_state("Nova Scotia", "CA")]
    ['ca', 'ndakota', 'ca', 'novascotia']
    """
    name = meta_name(value)
    is_american = country is None or region(country) == "US"
    return _AMERICAN_STATES.get(name, name) if name is not None and is_american else name


def meta_zip(value: str | None, country: str | None) -> str | None:
    """Lower case, without blanks and dashes; in the USA the first five digits.

    >>> [meta_zip("94035-1234", "United States"), meta_zip("M1 1AE", "GB")]
    ['94035', 'm11ae']
    """
    if value is None:
        return None
    whole = value.strip().lower()
    short = whole.split("-")[0][:5] if region(country) == "US" else whole
    return _BLANKS.sub("", short).replace("-", "") or None


def google_email(value: str | None) -> str | None:
    """Without blanks anywhere, lower case; at Gmail dots before the @ do not count, nor what follows a plus.

    >>> [google_email(" Al.Ex+Shop @Gmail.com"), google_email("al.ex+Shop@example.com")]
    ['alex@gmail.com', 'al.ex+shop@example.com']
    """
    if value is None:
        return None
    user, at, domain = _BLANKS.sub("", value).lower().rpartition("@")
    return (
        f"{user.partition('+')[0].replace('.', '')}@{domain}" if domain in _GMAIL else f"{user}{at}{domain}"
    ) or None


def google_phone(value: str | None) -> str | None:
    """`+`, the country code and the number, digits alone. None of a number that names no country.

    >>> [google_phone(number) for number in ("+1 (800) 555-0100", "(800) 555-0100")]
    ['+18005550100', None]
    """
    digits = _international(value)
    return f"+{digits}" if digits else None


def region(country: str | None) -> str | None:
    """The ISO 3166 code of two letters, in capitals, of a country by any name or code; None = of no country that is known.

    >>> [region(country) for country in ("us", "Österreich", "GBR", "UK", "Neverland", None)]
    ['US', 'AT', 'GB', 'GB', None, None]
    """
    return None if country is None else countries.region_of(country)


def _international(value: str | None) -> str | None:
    """The digits behind `+` or 00."""
    number = "" if value is None else value.strip()
    return _NO_DIGIT.sub("", number).lstrip("0") or None if number.startswith(("+", "00")) else None


def google_name(value: str | None) -> str | None:
    """Trimmed, lower case, without punctuation; blanks within stay.

    >>> [google_name(name) for name in (" John ", "O'Brien", "Anna Maria", "Jean-Luc")]
    ['john', 'obrien', 'anna maria', 'jeanluc']
    """
    if value is None:
        return None
    kept = (letter for letter in value.lower() if unicodedata.category(letter)[0] not in "PS")
    return "".join(kept).strip() or None
