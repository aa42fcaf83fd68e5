"""The order in which an offer is decided on. Pure.

suppression, consent, forbidding rules   who must be left alone, and what must not be said
eligibility                              validity, audience, tier, caps, quiet hours, stock
forcing rules                            the strongest of them decides, nothing is explored
proposing rules                          when some propose, only what they propose is weighed; else all that is left
arbitration                              worth x chance x boost; a bandit explores within it, its propensity is logged
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lakehouse.decisions.eligibility import Circumstances, refusal
from lakehouse.decisions.exposures import rule_cap
from lakehouse.decisions.offers import Catalogue, Offer
from lakehouse.decisions.trace import Trace
from lakehouse.rules.book import Rule

CERTAIN = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """An offer in the answer. `propensity`: probability with which it came first; None for those that did not."""

    offer: Offer
    score: float
    reason: str
    propensity: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Explored:
    """What a bandit says of the candidates. `chances`: expected reward of each, 0..1; `first`: its choice."""

    first: str
    propensity: float
    chances: Mapping[str, float]


class Explorer(Protocol):
    """Chooses among offers by what came of earlier ones; `worths` weighs the chances."""

    def __call__(self, worths: Mapping[str, float], context: Mapping[str, object]) -> Explored: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """Offers best first; empty = nothing is to be said. `is_forced`: a rule overrode arbitration."""

    ranked: tuple[Ranked, ...] = ()
    is_forced: bool = False
    rule: str | None = None
    silence: str | None = None  # why nothing is said


def decide(
    catalogue: Catalogue,
    rules: Sequence[Rule],
    seen: Circumstances,
    explorer: Explorer,
    trace: Trace,
    *,
    only: Sequence[str] = (),
    silence: str | None = None,
) -> Decided:
    """Decide among the catalogue's offers, or among `only`.

    `rules`: those that hold now, strongest first. `silence`: why this person is left alone, whatever there is to say.
    """
    if silence is not None:
        trace.add("suppression", silence)
        return Decided(silence=silence)
    muted = next((rule for rule in rules if rule.effect == "forbid" and forbids_everything(rule)), None)
    if muted is not None:
        trace.add("rule", "forbids every offer", muted.name)
        return Decided(silence=f"rule {muted.name}", rule=muted.name)
    eligible = _eligible(catalogue, rules, seen, trace, only)
    if not eligible:
        return Decided(silence="no offer is left")
    for rule in rules:
        if rule.effect == "force" and rule.offer in eligible and _within_caps(rule, seen, trace):
            trace.add("rule", f"forces {rule.offer}", rule.name)
            offer = eligible[rule.offer]
            first = Ranked(offer=offer, score=float(offer.value), reason=f"rule {rule.name}", propensity=CERTAIN)
            return Decided(ranked=(first,), is_forced=True, rule=rule.name)
    return _arbitrate(eligible, rules, seen, explorer, trace)


def forbids_everything(rule: Rule) -> bool:
    return rule.offer is None and not rule.products and rule.category is None


def _eligible(
    catalogue: Catalogue, rules: Sequence[Rule], seen: Circumstances, trace: Trace, only: Sequence[str]
) -> dict[str, Offer]:
    forbidden = {rule.offer: rule.name for rule in rules if rule.effect == "forbid" and rule.offer is not None}
    left: dict[str, Offer] = {}
    for name, offer in catalogue.offers.items():
        if only and name not in only:
            continue
        if name in forbidden:
            trace.add("rule", f"forbidden by {forbidden[name]}", name)
            continue
        reason = refusal(offer, catalogue, seen)
        if reason is None:
            left[name] = offer
        else:
            trace.add("eligibility", reason, name)
    return left


def _within_caps(rule: Rule, seen: Circumstances, trace: Trace) -> bool:
    reached = rule_cap(rule, seen.shown, seen.now)
    if reached is not None:
        trace.add("rule", reached, rule.name)
    return reached is None


def _arbitrate(
    eligible: Mapping[str, Offer], rules: Sequence[Rule], seen: Circumstances, explorer: Explorer, trace: Trace
) -> Decided:
    proposed: dict[str, str] = {}
    boosts: dict[str, float] = {}
    for rule in rules:
        if rule.offer is None or rule.offer not in eligible or not _within_caps(rule, seen, trace):
            continue
        if rule.effect == "propose":
            proposed.setdefault(rule.offer, rule.name)
        elif rule.effect == "boost":
            boosts[rule.offer] = boosts.get(rule.offer, 1.0) * rule.weight
    names = [name for name in eligible if name in proposed] if proposed else list(eligible)
    for name, rule_name in proposed.items():
        trace.add("rule", f"proposes {name}", rule_name)
    worths = {name: float(eligible[name].value) * boosts.get(name, 1.0) for name in names}
    explored = explorer(worths, seen.context)
    trace.add("bandit", f"chooses with propensity {explored.propensity:.4f}", explored.first)
    scores = {name: worths[name] * explored.chances[name] for name in names}
    for name in names:
        trace.add("arbitration", f"worth {worths[name]:.2f} x chance {explored.chances[name]:.4f}", name)
    rest = sorted((name for name in names if name != explored.first), key=lambda name: (-scores[name], name))
    reasons = {name: f"rule {proposed[name]}" if name in proposed else "expected value" for name in names}
    first = Ranked(
        offer=eligible[explored.first],
        score=scores[explored.first],
        reason=reasons[explored.first],
        propensity=explored.propensity,
    )
    others = (Ranked(offer=eligible[name], score=scores[name], reason=reasons[name]) for name in rest)
    return Decided(ranked=(first, *others), rule=proposed.get(explored.first))
