from datetime import UTC, datetime, timedelta

import pytest

from lakehouse.config.declarations import Caps
from lakehouse.decisions.eligibility import refusal
from lakehouse.decisions.exposures import cap_reached
from lakehouse.decisions.offers import Catalogue, Offer
from lakehouse.rules.evaluate import compile_predicate
from lakehouse.rules.parse import parse
from lakehouse.rules.vocabulary import prepared
from tests.lakehouse.decisions.circumstances import circumstances

NOW = datetime(2026, 11, 26, 20, 30, tzinfo=UTC)
OFFER = {
    "name": "bundle",
    "title": "Bundle",
    "owner": "crm",
    "purpose": "marketing",
    "channels": ["web", "push"],
    "value": 5,
}


def reason(offer: dict[str, object], *, channel: str | None = "web", **changes: object) -> str | None:
    one = Offer.model_validate(OFFER | offer)
    audience = {} if one.when is None else {one.name: compile_predicate(parse(one.when))}
    fields = {"now": NOW, **changes}
    return refusal(one, Catalogue({one.name: one}, audience), circumstances(**fields), channel=channel)  # type: ignore[arg-type]


def test_an_offer_that_nothing_speaks_against_may_be_made() -> None:
    assert reason({}) is None


def test_where_it_is_said_and_quiet_hours_are_nobodys_question_where_a_destination_was_declared() -> None:
    quiet = {"channels": ["push"], "quiet_hours": {"from": "20:00", "to": "22:00", "zone": "UTC"}}
    assert "quiet hours" in str(reason(quiet, channel="push"))
    assert "not for channel web" in str(reason(quiet))
    assert reason(quiet, channel=None) is None


@pytest.mark.parametrize(
    ("offer", "changes", "told"),
    [
        ({"valid_from": "2026-11-26T20:31:00Z"}, {}, "not valid before 2026-11-26 20:31 UTC"),
        ({"valid_to": "2026-11-26T20:30:00Z"}, {}, "not valid since 2026-11-26 20:30 UTC"),
        ({}, {"channel": "email"}, "not for channel email, only web, push"),
        ({"tiers": ["gold"]}, {}, "loyalty tier is none, not gold"),
        ({"tiers": ["gold"]}, {"context": prepared({"loyalty_tier": "silver"})}, "loyalty tier is silver, not gold"),
        ({"when": "frequency > 2"}, {"context": prepared({"frequency": 2})}, "not for this person: frequency > 2"),
        ({"when": "frequency > 2"}, {"context": prepared({})}, "not for this person: frequency > 2"),
        ({"products": ["a", "b"]}, {"unavailable": {"a", "b", "c"}}, "none of its products is available"),
        (
            {"caps": {"per_day": 1}},
            {"shown": {"bundle": [NOW - timedelta(hours=23)]}},
            "shown 1 times in 24 hours, at most 1",
        ),
        ({"caps": {"lifetime": 1}}, {"shown": {"bundle": [NOW - timedelta(days=900)]}}, "shown 1 times, at most 1"),
    ],
)
def test_what_speaks_against_an_offer_is_told(offer: dict[str, object], changes: dict[str, object], told: str) -> None:
    assert reason(offer, **changes) == told


def test_quiet_hours_silence_what_interrupts_and_follow_the_zone() -> None:
    quiet = {"quiet_hours": {"from": "21:00", "to": "07:00", "zone": "Europe/Berlin"}}
    assert reason(quiet, channel="push") == "quiet hours 21:00 to 07:00 Europe/Berlin"  # 21:30 there
    assert reason(quiet, channel="web") is None
    assert reason(quiet, channel="push", now=NOW - timedelta(hours=1)) is None  # 20:30 there
    assert reason(quiet, channel="push", now=NOW + timedelta(hours=9)) is not None  # 06:30 there
    assert reason(quiet, channel="push", now=NOW + timedelta(hours=10)) is None  # 07:30 there


def test_quiet_hours_are_of_the_persons_own_night_where_it_is_known() -> None:
    quiet = {"quiet_hours": {"from": "21:00", "to": "07:00", "zone": "Europe/Berlin"}}  # 21:30 there
    assert reason(quiet, channel="push", zone="America/New_York") is None  # 15:30 there
    noon = NOW - timedelta(hours=9, minutes=30)  # 12:00 in Berlin
    assert reason(quiet, channel="push", now=noon, zone=None) is None
    assert reason(quiet, channel="push", now=noon, zone="Pacific/Auckland") == (
        "quiet hours 21:00 to 07:00 Pacific/Auckland"  # 0:00 there
    )
    assert reason(quiet, channel="web", now=noon, zone="Pacific/Auckland") is None


def test_a_cap_counts_what_a_clock_that_jumped_put_ahead() -> None:
    assert cap_reached(Caps(per_day=1), [NOW + timedelta(days=3)], NOW) == "shown 1 times in 24 hours, at most 1"
    assert (
        cap_reached(Caps(per_day=2, per_week=2), [NOW - timedelta(days=2)] * 2, NOW)
        == "shown 2 times in 7 days, at most 2"
    )
    assert cap_reached(Caps(), [NOW] * 100, NOW) is None
