"""The order in which an offer is decided on: `decide(request, circumstances)`, the one way to an offer. Pure.

silence                                  who must be left alone, whatever there is to say: gate.py
forbidding rules                         what must not be said
gate                                     consent to the offer's purpose
eligibility                              validity, audience, tier, caps, quiet hours, stock
forcing rules                            the strongest of them decides, nothing is explored
proposing rules                          when some propose, only what they propose is weighed; else all that is left
arbitration                              worth x chance x boost; a policy explores within it, its propensity is logged
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from lakehouse.decisions.circumstances import Circumstances
from lakehouse.decisions.eligibility import refusal
from lakehouse.decisions.exposures import rule_cap
from lakehouse.decisions.gate import Permitted, Refused, permit, silence_of
from lakehouse.decisions.offers import Catalogue, Offer, Purpose
from lakehouse.decisions.trace import Trace
from lakehouse.rules.book import Rule

CERTAIN = 1.0
NO_CATALOGUE = "no catalogue of offers"
EXPECTED_VALUE = "expected value"


class Ranked(NamedTuple):
    """An offer in the answer. `propensity`: probability with which it came first; None for those that did not."""

    permitted: Permitted[Offer]
    score: float
    reason: str
    propensity: float | None = None

    @property
    def offer(self) -> Offer:
        return self.permitted.what


class ChosenBy(NamedTuple):
    """The policy that chose, and its version: what the decision log says of it."""

    policy: str
    version: str


class Explored(NamedTuple):
    """What a policy says of the candidates. `chances`: expected reward of each, 0..1; `first`: its choice, for `reason`.

    chosen_by: None = no policy was asked. features: what it saw of the person.
    """

    first: str
    propensity: float
    chances: Mapping[str, float]
    reason: str = EXPECTED_VALUE
    chosen_by: ChosenBy | None = None
    features: tuple[float, ...] = ()


class Explorer(Protocol):
    """Chooses among offers by what came of earlier ones; `worths` weighs the chances."""

    def __call__(self, worths: Mapping[str, float], context: Mapping[str, object]) -> Explored: ...


def certain(worths: Mapping[str, float], context: Mapping[str, object]) -> Explored:
    """The explorer of a choice that is made."""
    return Explored(first=next(iter(worths)), propensity=CERTAIN, chances=dict.fromkeys(worths, 1.0))


def _no_trace() -> Trace:
    return Trace(is_wanted=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferRequest:
    """What is asked. Where callers rightly differ, they differ in these fields and in nothing else.

    channel: where it is to be said. None: at the destinations a rule declares; their workers wait for quiet hours to
        end, so quiet hours are not decided on, and an offer's own channels are not asked for.
    offers: choose among these only; () = among the whole catalogue.
    rule: name of the rule by which the stream has chosen already; None = nothing is chosen. It must hold and be within
        its caps; its offer is the only one there is; of the other rules only those that forbid have a say.
    explorer: chooses among what is left; greedy where nothing may be explored. `certain`, where nothing is left to choose.
    trace: where the steps are written down, if anybody wants them.
    """

    channel: str | None
    offers: Sequence[str] = ()
    rule: str | None = None
    explorer: Explorer = certain
    trace: Trace = field(default_factory=_no_trace)


class Decided(NamedTuple):
    """Offers best first; empty = nothing is to be said. `is_forced`: a rule overrode arbitration. `chosen_by`: None = no policy chose."""

    ranked: tuple[Ranked, ...] = ()
    is_forced: bool = False
    rule: str | None = None
    silence: str | None = None  # why nothing is said
    chosen_by: ChosenBy | None = None
    features: tuple[float, ...] = ()  # what the policy saw


def decide(request: OfferRequest, circumstances: Circumstances) -> Decided:
    """Decide which offer is made, if any."""
    trace, catalogue = request.trace, circumstances.catalogue
    silence = NO_CATALOGUE if catalogue is None else silence_of(circumstances)
    if silence is not None or catalogue is None:
        trace.add("suppression", str(silence))
        return Decided(silence=silence)
    rules, offers = circumstances.rules, request.offers
    if request.rule is not None:
        chosen = next((rule for rule in rules if rule.name == request.rule), None)
        if chosen is None:
            return Decided(silence=f"rule {request.rule} does not hold")
        if not _within_caps(chosen, circumstances, trace):
            return Decided(silence=f"rule {request.rule} is at its cap")
        rules = [*(rule for rule in rules if rule.effect == "forbid"), chosen]
        offers = (chosen.offer or "",)
    muted = next((rule for rule in rules if rule.effect == "forbid" and forbids_everything(rule)), None)
    if muted is not None:
        trace.add("rule", "forbids every offer", muted.name)
        return Decided(silence=f"rule {muted.name}", rule=muted.name)
    eligible = _eligible(catalogue, rules, circumstances, request, offers)
    if not eligible:
        return Decided(silence="no offer is left")
    for rule in rules:
        if rule.effect == "force" and rule.offer in eligible and _within_caps(rule, circumstances, trace):
            trace.add("rule", f"forces {rule.offer}", rule.name)
            permitted = eligible[rule.offer]
            score, reason = float(permitted.what.value), f"rule {rule.name}"
            first = Ranked(permitted=permitted, score=score, reason=reason, propensity=CERTAIN)
            return Decided(ranked=(first,), is_forced=True, rule=rule.name)
    return _arbitrate(eligible, rules, circumstances, request)


def forbids_everything(rule: Rule) -> bool:
    """A forbid that names no offer, no product and no category."""
    return rule.offer is None and not rule.products and rule.category is None


def _eligible(
    catalogue: Catalogue,
    rules: Sequence[Rule],
    circumstances: Circumstances,
    request: OfferRequest,
    offers: Sequence[str],
) -> dict[str, Permitted[Offer]]:
    trace = request.trace
    forbidden = {rule.offer: rule.name for rule in rules if rule.effect == "forbid" and rule.offer is not None}
    left: dict[str, Permitted[Offer]] = {}
    by_purpose: dict[Purpose, Permitted[None] | Refused] = {}  # of eight offers most are for one purpose
    for name, offer in catalogue.offers.items():
        if offers and name not in offers:
            continue
        if name in forbidden:
            trace.add("rule", f"forbidden by {forbidden[name]}", name)
            continue
        passed = by_purpose.get(offer.purpose)
        if passed is None:
            passed = by_purpose[offer.purpose] = permit(None, circumstances, offer.purpose)
        if isinstance(passed, Refused):
            trace.add("eligibility", passed.reason, name)
        elif (reason := refusal(offer, catalogue, circumstances, channel=request.channel)) is not None:
            trace.add("eligibility", reason, name)
        else:
            left[name] = passed.put_as(offer)
    return left


def _within_caps(rule: Rule, circumstances: Circumstances, trace: Trace) -> bool:
    reached = rule_cap(rule, circumstances.shown, circumstances.now)
    if reached is not None:
        trace.add("rule", reached, rule.name)
    return reached is None


def _arbitrate(
    eligible: Mapping[str, Permitted[Offer]], rules: Sequence[Rule], circumstances: Circumstances, request: OfferRequest
) -> Decided:
    trace = request.trace
    proposed: dict[str, str] = {}
    boosts: dict[str, float] = {}
    for rule in rules:
        if rule.offer is None or rule.offer not in eligible or not _within_caps(rule, circumstances, trace):
            continue
        if rule.effect == "propose":
            proposed.setdefault(rule.offer, rule.name)
        elif rule.effect == "boost":
            boosts[rule.offer] = boosts.get(rule.offer, 1.0) * rule.weight
    names = [name for name in eligible if name in proposed] if proposed else list(eligible)
    for name, rule_name in proposed.items():
        trace.add("rule", f"proposes {name}", rule_name)
    worths = {name: float(eligible[name].what.value) * boosts.get(name, 1.0) for name in names}
    explored = request.explorer(worths, circumstances.context)
    scores = {name: worths[name] * explored.chances[name] for name in names}
    if trace.is_wanted:
        trace.add("bandit", f"chooses with propensity {explored.propensity:.4f}", explored.first)
        for name in names:
            trace.add("arbitration", f"worth {worths[name]:.2f} x chance {explored.chances[name]:.4f}", name)
    rest = sorted((name for name in names if name != explored.first), key=lambda name: (-scores[name], name))
    reasons = dict.fromkeys(names, EXPECTED_VALUE) | {explored.first: explored.reason}
    reasons |= {name: f"rule {rule_name}" for name, rule_name in proposed.items()}
    first = Ranked(
        permitted=eligible[explored.first],
        score=scores[explored.first],
        reason=reasons[explored.first],
        propensity=explored.propensity,
    )
    others = (Ranked(permitted=eligible[name], score=scores[name], reason=reasons[name]) for name in rest)
    return Decided(
        ranked=(first, *others),
        rule=proposed.get(explored.first),
        chosen_by=explored.chosen_by,
        features=explored.features,
    )
