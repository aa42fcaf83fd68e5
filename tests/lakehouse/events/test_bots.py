"""Programs and people by their user agents: the kept list, the shop's own pattern, what only fetches."""

import pytest

from lakehouse.events.bots import CRAWLER, FETCHER, UserAgents, is_bot

KINDS = {
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": CRAWLER,
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": CRAWLER,
    "Mozilla/5.0 (Linux; Android 8.0.0; CUBOT_P20) AppleWebKit/537.36 Chrome/70.0 Mobile Safari/537.36": None,
    "Mozilla/5.0 (Linux; Android 6.0.1; M BOT TAB 101 Build/MOB30R) AppleWebKit/537.36 Chrome/86.0 Safari/537.36": None,
    "curl/8.5.0": FETCHER,
    "python-requests/2.31": FETCHER,
    "okhttp/4.9.0": FETCHER,
    "Mozilla/5.0 Firefox/140": None,
}


@pytest.mark.parametrize("agent", KINDS)
def test_a_user_agent_is_of_its_kind(agent: str) -> None:
    assert UserAgents("").kind(agent) == KINDS[agent]


def test_the_pattern_of_the_shop_may_begin_with_flags() -> None:
    agents = UserAgents("(?i)(uptime|probe)")
    assert [agents.kind(agent) for agent in ("Our UPTIME check", "Firefox", "curl/8.5.0")] == [CRAWLER, None, FETCHER]


@pytest.mark.parametrize(
    ("kind", "channel", "library", "is_order", "expected"),
    [
        (CRAWLER, "web", "analytics.js", False, True),
        (CRAWLER, "web", "analytics.js", True, False),
        (FETCHER, None, None, False, True),
        (FETCHER, "server", None, False, False),
        (FETCHER, None, "analytics-python", False, False),
        (FETCHER, None, "@segment/analytics-node", False, False),
        (FETCHER, None, "analytics.js", False, True),
        (FETCHER, None, None, True, False),
        (None, None, None, False, False),
    ],
)
def test_who_only_fetches_is_a_bot_where_nothing_speaks_for_a_server(
    kind: str | None, channel: str | None, library: str | None, is_order: bool, expected: bool
) -> None:
    assert is_bot(kind, channel, library, is_order=is_order) is expected
