"""Consent as tools name it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.config import load
from lakehouse.events.consent import ConsentRules, consent, heard, spelled, takes_back
from lakehouse.events.consent_answers import Answer
from tests.lakehouse.events.test_gpp import header
from tests.lakehouse.events.test_tcf import PUBLISHED, written

CATEGORIES = spelled(load("dev", environ={}).consent.categories)

# preferences -> analytics, personalization, marketing
SAID: list[tuple[dict[str, Any], tuple[bool | None, ...]]] = [
    ({}, (None, None, None)),
    ({"analytics": True}, (True, None, None)),
    ({"Analytics": False}, (False, None, None)),
    ({"C0001": True, "C0002": False, "C0003": False, "C0004": False}, (False, False, False)),
    ({"C0001": True}, (None, None, None)),
    ({"Advertising": False, "Analytics": False, "Functional": True}, (False, True, False)),
    ({"ad_storage": "denied", "analytics_storage": "granted"}, (True, None, False)),
    ({"marketing": "false"}, (None, None, False)),
    ({"marketing": 0, "analytics": 1}, (True, None, False)),
    ({"marketing": "no", "analytics": " YES "}, (True, None, False)),
    ({"marketing": "perhaps"}, (None, None, False)),
    ({"marketing": None}, (None, None, None)),
    ({"targeting": True, "advertising": False}, (None, None, False)),
    ({"our own category": False}, (False, False, False)),
    ({"our own category": False, "analytics": True}, (True, False, False)),
    ({"our own category": True}, (None, None, None)),
    ({"Performance Cookies": True, "Targeting Cookies": True, "Functional cookies": False}, (True, False, True)),
    ({"adStorage": "granted", "analyticsStorage": "denied"}, (False, None, True)),
    ({"marketing": "\u200bGranted", "analytics": "opt in"}, (True, None, True)),
    ({"marketing": -1, "analytics": "not granted"}, (False, None, False)),
    ({"do_not_sell": True}, (False, False, False)),
    ({"OPT_OUT": "ACCEPT", "ANALYTICS": "ACCEPT"}, (True, False, False)),
    ({"OPT_OUT": "DENY", "ANALYTICS": "ACCEPT"}, (True, None, None)),
    ({"optOut": "perhaps", "marketing": True}, (False, False, True)),
    ({"marketing_opt_out": True, "analytics": True}, (True, None, False)),
    ({"marketing_opt_out": False}, (None, None, None)),
    ({"noMarketing": 1}, (None, None, False)),
    ({"analytics_disabled": "yes"}, (False, None, None)),
    ({"email_unsubscribed": True}, (None, None, False)),
    ({"notice": True}, (None, None, None)),
    ({"email": "SUBSCRIBED", "sms": "UNSUBSCRIBED"}, (None, None, False)),
]


@pytest.mark.parametrize(("preferences", "expected"), SAID)
def test_what_was_said_of_each_purpose(preferences: dict[str, Any], expected: tuple[bool | None, ...]) -> None:
    assert tuple(consent(Answer(preferences), CATEGORIES).values()) == expected


NAMED = st.sampled_from(["marketing", "C0002", "Functional Cookies", "ours", "optOut"])
WORDS = st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=6) | st.sampled_from(["yes", "no", "granted"])


@given(st.dictionaries(NAMED, WORDS, max_size=4), st.booleans())
@settings(derandomize=True, deadline=None)
def test_one_word_more_never_allows_what_it_does_not_name(preferences: dict[str, Any], word: bool) -> None:
    """A refusal added anywhere allows nothing; a yes added for marketing allows at most marketing."""
    before = consent(Answer(preferences), CATEGORIES)
    after = consent(Answer(preferences | {"marketing_cookies": word, "theirs": False}), CATEGORIES)
    gained = {purpose for purpose, allowed in after.items() if allowed and not before[purpose]}
    assert gained <= ({"marketing"} if word else set())
    assert None not in after.values()


RULES = ConsentRules(
    purposes=("analytics", "personalization", "marketing", "sale"),
    categories=CATEGORIES | {"sale": "sale"},
    gpc=("marketing", "sale"),
    tcf={"analytics": (1, 8, 9), "marketing": (1, 3, 4)},
)
MANAGED = {"consentManagement": {"allowedConsentIds": ["analytics", "marketing", "sale"], "deniedConsentIds": []}}
YES, ALL = {"analytics": True, "marketing": True, "sale": True}, written(range(1, 12))
GPP_OPT_OUT = "DBABLA~CVVVkkkkkpFY.YA"
GPP_OF_SOME_LAW_TO_COME = f"{header([40], in_ranges=False)}~BAAAAABA"
# context -> analytics, personalization, marketing, sale; source; text version
SIGNALLED: list[tuple[dict[str, Any], tuple[bool | None, ...] | None, str | None, str | None]] = [
    ({}, None, None, None),
    ({"gpc": False}, None, None, None),
    ({"gpc": True}, (None, None, False, False), "gpc", None),
    ({"globalPrivacyControl": "1"}, (None, None, False, False), "gpc", None),
    ({"consent": {"gpc": True}}, (None, None, False, False), "gpc", None),
    ({"consent": {"marketing": True, "globalPrivacyControl": 1}}, (None, None, False, False), "categories", None),
    ({"consent": {"marketing": True, "gpc": False}}, (None, None, True, None), "categories", None),
    ({"usPrivacy": "1YYN"}, (None, None, False, False), "gpc", None),
    ({"us_privacy": "1---"}, None, None, None),
    ({"consent": {"uspString": "1-Y-", "categoryPreferences": YES}}, (True, None, False, False), "categories", None),
    ({"consent": {"usPrivacy": "1YNY"}}, None, None, None),
    ({"gppString": "DBABLA~CAAAAAAAAABA.QA"}, None, None, None),
    ({"gpp": GPP_OPT_OUT}, (None, None, False, False), "gpc", None),
    ({"gpp": {"gppString": GPP_OPT_OUT, "applicableSections": [7]}}, (None, None, False, False), "gpc", None),
    ({"gpp": "g++"}, None, None, None),
    ({"consent": {"gpp": "g++"}}, (None, None, None, None), "categories", None),
    ({"consent": {"gppString": "DBABTA~1YNN", "gppSid": [6]}}, None, None, None),
    ({"consent": {"IABGPP_HDR_GppString": "DBABTA~1YYN"}}, (None, None, False, False), "gpc", None),
    ({"consent": {"gpp": f"DBACNY~{ALL}~1YNN"}}, (True, None, True, None), "tcf", "tcf 4, vendor list 73"),
    (
        {"consent": {"gpp": f"DBACNY~{ALL}~1YYN", "gdprApplies": True, "categoryPreferences": YES}},
        (True, None, False, False),
        "categories",
        "tcf 4, vendor list 73",
    ),
    ({"consent": {"gpp": f"DBACNY~{ALL}~1YNN", "gdprApplies": False}}, None, None, None),
    # A section of a law to come may be a refusal.
    (
        {"consent": {"gpp": GPP_OF_SOME_LAW_TO_COME, "marketing": True, "analytics": False}},
        (False, None, None, None),
        "categories",
        None,
    ),
    ({"gpc": 1, "consent": {"categoryPreferences": YES}}, (True, None, False, False), "categories", None),
    ({"consent": {"tcString": ALL}}, (True, None, True, None), "tcf", "tcf 4, vendor list 73"),
    ({"consent": {"IABTCF_TCString": PUBLISHED}}, (False, None, False, None), "tcf", "tcf 2, vendor list 15"),
    ({"consent": {"tcString": ALL, "gdprApplies": False}}, None, None, None),
    ({"consent": {"tcString": "CPXx", "IABTCF_gdprApplies": 0}}, None, None, None),
    (
        {"consent": {"tcString": ALL, "gdprApplies": "0", "gpp": "DBABMA~"}},
        (None, None, None, None),
        "categories",
        None,
    ),
    (
        {"consent": {"tcString": ALL, "categoryPreferences": {"marketing": "no"}}},
        (True, None, False, None),
        "categories",
        "tcf 4, vendor list 73",
    ),
    (
        {"consent": {"tcString": PUBLISHED, "categoryPreferences": YES}},
        (False, None, False, True),
        "categories",
        "tcf 2, vendor list 15",
    ),
    (
        {"consent": {"tcString": ALL, "categoryPreferences": "granted"}},
        (None, None, None, None),
        "categories",
        "tcf 4, vendor list 73",
    ),
    ({"consent": {"tcString": "no string"}, "gpc": True}, (None, None, False, False), "categories", None),
    ({"consent": {"categoryPreferences": {"theirs": False}}}, (False, False, False, False), "categories", None),
    (
        {"consent": {"categoryPreferences": {"sale": True}, "textVersion": "2026-03"}},
        (None, None, None, True),
        "categories",
        "2026-03",
    ),
    ({"consentManagement": {"deniedConsentIds": ["sale"]}}, (None, None, None, False), "consent_management", None),
    ({"consent": {"jurisdiction": "DE", "textVersion": "7"}}, None, None, None),
    # A no in any of them, whatever stands in the others.
    (
        {**MANAGED, "consent": {"categoryPreferences": {"marketing": False}}},
        (True, False, False, True),
        "consent_management",
        None,
    ),
    (
        {**MANAGED, "consent": {"tcString": PUBLISHED}},
        (False, False, False, True),
        "consent_management",
        "tcf 2, vendor list 15",
    ),
    ({**MANAGED, "gpc": True}, (True, False, False, False), "consent_management", None),
    (
        {"consentManagement": {"deniedConsentIds": ["sale"]}, "consent": {"categoryPreferences": YES}},
        (True, None, True, False),
        "consent_management",
        None,
    ),
    (
        {"consent": {"tcString": PUBLISHED, "categoryPreferences": "granted"}},
        (False, None, False, None),
        "categories",
        "tcf 2, vendor list 15",
    ),
    ({**MANAGED, "consent": "yes"}, (None, False, None, None), "consent_management", None),
    (
        {"consentManagement": 7, "consent": {"categoryPreferences": {"sale": False, "marketing": True}}},
        (None, None, None, False),
        "consent_management",
        None,
    ),
    (
        {"consent": {"tcString": ALL, "marketing": False}},
        (True, None, False, None),
        "categories",
        "tcf 4, vendor list 73",
    ),
    ({"consent": {"marketing": "denied", "analytics": True}}, (True, None, False, None), "categories", None),
    ({"consent": {"marketing_opt_out": True}}, (None, None, False, None), "categories", None),
    ({**MANAGED, "consent": False}, (False, False, False, False), "consent_management", None),
]


@pytest.mark.parametrize(("context", "words", "source", "text_version"), SIGNALLED)
def test_strings_and_signals_are_heard_beside_categories(
    context: dict[str, Any], words: tuple[bool | None, ...] | None, source: str | None, text_version: str | None
) -> None:
    found = heard(context, RULES)
    if words is None:
        assert found is None
        return
    assert found is not None
    assert tuple(found.words.get(purpose) for purpose in RULES.purposes) == words
    assert (found.basis.source, found.basis.text_version) == (source, text_version)
    assert found.is_answer == (source != "gpc")


@pytest.mark.parametrize(
    "context", [{}, {"consent": {"marketing": True}}, {"consent": {"analytics": False, "marketing": True}}]
)
def test_who_unsubscribes_refuses_marketing_and_answers_nothing_else(context: dict[str, Any]) -> None:
    before, after = heard(context, RULES), heard(context, RULES, is_taken_back=True)
    assert after is not None
    assert after.words == {**(before.words if before else dict.fromkeys(after.words)), "marketing": False}
    assert (after.basis.source, after.is_answer) == (("categories", True) if before else ("unsubscribed", False))


@pytest.mark.parametrize(
    ("traits", "is_taken_back"),
    [
        ({"unsubscribed": True}, True),
        ({"unsubscribed": "false"}, False),
        ({"Unsubscribed_from_all_email": "yes"}, True),
        ({"email_subscribe": "opted_in"}, False),
        ({"email_subscribe": "unsubscribed"}, True),
        ({"acceptsMarketing": 0}, True),
        ({"acceptsMarketing": None}, False),
        ({"accepts": False}, False),
    ],
)
def test_traits_say_that_somebody_wants_no_letters(traits: dict[str, Any], is_taken_back: bool) -> None:
    assert takes_back({"traits": traits}, "identify", None) == is_taken_back
    assert takes_back({"context": {"traits": traits}}, "identify", None) == is_taken_back
    assert not takes_back({"traits": traits}, "track", "Signed In")


@pytest.mark.parametrize(
    ("sent", "kept"), [("de", "DE"), (" US-CA ", "US-CA"), ("Germany", None), (7, None), ("", None)]
)
def test_a_jurisdiction_is_an_iso_code(sent: Any, kept: str | None) -> None:
    found = heard({"consent": {"categoryPreferences": YES, "Jurisdiction": sent}}, RULES)
    assert found is not None
    assert found.basis.jurisdiction == kept


@given(
    st.lists(st.booleans() | st.none(), min_size=4, max_size=4),
    st.lists(st.booleans() | st.none(), min_size=4, max_size=4),
    st.none() | st.sets(st.integers(1, 11)),
    st.booleans(),
    st.booleans(),
)
@settings(derandomize=True, deadline=None)
def test_nothing_that_is_said_beside_it_undoes_a_no(
    words: list[bool | None], managed: list[bool | None], tcf: set[int] | None, gpc: bool, is_spoilt: bool
) -> None:
    """Categories, ids, string and signal of one message, and perhaps something beside them that nobody can read."""
    preferences, by_id = (dict(zip(RULES.purposes, said, strict=True)) for said in (words, managed))
    allowed, denied = ([one for one, word in by_id.items() if word is answer] for answer in (True, False))
    management = {"allowedConsentIds": allowed, "deniedConsentIds": denied} | ({"consents": 7} if is_spoilt else {})
    sent = {"categoryPreferences": preferences} | ({} if tcf is None else {"tcString": written(tcf)})
    found = heard({"consent": sent, "consentManagement": management, "gpc": gpc}, RULES)
    assert found is not None
    refused = {one for said in (preferences, by_id) for one, word in said.items() if word is False}
    refused |= set(RULES.gpc) if gpc else set()
    refused |= set() if tcf is None else {one for one, needed in RULES.tcf.items() if not tcf.issuperset(needed)}
    assert all(found.words.get(purpose) is False for purpose in refused)
    assert found.is_read != is_spoilt
    assert not is_spoilt or True not in found.words.values()
