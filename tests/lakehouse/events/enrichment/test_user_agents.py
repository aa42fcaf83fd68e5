"""What a user agent says of the device."""

import pytest

from lakehouse.events.enrichment.user_agents import agent

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", ("desktop", "Windows", "Chrome")),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36", ("desktop", "Chrome OS", "Chrome")),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", ("desktop", "Linux", "Firefox")),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
            ("desktop", "Mac OS X", "Safari"),
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
            "Mobile/15E148 Safari/604.1",
            ("mobile", "iOS", "Mobile Safari"),
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 "
            "Safari/604.1",
            ("tablet", "iOS", "Mobile Safari"),
        ),
        (f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {CHROME} Mobile Safari/537.36", ("mobile", "Android", "Chrome Mobile")),
        (f"Mozilla/5.0 (Linux; Android 13; SM-T870) {CHROME} Safari/537.36", ("tablet", "Android", "Chrome")),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 76.0.3809.146/6.0 TV Safari/537.36", ("tv", "Tizen", "Safari")),
        ("Mozilla/5.0 (PlayStation 5/SmartTV) AppleWebKit/605.1.15", ("console", None, "Apple Mail")),
        ("Dalvik/2.1.0 (Linux; U; Android 15; Pixel 8 Build/AP3A)", ("mobile", "Android", "Android")),
        ("x" * 100_000, ("other", None, None)),
    ],
)  # fmt: skip
def test_device_class_system_and_browser(user_agent: str, expected: tuple[str | None, ...]) -> None:
    assert agent(user_agent) == expected


def test_what_an_app_says_of_its_system_counts_where_the_agent_does_not_tell() -> None:
    assert agent("okhttp/4.9", "Android") == ("mobile", "Android", "okhttp")
    assert agent(None, "iOS") == ("mobile", "iOS", None)
    assert agent("Mozilla/5.0 (Windows NT 10.0) Firefox/143.0", "iOS") == ("desktop", "Windows", "Firefox")


def test_nothing_sent_is_nothing_told() -> None:
    assert agent(None) is None
    assert agent("", "") is None
