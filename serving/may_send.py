"""Whether a person may be written to, asked right before it is done: consent and suppression as of now."""

from datetime import datetime

from lakehouse.config import Config
from lakehouse.decisions.visitor import Visitor
from lakehouse.identity.identifier import Identifier
from lakehouse.online.profiles import OnlineProfile, find
from lakehouse.online.recent import recent_behaviour, recent_of
from lakehouse.online_store import OnlineStore
from serving.visitors import suppression_key


class People:
    """Reads the online store for whoever acts on people outside a request."""

    def __init__(self, store: OnlineStore, config: Config) -> None:
        self._store = store
        self._identity = config.identity
        self._assumed = config.consent.never_asked == "granted"

    def find(self, identifiers: tuple[Identifier, ...]) -> OnlineProfile | None:
        """The profile of the strongest of them; None when there is none.

        Raises:
            StoreError: the store does not answer.
        """
        return find(self._store, identifiers, self._identity)

    def may_send(self, identifiers: tuple[Identifier, ...], purpose: str, now: datetime) -> bool:
        """By the latest word of the person, under whichever identifier it was given.

        Raises:
            StoreError: the store does not answer: then nobody may be written to.
        """
        profile = self.find(identifiers)
        everybody = list(dict.fromkeys([*identifiers, *(() if profile is None else profile.identifiers)]))
        if any(value is not None for value in self._store.get([suppression_key(one) for one in everybody])):
            return False
        recent = recent_behaviour(recent_of(self._store, everybody), now)
        visitor = Visitor(asked=identifiers[0], profile=profile, recent=recent)
        return visitor.consent(assumed=self._assumed)[purpose]
