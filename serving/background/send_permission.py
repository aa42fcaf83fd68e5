"""Whether a person may be written to, asked right before it is done: suppression, consent and caps as of now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lakehouse.actions.action import Action
from lakehouse.decisions.exposures import capped, offer_cap, rule_cap
from lakehouse.decisions.offers import Offer
from lakehouse.rules.book import Rule
from serving.background.people import People


@dataclass(frozen=True, kw_only=True)
class SendPermission:
    """`assumed`: consent where nobody was asked. `offers`, `rules`: by name, as they are now."""

    people: People
    assumed: bool
    offers: Callable[[], Mapping[str, Offer]]
    rules: Callable[[], Mapping[str, Rule]]

    def capped(self, action: Action, now: datetime) -> frozenset[str]:
        """The subjects of caps that the action counts for, of this person. Raises StoreError."""
        subjects = capped(*self._shown_by(action))
        if not subjects:
            return frozenset()  # nobody need be looked up
        unit = self.people.who(action.identifiers, now).unit
        return frozenset(f"{unit}:{subject}" for subject in subjects)

    def refusal(self, action: Action, now: datetime) -> str | None:
        """Why the action must not be done, in a word or two; None when it may.

        Raises:
            StoreError: nobody knows; then nobody may be written to.
        """
        visitor = self.people.visitor(action.identifiers, now, decision_id=action.decision_id)
        if visitor.is_suppressed:
            return "suppressed"
        if not visitor.consent(assumed=self.assumed)[action.purpose]:
            return "consent"
        shown = visitor.recent.exposures
        offer, rule = self._shown_by(action)
        reached = None if offer is None else offer_cap(offer, shown, now)
        return reached or (None if rule is None else rule_cap(rule, shown, now))

    def _shown_by(self, action: Action) -> tuple[Offer | None, Rule | None]:
        """The offer the action shows and the rule it comes from, as they are now."""
        rule = self.rules().get(action.name) if action.cause == "rule" else None
        return self.offers().get(action.offer or ""), rule
