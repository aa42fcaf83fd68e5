"""What silences a decision silences every kind of request; where requests rightly differ, they say so."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehouse.consent.defaults import Defaults
from lakehouse.decisions.circumstances import DecisionInputs, circumstances_of
from lakehouse.decisions.decide import OfferRequest, decide
from lakehouse.decisions.gate import silence_of
from lakehouse.decisions.offers import Catalogue, Offer
from lakehouse.decisions.visitor import Visitor
from lakehouse.experiments.definitions import Arm, Experiments, Holdout
from lakehouse.online.recent_behaviour import recent_behaviour
from lakehouse.rules.book import Rule
from tests.lakehouse.decisions.circumstances import circumstances

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GIFT = Offer(name="gift", title="Gift", owner="crm", purpose="marketing", channels=("web",), value="5")  # type: ignore[arg-type]
ADDED = Rule(name="added", owner="crm", when="true", effect="force", offer="gift")
LEGAL = Rule(name="legal", owner="legal", when="true", effect="forbid")
HELD_OUT = "held out of every offer by an experiment"
REQUESTS = {
    "API": OfferRequest(channel="web"),
    "lane": OfferRequest(channel="web", rule="added"),
    "destination": OfferRequest(channel=None, rule="added"),
}
SILENCES: dict[str, tuple[dict[str, Any], str | None]] = {
    "nothing": ({}, None),
    "no catalogue": ({"catalogue": None}, "no catalogue of offers"),
    "suppressed": ({"is_suppressed": True}, "suppressed"),
    "held out": ({"held_out": "holdout"}, HELD_OUT),
    "an arm without offers": ({"arms": {"quiet": Arm(name="a", offers="none")}}, HELD_OUT),
    "a greedy arm": ({"arms": {"quiet": Arm(name="a", offers="greedy")}}, None),
    "missing": ({"missing": ("online store: not there",)}, "consent cannot be looked up"),
    "no consent": ({"consent": {"marketing": False}}, "no offer is left"),
    "stock": ({"catalogue": Catalogue({"gift": GIFT.model_copy(update={"products": ("p",)})}, {})}, "no offer is left"),
    "forbidden": ({"rules": [LEGAL, ADDED]}, "rule legal"),
}


@pytest.mark.parametrize("caller", REQUESTS)
@pytest.mark.parametrize("name", SILENCES)
def test_a_silence_is_the_same_for_whoever_asks(name: str, caller: str) -> None:
    changes, silence = SILENCES[name]
    plain = {"now": NOW, "catalogue": Catalogue({"gift": GIFT}, {}), "rules": [ADDED], "unavailable": {"p"}}
    decided = decide(REQUESTS[caller], circumstances(**{**plain, **changes}))
    assert decided.silence == silence
    assert [ranked.offer.name for ranked in decided.ranked] == ([] if silence else ["gift"])


def test_only_a_destination_waits_for_quiet_hours_instead_of_being_silent() -> None:
    quiet = GIFT.model_validate(
        {
            **GIFT.model_dump(exclude={"quiet_hours"}),
            **{"channels": ["push"], "quiet_hours": {"from": "11:00", "to": "13:00", "zone": "UTC"}},
        }
    )
    held = circumstances(now=NOW, catalogue=Catalogue({"gift": quiet}, {}), rules=[ADDED])
    assert decide(OfferRequest(channel="push", rule="added"), held).silence == "no offer is left"
    assert decide(OfferRequest(channel=None, rule="added"), held).ranked


def test_what_could_never_be_read_is_missing_and_nobody_knows_what_it_forbids() -> None:
    visitor = Visitor(identifier=None, profile=None, recent=recent_behaviour([], NOW))
    nothing = DecisionInputs(
        catalogue=None, book=None, experiments=None, unavailable=set(), consent=Defaults(never_asked=False)
    )
    found = circumstances_of(visitor, nothing, now=NOW)
    assert found.missing == ("rules: none could be read", "experiments: none could be read")
    assert silence_of(found) == "rules: none could be read"
    assert (found.rules, found.rules_version, found.arms, found.held_out) == ((), "none", {}, None)
    assert set(found.consent.values()) == {False}


def test_whoever_is_held_out_is_in_no_arm() -> None:
    visitor = Visitor(identifier=("user_id", "ana"), profile=None, recent=recent_behaviour([], NOW))
    salted = (Experiments({}, Holdout(share=0.5, salt=str(number))) for number in range(99))
    experiments = next(one for one in salted if one.held_out("user_id:ana"))
    inputs = DecisionInputs(
        catalogue=None, book=None, experiments=experiments, unavailable=set(), consent=Defaults(never_asked=True)
    )
    found = circumstances_of(visitor, inputs, now=NOW + timedelta(days=1))
    assert (found.held_out, found.arms) == ("holdout", {})
    assert found.logged_arms == {"holdout": "held_out"}
