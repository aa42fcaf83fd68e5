"""Whether a person may be written to, asked right before it is done: suppression, consent and caps as of now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lakehouse.actions.action import Action
from lakehouse.config import Config
from lakehouse.decisions.exposures import capped, of_others, offer_cap, rule_cap
from lakehouse.decisions.offers import Offer
from lakehouse.decisions.visitor import Visitor
from lakehouse.errors import StoreError
from lakehouse.identity.identifier import Identifier
from lakehouse.online.profiles import OnlineProfile, find
from lakehouse.online.recent_behaviour import of_visitor, recent_behaviour, recent_of
from lakehouse.online.store import Entry, OnlineStore
from lakehouse.online.store_state import state_of
from lakehouse.rules.book import Rule
from serving.visitors.visitor_lookup import suppression_key
from serving.visitors.visitors import NOT_FILLED


class People:
    """Reads the online store for whoever acts on people outside a request."""

    def __init__(self, store: OnlineStore, config: Config) -> None:
        self._store = store
        self._identity = config.identity

    def find(self, identifiers: tuple[Identifier, ...]) -> OnlineProfile | None:
        """The profile of the strongest of them; None when there is none.

        Raises:
            StoreError: the store does not answer.
        """
        return find(self._store, identifiers, self._identity)

    def who(self, identifiers: tuple[Identifier, ...], now: datetime) -> Visitor:
        """The person, without what they did: whom the log and caps count. Raises StoreError as `find` does."""
        return Visitor(asked=identifiers[0], profile=self.find(identifiers), recent=recent_behaviour([], now))

    def visitor(
        self, identifiers: Sequence[Identifier], now: datetime, *, decision_id: str, newest: Sequence[Entry] = ()
    ) -> Visitor:
        """The person behind the identifiers, as everything that is known of them tells; never with anything missing.

        Args:
            identifiers: of the person, the strongest first.
            now: when it is asked.
            decision_id: what is asked for; that it was shown already is no reason not to show it.
            newest: entries that may not be in the store yet.

        Raises:
            StoreError: the store does not answer, or is being filled: nobody knows then what the person said.
        """
        profile = self.find(tuple(identifiers))
        if profile is None and not state_of(self._store).is_filled:
            raise StoreError(f"{NOT_FILLED}. It is tried again")
        everybody = list(dict.fromkeys([*identifiers, *(() if profile is None else profile.identifiers)]))
        suppressed = self._store.get([suppression_key(one) for one in everybody])
        seen = of_visitor([*recent_of(self._store, everybody), *newest], everybody)
        return Visitor(
            asked=identifiers[0],
            profile=profile,
            recent=recent_behaviour(of_others(seen, decision_id), now),
            is_suppressed=any(value is not None for value in suppressed),
        )


@dataclass(frozen=True, kw_only=True)
class MaySend:
    """`assumed`: consent where nobody was asked. `offers`, `rules`: by name, as they are now."""

    people: People
    assumed: bool
    offers: Callable[[], Mapping[str, Offer]]
    rules: Callable[[], Mapping[str, Rule]]

    def capped(self, action: Action, now: datetime) -> frozenset[str]:
        """The subjects of caps that the action counts for, of this person. Raises StoreError."""
        subjects = capped(*self._told(action))
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
        offer, rule = self._told(action)
        reached = None if offer is None else offer_cap(offer, shown, now)
        return reached or (None if rule is None else rule_cap(rule, shown, now))

    def _told(self, action: Action) -> tuple[Offer | None, Rule | None]:
        """The offer the action shows and the rule it comes from, as they are now."""
        rule = self.rules().get(action.name) if action.cause == "rule" else None
        return self.offers().get(action.offer or ""), rule
