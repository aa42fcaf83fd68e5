"""Consent in the shapes of the tools."""

from typing import Any

import pytest

from lakehouse.config import load
from lakehouse.events.consent import consent, spelled
from lakehouse.events.consent_answers import answers

CATEGORIES = spelled(load("dev", environ={}).consent.categories)

# context -> analytics, personalization, marketing; None = nobody was asked
ANSWERED: list[tuple[dict[str, Any], tuple[bool | None, ...] | None]] = [
    ({"consent": {"optOut": False, "jurisdiction": "US-CA"}}, None),
    *(
        ({"consent": nothing}, None)
        for nothing in (None, "", [], {}, {"categoryPreferences": {}}, {"categoryPreferences": []})
    ),
    ({"consent": {"categoryPreferences": '{"marketing": false}'}}, (None, None, False)),
    ({"consent": {"categoryPreferences": ["C0001", "C0003"]}}, (False, True, False)),
    ({"consent": {"categoryPreferences": ",C0001,C0002,"}}, (True, False, False)),
    ({"consentManagement": {"allowedConsentIds": ["C0002"], "deniedConsentIds": ["C0004"]}}, (True, None, False)),
    *(
        ({"consentManagement": nothing}, None)
        for nothing in (
            None,
            {},
            {"allowedConsentIds": [], "deniedConsentIds": []},
            {"provider": "oneTrust", "resolutionStrategy": "and", "allowedConsentIds": [], "deniedConsentIds": []},
        )
    ),
    (
        {"consentManagement": {"allowedConsentIds": {"C0002": "Performance"}, "deniedConsentIds": {"C0004": ""}}},
        (True, None, False),
    ),
    ({"consentManagement": {"allowed_consent_ids": {"C0002": True, "C0004": False}}}, (True, False, False)),
    ({"consentManagement": '{"deniedConsentIds": "C0004"}'}, (None, None, False)),
    (
        {"consentManagement": {"allowedConsentIds": ["marketing"], "deniedConsentIds": ["Marketing Cookies"]}},
        (None, None, False),
    ),
    *(
        ({"consentManagement": unread}, (None, None, None))
        for unread in (7, "yes", {"consents": ["a"]}, {"allowedConsentIds": [["a"]]})
    ),
    ({"consent": {"categoryPreferences": {}, "tcString": "CPXxRfA"}}, (None, None, None)),
    *(
        ({"consent": no}, (False, False, False))
        for no in (False, "denied", "opted out", {"granted": False}, {"optIn": "0"})
    ),
    *(
        ({"consent": {"categoryPreferences": no}}, (False, False, False))
        for no in ("Denied ", "none", False, "opt_out")
    ),
    ({"consent": {"marketing": False}}, (None, None, False)),
    (
        {"consent": {"necessary": True, "preferences": False, "statistics": True, "marketing": False}},
        (True, False, False),
    ),
    ({"consent": {"ad_storage": "denied", "analytics_storage": "granted"}}, (True, None, False)),
    ({"consent": {"gcs": "G101"}}, (True, None, False)),
    ({"consent": {"optOut": True, "method": "banner"}}, (False, False, False)),
    ({"consent": {"method": "banner", "marketing": "no", "version": "3"}}, (None, None, False)),
    ({"consent": {"category_preferences": {"marketing": "no"}}}, (None, None, False)),
    ({"consent": '{"categoryPreferences": {"marketing": false}}'}, (None, None, False)),
    (
        {"consent": {"categoryPreferences": {"marketing": {"granted": False}, "analytics": {"status": "granted"}}}},
        (True, None, False),
    ),
    (
        {
            "consent": {
                "categoryPreferences": [{"category": "marketing", "granted": False}, {"name": "analytics", "value": 1}]
            }
        },
        (True, None, False),
    ),
    ({"consent": {"categoryPreferences": "C0001:1,C0002:0,C0003:1,C0004:0"}}, (False, True, False)),
    ({"consent": {"categoryPreferences": ["C0002:1"]}}, (True, False, False)),
    ({"consentManagement": {"allowedConsentIds": ["C0002"]}}, (True, False, False)),
    ({"consent": {"categoryPreferences": "necessary:yes, analytics = granted,advertising:no"}}, (True, False, False)),
    (
        {"consent": {"categoryPreferences": [{"id": "x7", "name": "marketing", "consent": {"status": True}}]}},
        (None, None, True),
    ),
    *(
        ({"consent": {place: {"analytics": True, "marketing": False}}}, (True, None, False))
        for place in ("categories", "preferences", "purposes", "choices")
    ),
    ({"consent": {"categories": ["necessary", "analytics"]}}, (True, False, False)),
    *(
        ({"consent": {**lists, "method": "banner"}}, (True, None, False))
        for lists in (
            {"acceptedCategories": ["analytics"], "rejectedCategories": ["marketing"]},
            {"accepted": ["analytics"], "rejected": ["marketing"]},
            {"purposes": {"enabled": ["analytics"], "disabled": ["marketing"]}},
        )
    ),
    ({"consent": {"accepted": ["analytics"], "rejected": []}}, (True, False, False)),
    (
        {"consent": {"purposes": {"enabled": ["analytics"], "disabled": ["functional"], "marketing": False}}},
        (True, False, False),
    ),
    *(
        ({"consent": {name: False}}, (None, None, False))
        for name in (
            "marketingOptIn",
            "accepts_marketing",
            "is_marketing_allowed",
            "consent_marketing",
            "opt_in_marketing",
        )
    ),
    (
        {"consent": {"categoryPreferences": {"acceptsMarketing": True, "has_analytics_consent": False}}},
        (False, None, True),
    ),
    *(
        ({"consent": unread}, (None, None, None))
        for unread in (
            True,
            "yes",
            {"granted": True},
            {"categoryPreferences": [{"name": "marketing"}]},
            *({"categoryPreferences": word} for word in ("granted", "true", "null", "ALL")),
        )
    ),
]


@pytest.mark.parametrize(("context", "expected"), ANSWERED)
def test_an_answer_in_any_shape_is_an_answer(context: dict[str, Any], expected: tuple[bool | None, ...] | None) -> None:
    said = answers(context, CATEGORIES)
    assert [tuple(consent(one, CATEGORIES).values()) for one in said] == ([] if expected is None else [expected])
    assert all(one.is_read == (expected != (None, None, None)) for one in said)
