"""Which sites send visitors, in Snowplow's data and ours."""

from collections.abc import Iterator

import pytest

from lakehouse.errors import StitchlakeError
from lakehouse.events.enrichment import traffic_sources as module
from lakehouse.events.enrichment.traffic_sources import SEARCH, SHOPPING, SOCIAL, VIDEO, Site, traffic_sources


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("www.google.com", "/", Site("google", "search")),
        ("google.co.uk", "/search", Site("google", "search")),
        ("support.google.com", "", Site("google", None)),
        ("mail.google.com", "", Site("gmail", "email")),
        ("com.google.android.gm", "", Site("gmail", "email")),
        ("l.facebook.com", "", Site("facebook", "social")),
        ("de-de.facebook.com", "", Site("facebook", "social")),
        ("m.youtube.com", "", Site("youtube", "video")),
        ("www.amazon.com", "", Site("amazon", "shopping")),
        ("smile.amazon.de", "", Site("amazon", "shopping")),
        ("amazon.example.org", "", None),
        ("blog.example", "", None),
        ("", "", None),
        ("com", "", None),
    ],
)
def test_the_longest_host_that_is_known_wins(host: str, path: str, expected: Site | None) -> None:
    assert traffic_sources().at(host, path) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        *(("Google", SEARCH), ("google_ads", SEARCH), ("Yahoo", SEARCH), ("bing", SEARCH), ("duckduckgo.com", SEARCH)),
        *(
            ("FB", SOCIAL),
            ("Facebook", SOCIAL),
            ("lm.facebook.com", SOCIAL),
            ("ig", SOCIAL),
            ("t.co", SOCIAL),
            ("x", SOCIAL),
        ),
        *(("YouTube", VIDEO), ("yt", VIDEO), ("ebay", SHOPPING), ("amazon.fr", SHOPPING)),
        *(("newsletter", None), ("shop.example", None), ("", None), ("...", None)),
    ],
)
def test_a_source_is_of_a_kind_by_name_and_by_host(source: str, expected: str | None) -> None:
    assert traffic_sources().kind(source) == expected


@pytest.fixture
def without_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    traffic_sources.cache_clear()
    yield
    traffic_sources.cache_clear()


@pytest.mark.usefixtures("without_data")
def test_missing_data_is_told_with_what_to_do() -> None:
    with pytest.raises(StitchlakeError, match=r"requirements\.txt.*enrichment\.traffic = false"):
        traffic_sources()
