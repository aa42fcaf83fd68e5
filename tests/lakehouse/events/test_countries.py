import phonenumbers
import pytest
from babel import Locale

from lakehouse.events.countries import region_of

NAMED = {
    "DE": ("DE", "de", " de ", "DEU", "276", "Germany", "GERMANY", "Deutschland", "Allemagne", "\u30c9\u30a4\u30c4"),
    "GB": ("GB", "UK", "U.K.", "GBR", "United Kingdom", "England", "Scotland", "Royaume-Uni"),
    "FR": ("FRA", "Frankreich"), "IT": ("Italia",),
    "US": ("USA", "U.S.A.", "United States", "Estados Unidos", "Vereinigte Staaten", "\u00c9tats-Unis", "etats-unis"),
    "AT": ("\u00d6sterreich", "osterreich".replace("o", "\u00f6", 1), "Austria"),
    "CZ": ("Czech Republic",), "NL": ("Nederland", "Netherlands", "Holland"), "ES": ("Espa\u00f1a",), "BR": ("Brasil",),
    None: ("", "XX", "ZZ", "Narnia", "EU", "Europe", "12", "Germany!"),
}  # fmt: skip


@pytest.mark.parametrize(("region", "country"), [(region, name) for region, names in NAMED.items() for name in names])
def test_a_country_is_known_by_its_codes_and_names(region: str | None, country: str) -> None:
    assert region_of(country) == region


def test_a_name_in_a_language_nobody_declared_is_that_of_its_own_region() -> None:
    """Against CLDR in further languages: what is known there at all is known as the same region."""
    for language in ("sv", "da", "cs", "hu", "fi", "ro", "tr", "ru", "ja"):
        territories = Locale(language).territories
        told = {
            region: region_of(territories[region]) for region in phonenumbers.SUPPORTED_REGIONS & territories.keys()
        }
        assert {region: found for region, found in told.items() if found not in (None, region)} == {}
        assert sum(found is not None for found in told.values()) > 100, language


def test_every_region_is_known_by_its_name_in_the_declared_languages() -> None:
    for language in ("en", "de", "fr", "es"):
        territories = Locale(language).territories
        assert {region_of(territories[region]) for region in phonenumbers.SUPPORTED_REGIONS & territories.keys()} == (
            phonenumbers.SUPPORTED_REGIONS & territories.keys()
        )
