"""Who a person is, read from the online store for whoever acts on people outside a request."""

from collections.abc import Sequence
from datetime import datetime

from lakehouse.config import Config
from lakehouse.decisions.experiment_unit import Units, unit_keys, units_told
from lakehouse.decisions.exposures import for_life, life_key, of_others
from lakehouse.decisions.part import parts_of
from lakehouse.decisions.visitor import Visitor, everybody_with, is_suppressed, suppression_key
from lakehouse.errors import StoreError
from lakehouse.events.identifier import Identifier
from lakehouse.online.online_profile import OnlineProfile, find, owners_of
from lakehouse.online.recent_behaviour import of_visitor, recent_behaviour, recent_of, said_by
from lakehouse.online.store import Entry, OnlineStore
from lakehouse.online.store_state import state_of
from serving.visitors.visitors import NOT_FILLED


class People:
    """Reads the online store for whoever acts on people outside a request. `kept`: as of lakehouse/online/engines.py."""

    def __init__(self, store: OnlineStore, kept: OnlineStore, config: Config) -> None:
        self._store = store
        self._kept = kept
        self._identity = config.identity

    def find(self, identifiers: tuple[Identifier, ...]) -> OnlineProfile | None:
        """The profile of the strongest of them; None when there is none.

        Raises:
            StoreError: the store does not answer.
        """
        return find(self._store, identifiers, self._identity)

    def who(self, identifiers: tuple[Identifier, ...], now: datetime) -> Visitor:
        """The person, without what they did: whom the log and caps count. Raises StoreError as `find` does."""
        profile = self.find(identifiers)
        return Visitor(
            identifier=identifiers[0],
            profile=profile,
            recent=recent_behaviour([], now),
            units=self._units(everybody_with(identifiers, (profile,)), profile),
        )

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
        owners = owners_of(self._store, identifiers, self._identity)
        profiles = list({one.profile_id: one for one in owners.values() if one is not None}.values())
        profile, also = next(iter(profiles), None), tuple(profiles[1:])
        if profile is None and not state_of(self._store).is_filled:
            raise StoreError(f"{NOT_FILLED}. It is tried again")
        everybody = everybody_with(identifiers, (profile,))
        words = self._kept.get(list(map(suppression_key, everybody_with(everybody, also))))
        shown = self._kept.get([life_key(identifier) for identifier in everybody])
        lasting = [entry for document in shown for entry in for_life(document)]
        entries = of_visitor([*recent_of(self._store, everybody), *newest, *lasting], everybody)
        return Visitor(
            identifier=identifiers[0],
            profile=profile,
            recent=recent_behaviour(of_others(entries, decision_id), now),
            is_suppressed=is_suppressed(profiles, words),
            units=self._units(everybody, profile),
            also=also,
            parts=parts_of(dict.fromkeys(identifiers) | owners, lambda one: said_by(self._store, one), now),
        )

    def remember_unit(self, visitor: Visitor, now: datetime) -> None:
        """Keep as whom experiments count the person. Raises StoreError."""
        self._kept.put(visitor.units.to_tell(visitor.unit, int(now.timestamp() * 1000)))

    def _units(self, everybody: Sequence[Identifier], profile: OnlineProfile | None) -> Units:
        keys = unit_keys(everybody, profile)
        return units_told(keys, dict(zip(keys, self._kept.get(keys), strict=True)))
