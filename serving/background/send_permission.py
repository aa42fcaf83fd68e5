"""Whether a person may be written to, asked right before it is done: by the rules every decision is made by, as of now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lakehouse.actions.action import Action
from lakehouse.decisions.circumstances import Circumstances, DecisionInputs, circumstances_of
from lakehouse.decisions.decide import OfferRequest, decide
from lakehouse.decisions.exposures import capped, rule_cap
from lakehouse.decisions.gate import Permitted, Refused, permit
from lakehouse.decisions.offers import Offer
from lakehouse.errors import StoreError
from lakehouse.rules.book import Rule
from serving.background.people import People

MOST_BEHIND_SECONDS = 5.0
UNHEARD = "events: what people said last is not read yet. Nobody is written to before it is; it is tried again"


@dataclass(frozen=True, kw_only=True)
class SendPermission:
    """`inputs`: what decisions of this moment are made from. `rules`: by name, as they are now.

    `unheard_seconds`: how long ago the moment is up to which all that people said is in the store.
    """

    people: People
    inputs: Callable[[], DecisionInputs]
    rules: Callable[[], Mapping[str, Rule]]
    unheard_seconds: Callable[[], float]

    def capped(self, action: Action, now: datetime) -> frozenset[str]:
        """The subjects of caps that the action counts for, of this person. Raises StoreError."""
        subjects = capped(*self._shown_by(action, self.inputs()))
        if not subjects:
            return frozenset()  # nobody need be looked up
        unit = self.people.who(action.identifiers, now).unit
        return frozenset(f"{unit}:{subject}" for subject in subjects)

    def permit(self, action: Action, now: datetime) -> Permitted[Action] | Refused:
        """Let the action pass as of now, or say why not.

        That a rule fires was decided by the event that set it off, which is gone by now. What it offers is decided on here, as what a
        moment offers is: validity, audience, tier, stock, caps, and the rules that forbid.

        Raises:
            StoreError: nobody knows; then nobody may be written to.
        """
        if self.unheard_seconds() > MOST_BEHIND_SECONDS:
            raise StoreError(UNHEARD)
        inputs = self.inputs()
        if inputs.catalogue is None or inputs.book is None or inputs.experiments is None:
            raise StoreError("offers, rules or experiments: cannot be read. Nobody is written to; it is tried again")
        visitor = self.people.visitor(action.identifiers, now, decision_id=action.decision_id)
        circumstances = circumstances_of(visitor, inputs, now=now, event=action.context())
        passed = permit(action, circumstances, action.purpose)
        if isinstance(passed, Refused):
            return passed
        reason = self._speaks_against(action, circumstances, inputs)
        return passed if reason is None else Refused(reason)

    def _speaks_against(self, action: Action, circumstances: Circumstances, inputs: DecisionInputs) -> str | None:
        offer, rule = self._shown_by(action, inputs)
        if rule is not None and (reached := rule_cap(rule, circumstances.shown, circumstances.now)) is not None:
            return reached
        if action.offer is None:
            return None
        if offer is None:
            return f"{action.offer}: no longer an offer"
        decided = decide(OfferRequest(channel=None, offers=(offer.name,)), circumstances)
        return None if decided.ranked else f"{offer.name}: {decided.silence}"

    def _shown_by(self, action: Action, inputs: DecisionInputs) -> tuple[Offer | None, Rule | None]:
        """The offer the action shows and the rule it comes from, as they are now."""
        rule = self.rules().get(action.name) if action.cause == "rule" else None
        offers = {} if inputs.catalogue is None else inputs.catalogue.offers
        return offers.get(action.offer or ""), rule
