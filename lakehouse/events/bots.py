"""Whether a user agent is a crawler's, by the kept list of crawler-user-agents (MIT).

A program that only fetches (curl, python-requests, okhttp) is no crawler by its name alone: it is what a shop's own server, or an
app, sends its customers' events with. It counts as one where nothing speaks for a server of the shop.
"""

import re
from functools import lru_cache

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

CRAWLER, FETCHER = "crawler", "fetcher"
_FETCHES = "http-library"
# Names of server libraries: analytics-python, @segment/analytics-node, rudder-sdk-ruby, ...; not analytics.js, not analytics-android.
_SERVER_LIBRARY = (
    r"(?i)(?:^|[^a-z])(?:python|node|ruby|php|java|go|golang|net|csharp|rust|elixir|server|http)(?:[^a-z]|$)"
)


class UserAgents:
    """Tells programs from people. `pattern`: programs of the shop's own, besides the list (events.bot_user_agents); empty = none."""

    def __init__(self, pattern: str) -> None:
        listed: dict[str, list[str]] = {CRAWLER: [], FETCHER: []}
        for entry in CRAWLER_USER_AGENTS_DATA:
            listed[FETCHER if _FETCHES in entry.get("tags", ()) else CRAWLER].append(f"(?:{entry['pattern']})")
        # The shop's own stands by itself: it may begin with flags.
        own = [(CRAWLER, re.compile(pattern))] if pattern else []
        self._patterns = [*own, *((kind, re.compile("|".join(patterns))) for kind, patterns in listed.items())]
        self.kind = lru_cache(maxsize=50_000)(self._kind)

    def _kind(self, user_agent: str) -> str | None:
        """CRAWLER, FETCHER, or None for a person's."""
        return next((kind for kind, pattern in self._patterns if pattern.search(user_agent)), None)


def is_bot(kind: str | None, channel: str | None, library: str | None, *, is_order: bool) -> bool:
    """Whether an event is a program's own doing. An order never is: somebody pays for it.

    `kind`: of `UserAgents.kind`. `channel`, `library`: channel and context.library.name as sent.
    """
    is_of_server = (channel or "").lower() == "server" or re.search(_SERVER_LIBRARY, library or "") is not None
    return not is_order and (kind == CRAWLER or (kind == FETCHER and not is_of_server))
