"""The order of a decision: who is silenced, what is left, who decides."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from lakehouse.decisions.decide import Decided, Explored, OfferRequest, certain, decide
from lakehouse.decisions.offers import Catalogue, Offer
from lakehouse.decisions.trace import Trace
from lakehouse.rules.book import Rule
from tests.lakehouse.decisions.circumstances import circumstances

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def offer(name: str, value: float = 1.0, purpose: str = "marketing") -> Offer:
    return Offer(name=name, title=name, owner="crm", purpose=purpose, channels=("web",), value=value)  # type: ignore[arg-type]


def rule(name: str, effect: str, **fields: object) -> Rule:
    return Rule(name=name, owner="crm", when="true", effect=effect, **fields)  # type: ignore[arg-type]


CATALOGUE = Catalogue({one.name: one for one in (offer("a", 1), offer("b", 5), offer("c", 3, "personalization"))}, {})


def most_valuable(worths: Mapping[str, float], _: Mapping[str, object]) -> Explored:
    return Explored(
        first=max(worths, key=lambda name: worths[name]),
        propensity=0.9,
        chances=dict.fromkeys(worths, 0.1),
        features=(1.0, 0.5),
    )


def decided(
    *rules: Rule, only: tuple[str, ...] = (), rule: str | None = None, trace: Trace | None = None, **fields: object
) -> Decided:
    request = OfferRequest(
        channel="web",
        offers=only,
        rule=rule,
        explorer=most_valuable if rule is None else certain,
        trace=trace or Trace(is_wanted=False),
    )
    return decide(request, circumstances(catalogue=CATALOGUE, rules=rules, now=NOW, **fields))


def names(answer: Decided) -> list[str]:
    return [ranked.offer.name for ranked in answer.ranked]


def test_the_bandits_choice_comes_first_and_the_rest_by_expected_value() -> None:
    answer = decided()
    assert names(answer) == ["b", "c", "a"]
    assert [ranked.propensity for ranked in answer.ranked] == [0.9, None, None]
    assert answer.ranked[0].score == pytest.approx(0.5)
    assert answer.features == (1.0, 0.5), "what the policy saw is what it learns from"
    assert decided(rule("push", "force", offer="a")).features == (), "it had no say"


def test_whoever_is_to_be_left_alone_hears_nothing_even_by_force() -> None:
    answer = decided(rule("push", "force", offer="a"), is_suppressed=True)
    assert (names(answer), answer.silence) == ([], "suppressed")


def test_without_consent_only_what_needs_none_of_it_is_left() -> None:
    assert names(decided(rule("push", "force", offer="a"), consent={"personalization": True})) == ["c"]
    assert names(decided(consent={})) == []


def test_a_forbid_of_nothing_forbids_everything_and_beats_force() -> None:
    answer = decided(rule("legal", "forbid", priority=9), rule("push", "force", offer="a"))
    assert (names(answer), answer.silence) == ([], "rule legal")


def test_a_forbidden_offer_is_not_forced_either() -> None:
    answer = decided(rule("no_a", "forbid", offer="a"), rule("push", "force", offer="a"))
    assert names(answer) == ["b", "c"]


def test_the_strongest_force_decides_with_certainty() -> None:
    answer = decided(rule("strong", "force", offer="a"), rule("weak", "force", offer="b"))
    assert (names(answer), answer.is_forced, answer.ranked[0].propensity, answer.rule) == (["a"], True, 1.0, "strong")


def test_a_rule_at_its_cap_steps_back() -> None:
    capped = rule("push", "force", offer="a", caps={"per_day": 1})
    assert names(decided(capped, shown={"rule:push": [NOW]})) == ["b", "c", "a"]


def test_proposals_are_weighed_among_themselves() -> None:
    assert names(decided(rule("p", "propose", offer="a"), rule("q", "propose", offer="c"))) == ["c", "a"]


def test_a_boost_counts() -> None:
    assert names(decided(rule("up", "boost", offer="a", weight=20.0)))[0] == "a"


def test_only_some_offers_may_be_asked_for() -> None:
    assert names(decided(only=("a",))) == ["a"]


def test_every_step_can_be_explained() -> None:
    trace = Trace(is_wanted=True)
    decided(rule("no_a", "forbid", offer="a"), rule("p", "propose", offer="c"), trace=trace)
    told = {(step.step, step.subject) for step in trace.steps}
    assert {("rule", "a"), ("rule", "p"), ("bandit", "c"), ("arbitration", "c")} <= told


def test_a_rule_that_has_chosen_leaves_nothing_else_but_what_forbids() -> None:
    chosen, stronger = rule("p", "propose", offer="a"), rule("push", "force", offer="b", priority=9)
    answer = decided(stronger, chosen, rule="p")
    assert (names(answer), answer.ranked[0].propensity, answer.rule) == (["a"], 1.0, "p")
    assert names(decided(rule("no_a", "forbid", offer="a"), chosen, rule="p")) == []
    assert decided(rule("legal", "forbid"), chosen, rule="p").silence == "rule legal"


def test_a_rule_that_has_chosen_must_hold_and_be_within_its_caps() -> None:
    assert decided(rule("other", "force", offer="a"), rule="p").silence == "rule p does not hold"
    capped = rule("p", "boost", offer="a", caps={"lifetime": 1})
    assert decided(capped, rule="p", shown={"rule:p": [NOW]}).silence == "rule p is at its cap"
