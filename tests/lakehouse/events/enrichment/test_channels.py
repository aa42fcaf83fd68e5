"""Google Analytics' default channel group, by the rules of its page."""

import pytest

from lakehouse.events.enrichment.channels import channel
from lakehouse.events.enrichment.traffic_sources import traffic_sources


@pytest.mark.parametrize(
    ("source", "medium", "campaign", "expected"),
    [
        ("(direct)", "(none)", None, "Direct"),
        ("google", "cpc", "Cross-Network spring", "Cross-network"),
        ("google", "cpc", "spring shoes", "Paid Search"),
        ("google", "CPC", "Shop spring", "Paid Shopping"),
        ("google", "cpc", "workshop", "Paid Search"),
        ("google", "cpc", "online-shopping", "Paid Shopping"),
        ("amazon", "cpc", None, "Paid Shopping"),
        ("bing", "ppc", None, "Paid Search"),
        ("fb", "paid_social", None, "Paid Social"),
        ("facebook.com", "cpm", None, "Paid Social"),
        ("taboola", "cpv", None, "Paid Other"),
        ("youtube", "cpc", None, "Paid Video"),
        ("criteo", "cpm", None, "Display"),
        ("criteo", "retargeting", None, "Paid Other"),
        ("amazon.co.uk", "referral", None, "Organic Shopping"),
        ("newsletter", "email", "shop news", "Organic Shopping"),
        ("m.facebook.com", "referral", None, "Organic Social"),
        ("club", "sm", None, "Organic Social"),
        ("youtube.com", "referral", None, "Organic Video"),
        ("club", "video", None, "Organic Video"),
        ("google", "organic", None, "Organic Search"),
        ("club", "organic", None, "Organic Search"),
        ("blog.example", "referral", None, "Referral"),
        ("crm", "e-mail", None, "Email"),
        ("email", None, None, "Email"),
        ("awin", "affiliate", None, "Affiliates"),
        ("spotify", "audio", None, "Audio"),
        ("sms", None, None, "SMS"),
        ("app", "push", None, "Mobile Push Notifications"),
        ("firebase", None, None, "Mobile Push Notifications"),
        ("flyer", "qr", "spring", "Unassigned"),
        (None, None, "spring", "Unassigned"),
    ],
)
def test_the_first_rule_that_holds_wins(
    source: str | None, medium: str | None, campaign: str | None, expected: str
) -> None:
    assert channel(source, medium, campaign, traffic_sources().kind(source) if source else None) == expected
