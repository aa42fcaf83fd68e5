"""Which region an address names by its country: an ISO 3166 code of two or three letters, its number, or a name in any language.

Names are those of the Java platform, which libphonenumber has, and of Unicode CLDR, which Babel has; codes are CLDR's.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import phonenumbers
from babel import Locale
from babel.core import get_global

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
    for region, names in _names_of_java().items():  # `*aa` stands for what is said in the language `aa`
        yield from ((name, region) for name in names.values() if not name.startswith("*"))


def _names_of_java() -> Mapping[str, Mapping[str, str]]:
    """Region -> language -> name. From the one file: its package is the places of all telephone numbers, a second and 90 MB."""
    spec = spec_from_file_location(
        "phonenumbers.geodata.locale", Path(phonenumbers.__file__).parent / "geodata" / "locale.py"
    )
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(module := module_from_spec(spec))
    names: Mapping[str, Mapping[str, str]] = module.LOCALE_DATA
    return names


def _folded(name: str) -> str:
    text = unicodedata.normalize("NFKD", name.strip().replace(".", "").casefold())
    return "".join(one for one in text if not unicodedata.combining(one))
