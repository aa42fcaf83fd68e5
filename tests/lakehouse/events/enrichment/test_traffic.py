"""Where a visitor came from, by what the page, its address and the site before say."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.config import load
from lakehouse.events.enrichment.event_enrichment import Enrichment
from lakehouse.events.enrichment.traffic import Traffic, TrafficReader
from lakehouse.events.personal_data import OWN
from lakehouse.events.sender import Sender
from lakehouse.events.tokens import token

CONFIG = load("dev", environ={})
READER = TrafficReader(
    dataclasses.replace(CONFIG, enrichment=dataclasses.replace(CONFIG.enrichment, own_domains=("pay.example",)))
)
SHOP = "https://www.shop.co.uk/shoes"
GOOGLE = Traffic("Organic Search", "google", "organic", None, None, False)


def came(url: Any = SHOP, referrer: Any = None, **campaign: Any) -> Traffic | None:
    context = {"page": {"url": url, "referrer": referrer}} | ({"campaign": campaign} if campaign else {})
    return READER.read(context, {})


@pytest.mark.parametrize(
    ("url", "referrer", "expected"),
    [
        (SHOP, None, None),
        (SHOP, "", None),
        (SHOP, "https://www.google.com/", GOOGLE),
        (SHOP, "android-app://com.google.android.googlequicksearchbox/", GOOGLE),
        (SHOP, "https://m.facebook.com/", Traffic("Organic Social", "facebook", "social", None, None, False)),
        (SHOP, "https://mail.google.com/mail", Traffic("Email", "gmail", "email", None, None, False)),
        (SHOP, "https://www.blog.example/post?x=1", Traffic("Referral", "blog.example", "referral", None, None, False)),
        (SHOP, "https://support.google.com/x", Traffic("Referral", "support.google.com", "referral", None, None, False)),
        (SHOP, "https://checkout.shop.co.uk/", None),
        (SHOP, "https://other.co.uk/", Traffic("Referral", "other.co.uk", "referral", None, None, False)),
        (SHOP, "https://secure.pay.example/3ds", None),
        ("http://localhost:3000/", "http://localhost:3000/x", None),
        ("/shoes", "https://www.shop.co.uk/", None),
        ("/shoes", "https://www.google.com/", GOOGLE),
        (f"{SHOP}?utm_source=crm&utm_medium=email&utm_campaign=May", None, Traffic("Email", "crm", "email", "May", None, True)),
        (f"{SHOP}?UTM_Source=a%20b&utm_source=c", None, Traffic("Unassigned", "a b", None, None, None, True)),
        (f"{SHOP}?gclid=abc", "https://www.google.com/", Traffic("Paid Search", "google", "cpc", None, "gclid", True)),
        (f"{SHOP}?msclkid=1", None, Traffic("Paid Search", "bing", "cpc", None, "msclkid", True)),
        (f"{SHOP}?ttclid=1", None, Traffic("Paid Social", "tiktok", "cpc", None, "ttclid", True)),
        (f"{SHOP}?fbclid=1", None, Traffic("Organic Social", "facebook", "social", None, "fbclid", False)),
        (f"{SHOP}?dclid=1", None, Traffic("Display", "google", "display", None, "dclid", True)),
        (f"{SHOP}?utm_campaign=may&fbclid=1", None, Traffic("Organic Social", "facebook", "social", "may", "fbclid", True)),
        (f"{SHOP}?utm_source=fb&utm_medium=cpc&fbclid=1", None, Traffic("Paid Social", "fb", "cpc", None, "fbclid", True)),
        (f"{SHOP}?utm_medium=cpc", "https://www.bing.com/", Traffic("Paid Search", "bing", "cpc", None, None, True)),
        (f"{SHOP}?utm_source=&utm_medium=", None, None),
        (f"{SHOP}?ref=nav#utm_source=x", None, None),
        ("https://[broken", "https://[broken", None),
        (7, ["x"], None),
    ],
)  # fmt: skip
def test_tags_then_clicks_then_the_site_before(url: Any, referrer: Any, expected: Traffic | None) -> None:
    assert came(url, referrer) == expected


def test_what_the_sender_says_counts_before_the_address() -> None:
    told = came(f"{SHOP}?utm_source=a&utm_medium=b&utm_campaign=c", source="news", name="May", medium=None)
    assert told == Traffic("Unassigned", "news", "b", "May", None, True)


def test_what_google_writes_for_nothing_is_nothing_and_what_it_found_out_is_no_campaign() -> None:
    assert came(source="(direct)", medium="(none)", name="(not set)") is None
    assert came(source="google", medium="organic", name="(organic)") == GOOGLE
    assert came(source="blog.example", medium="referral", name="(referral)") == came(SHOP, "https://blog.example/")
    named = came(source="partner", medium="referral", name="May")
    assert named is not None
    assert named.is_campaign


def test_the_query_may_be_sent_beside_the_address() -> None:
    assert READER.read({"page": {"url": SHOP, "search": "?gclid=1"}}, {}) == came(f"{SHOP}?gclid=1")
    assert READER.read({}, {"url": f"{SHOP}?gclid=1"}) == came(f"{SHOP}?gclid=1")


def test_a_tag_that_is_personal_becomes_a_token_and_a_click_is_never_shown() -> None:
    told = came(f"{SHOP}?utm_source=ann%40mail.com&gclid=secret-of-ann")
    assert told is not None
    assert told.source is not None
    assert told.source.startswith("dev:")
    assert "mail.com" not in str(told)
    assert "secret" not in str(told)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_no_text_makes_it_fail(url: str, referrer: str, name: str) -> None:
    came(url, f"https://{referrer}", name=name)
    came(f"https://{url}?utm_source={name}&{referrer}", referrer)


def test_each_part_can_be_off() -> None:
    off = dataclasses.replace(CONFIG.enrichment, user_agents=False, traffic=False, sessions=False)
    agents = ["Mozilla/5.0 (Windows NT 10.0) Firefox/143.0"]
    senders = [Sender([("anonymous_id", "a")], "actor", (None, "a", None), [])]
    said = ([{"page": {"url": f"{SHOP}?gclid=1"}}], [{}], senders, agents, [True])
    nothing = Enrichment(dataclasses.replace(CONFIG, enrichment=off)).read(*said)
    assert tuple(nothing) == ([None],) * 4
    on = Enrichment(CONFIG).read(*said)
    assert (on.visitor_id, on.traffic, on.agent) == (
        ["a"],
        [came(f"{SHOP}?gclid=1")],
        [("desktop", "Windows", "Firefox")],
    )


def test_a_tag_that_the_owner_calls_personal_is_a_token_here_too() -> None:
    config = dataclasses.replace(CONFIG, privacy=dataclasses.replace(CONFIG.privacy, personal_fields=("UTM-Campaign",)))
    page = {"page": {"url": f"{SHOP}?utm_source=crm&utm_campaign=winter"}}
    found = TrafficReader(config).read(page, {})
    assert found is not None
    assert found.source == "crm"
    assert found.campaign == token(config.privacy, OWN, "winter")
    assert TrafficReader(config).read({"campaign": {"name": "winter"}, **page}, {}) == found
