"""Country and region of an IP address, by a database file in MaxMind's format (GeoLite2, GeoIP2, DB-IP). Nothing finer, and the address is not kept.

Source of the layout: https://dev.maxmind.com/geoip/docs/databases/city-and-country/
"""

from functools import lru_cache
from typing import Any, NamedTuple

import maxminddb

from lakehouse.errors import StitchlakeError

_REMEMBERED = 100_000  # addresses; one visitor's come again and again


class Location(NamedTuple):
    """country: ISO 3166-1, as DE. region: ISO 3166-2, as DE-BE; None = the database does not tell."""

    country: str
    region: str | None


class LocationReader:
    """Thread-safe. The file is mapped into memory, so every worker of a machine shares it.

    Raises:
        StitchlakeError: it cannot be read.
    """

    def __init__(self, path: str) -> None:
        try:
            self._database = maxminddb.open_database(path)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise StitchlakeError(
                f"enrichment.ip_database: {path}: cannot be read ({type(error).__name__}), expected a file in MaxMind's format (.mmdb) on every "
                "machine that runs Spark. Put it there, or set enrichment.ip_database to nothing"
            ) from error
        self.read = lru_cache(maxsize=_REMEMBERED)(self._location)

    def _location(self, ip: str) -> Location | None:
        """None = no address, or the database does not know it."""
        try:
            record: Any = self._database.get(ip.strip())
        except (TypeError, ValueError):  # the former of a text with a zero byte
            return None
        country = _code(record, "country") or _code(record, "registered_country")
        if country is None:
            return None
        parts = record.get("subdivisions")
        region = _code({"first": parts[0]}, "first") if isinstance(parts, list) and parts else None
        return Location(country, None if region is None else f"{country}-{region}")


def _code(record: Any, name: str) -> str | None:
    held = record.get(name) if isinstance(record, dict) else None
    code = held.get("iso_code") if isinstance(held, dict) else None
    return code if isinstance(code, str) and code else None
