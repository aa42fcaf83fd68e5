"""Which region an address names by its country: an ISO 3166 code of two or three letters, its number, or a name in any language.

Names are those of the Java platform, which libphonenumber has, and of Unicode CLDR, which Babel has; codes are CLDR's.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache

import phonenumbers
from babel import Locale
from babel.core import get_global
from phonenumbers.geodata.locale import LOCALE_DATA

_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl")  # whose names are read from CLDR, too
_AS_SAID = {
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "holland": "NL",
    "the netherlands": "NL",
}


@lru_cache(maxsize=10_000)
def region_of(country: str) -> str | None:
    """A region with telephones; None where none is named. Case, accents and dots (`U.S.A.`) say nothing."""
    code = country.strip().replace(".", "").upper()
    return code if code in phonenumbers.SUPPORTED_REGIONS else _regions().get(_folded(country))


@cache
def _regions() -> Mapping[str, str]:
    """What stands for a region, folded -> the region; of two that one text may stand for the first in order."""
    regions: dict[str, str] = {}
    for name, region in _names():
        if region in phonenumbers.SUPPORTED_REGIONS:
            regions.setdefault(_folded(name), region)
    return regions


def _names() -> Iterator[tuple[str, str]]:
    """(name or code, region), those that are surest first."""
    yield from _AS_SAID.items()
    for alias, (region, *others) in get_global("territory_aliases").items():
        if not others:
            yield alias, region
    for language in _LANGUAGES:
        yield from ((name, region) for region, name in Locale(language).territories.items())
    for region, names in LOCALE_DATA.items():  # `*aa` stands for what is said in the language `aa`
        yield from ((name, region) for name in names.values() if not name.startswith("*"))


def _folded(name: str) -> str:
    text = unicodedata.normalize("NFKD", name.strip().replace(".", "").casefold())
    return "".join(one for one in text if not unicodedata.combining(one))
