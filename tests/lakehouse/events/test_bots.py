"""Programs and people by their user agents: the kept list, the shop's own pattern, what only fetches."""

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from lakehouse.events.bots import CRAWLER, FETCHER, UserAgents, is_bot

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0 Mobile Safari/537.36"
KINDS = {
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": CRAWLER,
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": CRAWLER,
    "Mozilla/5.0 (Linux; Android 8.0.0; CUBOT_P20) AppleWebKit/537.36 Chrome/70.0 Mobile Safari/537.36": None,
    "Mozilla/5.0 (Linux; Android 6.0.1; M BOT TAB 101 Build/MOB30R) AppleWebKit/537.36 Chrome/86.0 Safari/537.36": None,
    "curl/8.5.0": FETCHER,
    "python-requests/2.31": FETCHER,
    "okhttp/4.9.0": FETCHER,
    "Mozilla/5.0 Firefox/140": None,
    f"Mozilla/5.0 (Linux; U; Android 4.4.2; en-us; HTC_Butterfly_s Build/KOT49H) {_WEBKIT}": None,
    f"Mozilla/5.0 (Linux; Android 13; Sonic 5 (2023)) {_WEBKIT}": None,
    f"Mozilla/5.0 (Linux; Android 15; CPH2557 Build/AP3A.240617.008; wv) {_WEBKIT} Instagram 406.0.0.58.159 "
    "Android (35/15; 480dpi; 1080x2400; HTC; HTC Butterfly; en_MY; 822918295; IABMV/1) NV/1": None,
    f"Mozilla/5.0 (Linux; Android 16; Pixel 10 Build/CP1A.260305.018; wv) {_WEBKIT} MetaIAB Facebook": None,
    f"Mozilla/5.0 (Linux; Android 8.0; Pixel 2 Build/OPD3.170816.012; Storebot-Google/1.0) {_WEBKIT}": CRAWLER,
    f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) {_WEBKIT} (compatible; Googlebot/2.1)": CRAWLER,
    "WordPress/6.5; https://shop.example": FETCHER,
}


@pytest.mark.parametrize("agent", KINDS)
def test_a_user_agent_is_of_its_kind(agent: str) -> None:
    assert UserAgents("").kind(agent) == KINDS[agent]


def test_the_pattern_of_the_shop_may_begin_with_flags() -> None:
    agents = UserAgents("(?i)(uptime|probe)")
    assert [agents.kind(agent) for agent in ("Our UPTIME check", "Firefox", "curl/8.5.0")] == [CRAWLER, None, FETCHER]


def test_of_what_the_list_knows_by_its_own_examples_only_two_are_people() -> None:
    """The examples are of crawlers, as they were seen: what is left out of a user agent must hide none of them."""
    agents = UserAgents("")
    seen = [(one["pattern"], agent) for one in CRAWLER_USER_AGENTS_DATA for agent in one.get("instances", ())]
    assert {pattern for pattern, agent in seen if agents.kind(agent) is None} == {
        "MetaIAB Facebook",
        r"AP3A\.240617\.008",
    }


_APPS = (
    *("analytics-android", "analytics-ios", "analytics-swift", "analytics-kotlin", "@segment/analytics-react-native"),
    *("com.rudderstack.android.sdk.core", "rudder-ios-library", "RudderReactNative", "rudder_flutter", "cordova"),
)


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
        (FETCHER, None, "RudderLabs JavaScript SDK", False, True),
        *((FETCHER, None, app, False, False) for app in _APPS),
        (FETCHER, "mobile", None, False, False),
        (FETCHER, None, None, True, False),
        (None, None, None, False, False),
    ],
)
def test_who_only_fetches_is_a_bot_where_nothing_speaks_for_a_server_or_an_app(
    kind: str | None, channel: str | None, library: str | None, is_order: bool, expected: bool
) -> None:
    assert is_bot(kind, channel, library, is_order=is_order) is expected
