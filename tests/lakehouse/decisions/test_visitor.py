"""Whom a decision is about: the latest word on consent, and the vocabulary of rules filled for them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from lakehouse.consent.defaults import Defaults
from lakehouse.decisions.visitor import Visitor, context_of, features_of
from lakehouse.feature_book.rule_words import rule_words
from lakehouse.online.recent_behaviour import RecentBehaviour, Seen
from lakehouse.recommend.interactions import DAY_MS
from lakehouse.rules.evaluate import compile_predicate
from lakehouse.rules.parse import parse
from tests import feature_oracle as oracle
from tests.online_people import SEEN, person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING = RecentBehaviour(consent={}, exposures={})
ANA = ("anonymous_id", "ana")


def test_what_was_said_just_now_counts_before_the_profile_and_that_before_what_is_assumed() -> None:
    profile = person("p-ana", [ANA], consent_marketing=False, consent_analytics=False)
    just_now = RecentBehaviour(consent={"marketing": True}, exposures={})
    visitor = Visitor(identifier=ANA, profile=profile, recent=just_now)
    assert visitor.consent(Defaults(never_asked=True)) == {
        "marketing": True,
        "analytics": False,
        "personalization": False,
    }
    assert visitor.consent(Defaults(never_asked=False)) == {
        "marketing": True,
        "analytics": False,
        "personalization": False,
    }


def test_nothing_is_allowed_while_the_profile_cannot_be_read() -> None:
    visitor = Visitor(identifier=ANA, profile=None, recent=NOTHING, missing=("online store: not there",))
    assert set(visitor.consent(Defaults(never_asked=True)).values()) == {False}


def test_the_unit_is_the_profile_or_the_visitor_while_there_is_none() -> None:
    known = Visitor(identifier=ANA, profile=person("p-ana", [ANA], bought=("old",)), recent=NOTHING)
    assert (known.unit, known.name, set(known.last_bought)) == ("p-ana", "anonymous_id:ana", {"old"})
    unknown = Visitor(identifier=ANA, profile=None, recent=NOTHING)
    assert (unknown.unit, unknown.shown_on) == ("anonymous_id:ana", "x:anonymous_id:ana")
    nobody = Visitor(identifier=None, profile=None, recent=NOTHING)
    assert (nobody.unit, nobody.shown_on) == ("nobody", None)


def done(kind: str, product: str, at_ms: int) -> Seen:
    return Seen(at_ms, f"{product}:{kind}:{at_ms}", at_ms, {"kind": kind, "product_id": product})


def test_what_was_bought_is_known_by_the_last_time_wherever_it_is_told() -> None:
    at_ms = int(SEEN.timestamp() * 1000)
    just_now = (
        *(done("order", one, at_ms + DAY_MS) for one in ("tea", "new")),
        done("order", "tea", at_ms - DAY_MS),
        done("view", "seen", at_ms),
    )
    recent = RecentBehaviour(consent={}, exposures={}, newest_first=just_now)
    visitor = Visitor(identifier=ANA, profile=person("p-ana", [ANA], bought=("tea", "old")), recent=recent)
    assert visitor.last_bought == {"tea": at_ms + DAY_MS, "new": at_ms + DAY_MS, "old": at_ms}


def test_an_event_is_told_before_the_page_and_a_profiles_segment_before_the_callers() -> None:
    nobody = Visitor(identifier=None, profile=None, recent=NOTHING)
    here = {"product_id": "of the page", "page_type": "product"}
    context = context_of(nobody, here, now=NOW, event={"product_id": "of the event", "price": None}, segment="b2b")
    assert (context["product_id"], context["page_type"], context["price"]) == ("of the event", "product", None)
    assert (context["segment"], context["is_known"]) == ("b2b", False)
    loyal = Visitor(identifier=ANA, profile=person("p-ana", [ANA], segment="loyal"), recent=NOTHING)
    assert context_of(loyal, {}, now=NOW, segment="b2b")["segment"] == "loyal"


def test_a_feature_gets_into_the_context_when_a_rule_reads_it(tmp_path: Path) -> None:
    entries = [
        {"name": "views_7d", "description": "d", "aggregation": "count", "window": "7 d"},
        {"name": "latest_at", "description": "d", "aggregation": "max", "value": "occurred_at"},
        {"name": "coupon_used", "description": "d", "aggregation": "last", "value": "coupon"},
    ]
    features = oracle.declared(tmp_path, oracle.online(entries))
    views, latest, coupon = (str(one.partial) for one in features.features)
    today, micros = NOW.timestamp() // 86_400, NOW.timestamp() * 1e6
    sums = {
        views: {"n": 7, "at": [today - 7, today - 6], "events": [9, 3]},
        latest: {"n": 0, "at": [today], "most": [micros]},
        coupon: {"n": 0, "at": [today], "last": [[today], ["tea"]]},
    }
    profile = person("p-ana", [ANA], as_of=NOW, sums=orjson.dumps(sums).decode())
    visitor = Visitor(identifier=ANA, profile=profile, recent=NOTHING)
    context = context_of(visitor, {}, now=NOW, features=features_of(profile, features, NOW))
    rule = parse("views_7d = 3 and latest_at = now and coupon_used = 'tea' and frequency = 0", rule_words(features))
    assert "views_7d" not in context
    assert compile_predicate(rule)(context) is True
    assert (context["views_7d"], context["latest_at"]) == (3.0, int(micros))
    earlier = features_of(profile, features, NOW - timedelta(days=9))
    assert earlier["views_7d"] == 3, "the lake knows of what happened at as_of, whatever this clock says"
    unknown = context_of(visitor, {}, now=NOW, features=features_of(None, features, NOW))
    assert compile_predicate(rule)(unknown) is None
    assert context_of(visitor, {}, now=NOW)["no_longer_declared"] is None
