"""Who a person is, read from the online store for whoever acts on people outside a request."""

from collections.abc import Sequence
from datetime import datetime

from lakehouse.config import Config
from lakehouse.decisions.exposures import of_others
from lakehouse.decisions.visitor import Visitor
from lakehouse.errors import StoreError
from lakehouse.events.identifier import Identifier
from lakehouse.online.online_profile import OnlineProfile, find
from lakehouse.online.recent_behaviour import of_visitor, recent_behaviour, recent_of
from lakehouse.online.store import Entry, OnlineStore
from lakehouse.online.store_state import state_of
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
        return Visitor(identifier=identifiers[0], profile=self.find(identifiers), recent=recent_behaviour([], now))

    def visitor(
        self, identifiers: Sequence[Identifier], now: datetime, *, decision_id: str, newest: Sequence[Entry] = ()
    ) -> Visitor:
        """The person behind the identifiers, as everything that is known of them tells; never with anything missing.

        Args:
            identifiers: of the person, the strongest first.
            now: UTC.
            decision_id: of the decision; that it was shown already is no reason not to show it.
            newest: entries that may not be in the store yet.

        Raises:
            StoreError: the store does not answer, or is being filled: nobody knows then what the person said.
        """
        profile = self.find(tuple(identifiers))
        if profile is None and not state_of(self._store).is_filled:
            raise StoreError(f"{NOT_FILLED}. It is tried again")
        everybody = list(dict.fromkeys([*identifiers, *(() if profile is None else profile.identifiers)]))
        suppressed = self._store.get([suppression_key(identifier) for identifier in everybody])
        entries = of_visitor([*recent_of(self._store, everybody), *newest], everybody)
        return Visitor(
            identifier=identifiers[0],
            profile=profile,
            recent=recent_behaviour(of_others(entries, decision_id), now),
            is_suppressed=any(value is not None for value in suppressed),
        )
