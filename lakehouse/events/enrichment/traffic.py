"""Where a visitor came from: campaign tags, a click's mark, or the site before, as channel, source, medium and campaign.

What the sender says (`context.campaign`) counts before `utm_*` of the page's address, both before the mark of a click, all before the referrer.
What stands in parentheses is Google's word for nothing, as (direct), (not set) or (organic) in its export.
A page of the shop's own that leads to another is no arrival: the referrer's domain is the page's, or is in enrichment.own_domains.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

from tldextract import TLDExtract

from lakehouse.config import Config
from lakehouse.events.document import object_at, text_of
from lakehouse.events.enrichment import channels
from lakehouse.events.enrichment.click_ids import click
from lakehouse.events.enrichment.traffic_sources import EMAIL, PAID, SEARCH, SOCIAL, Site, traffic_sources
from lakehouse.events.personal_data import OWN, kind_of, spelling
from lakehouse.events.tokens import token

_REMEMBERED = 100_000  # visits of one page from another
_LONGEST = 2_000  # characters of an address that are looked at
_MOST_PARAMETERS = 100
_MEDIUMS = {SEARCH: "organic", SOCIAL: "social", EMAIL: "email", PAID: "paid"}
_FOUND = ("organic", "referral")  # tags of analytics tools for a visitor whom no link of the shop's brought
_UNTOLD = (None, None, None)

_domain_of = TLDExtract(suffix_list_urls=(), cache_dir=None)  # by the list that it brings: nothing is downloaded


_TAGS = ("utm_source", "utm_medium", "utm_campaign")


class Traffic(NamedTuple):
    """How somebody came. source, medium, campaign: None = not told. click_id: the name of the parameter that marked the click, never its value.

    is_campaign: somebody tagged the link, or paid for the click; not so when only the referrer tells, or a tag repeats what it told.
    """

    channel: str
    source: str | None
    medium: str | None
    campaign: str | None
    click_id: str | None
    is_campaign: bool


DIRECT = Traffic(channels.DIRECT, "(direct)", "(none)", None, None, False)


class TrafficReader:
    """Reads it by one configuration. Thread-safe."""

    def __init__(self, config: Config) -> None:
        self._privacy = config.privacy
        personal = {spelling(name) for name in config.privacy.personal_fields}
        self._personal = frozenset(name for name in _TAGS if name in personal)
        self._own = tuple(f".{domain.lower()}" for domain in config.enrichment.own_domains)
        self._sources = traffic_sources()
        self._read = lru_cache(maxsize=_REMEMBERED)(self._traffic)

    def read(self, context: Mapping[str, Any], properties: Mapping[str, Any]) -> Traffic | None:
        """None = the event tells of no arrival: no tag, and no referrer but the shop's own pages."""
        page, campaign = object_at(context, "page"), object_at(context, "campaign")
        url = page.get("url") or properties.get("url")
        referrer = page.get("referrer") or properties.get("referrer")
        if url is None and referrer is None and not campaign:
            return None
        told = tuple(text_of(campaign.get(name)) for name in ("source", "medium", "name")) if campaign else _UNTOLD
        return self._read(text_of(url), text_of(page.get("search")), text_of(referrer), told)

    def _traffic(
        self, url: str | None, search: str | None, referrer: str | None, told: tuple[str | None, ...]
    ) -> Traffic | None:
        page = _split(url)
        parameters = _parameters((page.query if page is not None else "") or (search or "").lstrip("?"))
        source, medium, campaign = (
            self._shown(name, said) or self._shown(name, parameters.get(name))
            for said, name in zip(told, _TAGS, strict=True)
        )
        clicked, before = click(parameters), self._site_before(page, _split(referrer))
        is_tagged = bool(source or medium or campaign)
        if not is_tagged and clicked is None and before is None:
            return None
        if clicked is not None:
            source, medium = source or clicked.source, medium or clicked.medium
        elif before is not None and source is None:
            source, medium = before.name, medium or _MEDIUMS.get(before.kind or "", "referral")
        kind = None if source is None else self._sources.kind(source)
        return Traffic(
            channel=channels.channel(source, medium, campaign, kind),
            source=source,
            medium=medium,
            campaign=campaign,
            click_id=None if clicked is None else clicked.name,
            is_campaign=campaign is not None
            or (is_tagged and medium not in _FOUND)
            or (clicked is not None and clicked.is_campaign),
        )

    def _site_before(self, page: SplitResult | None, referrer: SplitResult | None) -> Site | None:
        """The site that led here; None = none, or the shop itself. Of a page without a host only a site that is known is another's."""
        host = _host(referrer)
        if referrer is None or host is None:
            return None
        here = _host(page)
        if f".{host}".endswith(self._own) or (here is not None and _domain(host) == _domain(here)):
            return None
        site = self._sources.at(host, referrer.path)
        if site is not None and site.kind is not None:
            return site
        return None if here is None else Site(host.removeprefix("www."), None)

    def _shown(self, name: str, text: str | None) -> str | None:
        """A tag as it was written; a token where it or its name is personal, None where nothing is told."""
        stripped = (text or "").strip()
        if not stripped or (stripped.startswith("(") and stripped.endswith(")")):
            return None
        kind = OWN if name in self._personal else kind_of(stripped)
        return stripped if kind is None else token(self._privacy, kind, stripped)


def _split(url: str | None) -> SplitResult | None:
    try:
        return None if not url else urlsplit(url[:_LONGEST])
    except ValueError:  # [ in a host
        return None


def _host(url: SplitResult | None) -> str | None:
    try:
        return None if url is None else (url.hostname or "").rstrip(".") or None
    except ValueError:
        return None


def _parameters(query: str) -> dict[str, str]:
    """Name, in lower case -> what it first says."""
    if not query:
        return {}
    pairs = "&".join(query.split("&", _MOST_PARAMETERS)[:_MOST_PARAMETERS])
    return {name.lower(): value for name, value in reversed(parse_qsl(pairs))}


@lru_cache(maxsize=_REMEMBERED)
def _domain(host: str) -> str:
    """shop.example.co.uk -> example.co.uk; a host that has none, such as localhost, is its own."""
    return _domain_of(host).top_domain_under_public_suffix or host.lower()
