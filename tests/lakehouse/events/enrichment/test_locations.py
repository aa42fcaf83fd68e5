"""Country and region of an address, from a database that is written here with MaxMind's own layout."""

from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from lakehouse.errors import StitchlakeError
from lakehouse.events.enrichment.locations import LocationReader

BERLIN = {
    "country": {"iso_code": "DE", "names": {"en": "Germany"}},
    "subdivisions": [{"iso_code": "BE"}],
    "city": {"names": {"en": "Berlin"}},
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LocationReader:
    path = tmp_path_factory.mktemp("ip") / "city.mmdb"
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="GeoLite2-City")
    for network, record in {
        "198.51.100.0/24": BERLIN,
        "203.0.113.0/24": {"country": {"iso_code": "SG"}},
        "192.0.2.0/24": {"registered_country": {"iso_code": "NO"}, "subdivisions": []},
        "192.0.3.0/24": {"country": "FR", "subdivisions": ["x"]},
        "2001:db8::/32": BERLIN,
    }.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return LocationReader(str(path))


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("198.51.100.7", ("DE", "DE-BE")),
        (" 198.51.100.7 ", ("DE", "DE-BE")),
        ("2001:db8::1", ("DE", "DE-BE")),
        ("203.0.113.9", ("SG", None)),
        ("192.0.2.1", ("NO", None)),
        ("192.0.3.1", None),
        ("10.0.0.1", None),
        ("198.51.100", None),
        ("", None),
        ("\x00", None),
    ],
)
def test_an_address_has_a_country_and_a_region_or_nothing(
    reader: LocationReader, ip: str, expected: tuple[str, str | None] | None
) -> None:
    assert reader.read(ip) == expected


def test_a_file_that_is_no_database_is_told_by_its_setting(tmp_path: Path) -> None:
    (tmp_path / "text.mmdb").write_text("not a database")
    for path in (tmp_path / "text.mmdb", tmp_path / "nowhere.mmdb"):
        with pytest.raises(
            StitchlakeError, match=r"enrichment\.ip_database: .*\.mmdb: cannot be read .* every machine"
        ):
            LocationReader(str(path))
