"""Whether a user agent is a crawler's, by the kept list of crawler-user-agents (MIT).

A program that only fetches (curl, python-requests, okhttp) is no crawler by its name alone: it is what a shop's own server, or an
app, sends its customers' events with. It counts as one where nothing speaks for a server or an app of the shop.

A crawler says its name; what a telephone is called and which system it was built with are no names of crawlers (CUBOT, HTC Butterfly;
AP3A.240617.008, the build of Android 15, stands in the list as a scraper: crawler-user-agents, issue 466).
"""

import re
from functools import lru_cache

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

CRAWLER, FETCHER = "crawler", "fetcher"
_FETCHES = "http-library"
_PEOPLE = frozenset({"MetaIAB Facebook"})  # listed, and the browser inside Facebook's app: a page somebody reads there
_OF_A_SERVER = frozenset({r"WordPress\/"})  # listed as a crawler, and what a shop in WordPress sends with
# Of an Android device: its language, its model, its build; all of it, as Instagram's app adds it.
_DEVICE = re.compile(r"Android \([^)]*+\)|(Android[^;)]*+)(?:; ?[a-z]{2}[-_][A-Za-z]{2}(?=;))?; ?[^;)]*+")
# Names of libraries of servers and apps: analytics-python, @segment/analytics-node, rudder-sdk-ruby, analytics-android; not analytics.js.
_NO_PAGE = re.compile(
    r"(?:^|[^a-z])(?:python|node|ruby|php|java|go|golang|net|csharp|rust|elixir|server|http"
    r"|android|kotlin|ios|swift|flutter|dart|unity|xamarin|cordova|capacitor|react[ _-]?native|mobile)(?:[^a-z]|$)"
    r"|reactnative",
    re.IGNORECASE,
)
_NO_PAGES = ("server", "mobile")


class UserAgents:
    """Tells programs from people. `pattern`: programs of the shop's own, besides the list (events.bot_user_agents); empty = none."""

    def __init__(self, pattern: str) -> None:
        listed: dict[str, list[str]] = {CRAWLER: [], FETCHER: []}
        for entry in CRAWLER_USER_AGENTS_DATA:
            listed_pattern, tags = entry["pattern"], entry.get("tags", ())
            if listed_pattern not in _PEOPLE:
                is_fetcher = _FETCHES in tags or listed_pattern in _OF_A_SERVER
                listed[FETCHER if is_fetcher else CRAWLER].append(f"(?:{listed_pattern})")
        self._listed = [(kind, re.compile("|".join(patterns))) for kind, patterns in listed.items()]
        self._own = re.compile(pattern) if pattern else None  # by itself: it may begin with flags
        self.kind = lru_cache(maxsize=50_000)(self._kind)

    def _kind(self, user_agent: str) -> str | None:
        """CRAWLER, FETCHER, or None for a person's."""
        if self._own is not None and self._own.search(user_agent):
            return CRAWLER
        named = _DEVICE.sub(r"\1", user_agent)
        return next((kind for kind, pattern in self._listed if pattern.search(named)), None)


def is_bot(kind: str | None, channel: str | None, library: str | None, *, is_order: bool) -> bool:
    """Whether an event is a program's own doing. What is said of an order never is: somebody pays for it.

    `kind`: of `UserAgents.kind`. `channel`, `library`: channel and context.library.name as sent.
    """
    is_of_shop = (channel or "").lower() in _NO_PAGES or _NO_PAGE.search(library or "") is not None
    return not is_order and (kind == CRAWLER or (kind == FETCHER and not is_of_shop))
