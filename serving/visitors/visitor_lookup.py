"""Who asks, in as few exchanges with the online store as there can be; many visitors are read together.

Which keys are needed is known only once the profile is. What it was when the same visitor asked last is a good guess: its
keys are asked along, and only what the guess missed is asked afterwards. So somebody known costs one exchange, a wrong guess
costs more of them, and every answer is of what the store holds now.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from lakehouse.actions.recipient_zones import zone_key, zone_told
from lakehouse.decisions.experiment_unit import unit_key, unit_keys, units_told
from lakehouse.decisions.exposures import for_life, life_key
from lakehouse.decisions.part import Part, parts_of
from lakehouse.decisions.visitor import Visitor, everybody_with, is_suppressed, suppression_key
from lakehouse.errors import StoreError
from lakehouse.events.identifier import Identifier
from lakehouse.online.online_profile import PROFILE, OnlineProfile, identifier_key, profile_id_of
from lakehouse.online.recent_behaviour import of_visitor, recent_behaviour
from lakehouse.online.recent_entries import TIMELINES, key_of
from lakehouse.online.store import Entry
from serving.visitors.pending import Pending

_MOST_ENTRIES = 60  # of each timeline that a decision looks at
_MOST_KEPT = 10_000  # visitors whose profile, as it was, is in memory
_OF_IDENTIFIER = (suppression_key, unit_key, life_key, zone_key)  # facts that are told of whoever has it


class VisitorQuery(NamedTuple):
    """Who, and as of when. `others`: identifiers that came along, whether or not the profile has them."""

    identifier: Identifier
    now: datetime
    others: tuple[Identifier, ...] = ()


class _Guess(NamedTuple):
    """A profile, and the document it was read from: the same document need not be read twice."""

    data: bytes
    profile: OnlineProfile


class VisitorLookup:
    """Reads visitors; remembers the profiles of those who asked lately. `facts`: of the kept store, `pending` itself in Redis."""

    def __init__(self, pending: Pending, facts: Pending) -> None:
        self._pending = pending
        self._facts = facts
        self._guesses: OrderedDict[Identifier, _Guess] = OrderedDict()

    def find(self, queries: Sequence[VisitorQuery], missing: tuple[str, ...] = ()) -> list[Visitor | StoreError]:
        """An answer to each, with `missing` for those who have no profile; an error where a document cannot be read.

        Raises:
            StoreError: the store does not answer.
        """
        asked = [identifier for query in queries for identifier in (query.identifier, *query.others)]
        guesses = [guess.profile for query in queries if (guess := self._guesses.get(query.identifier)) is not None]
        reads = _StoreReads(self._pending, self._facts)
        reads.add(
            [*map(identifier_key, asked), *(PROFILE + profile.profile_id for profile in guesses)],
            everybody_with(asked, guesses),
            [key for profile in guesses for key in unit_keys((), profile)],
        )
        owners = {identifier: _owner(reads.documents[identifier_key(identifier)]) for identifier in asked}
        reads.add([PROFILE + owner for owner in owners.values() if isinstance(owner, str)], ())
        profiles = {identifier: self._profile(identifier, owner, reads) for identifier, owner in owners.items()}
        known = [one for query in queries if isinstance(one := profiles[query.identifier], OnlineProfile)]
        also = [one for query in queries for other in query.others if isinstance(one := profiles[other], OnlineProfile)]
        units = (key for profile in known for key in unit_keys((), profile))
        reads.add((), everybody_with((), [*known, *also]), units)
        return [
            profile
            if isinstance(profile := profiles[query.identifier], StoreError)
            else reads.visitor(query, profile, [profiles[other] for other in query.others], missing)
            for query in queries
        ]

    def _profile(
        self, identifier: Identifier, owner: str | StoreError | None, reads: "_StoreReads"
    ) -> OnlineProfile | StoreError | None:
        data = reads.documents[PROFILE + owner] if isinstance(owner, str) else None
        if data is None:
            self._guesses.pop(identifier, None)
            return owner if isinstance(owner, StoreError) else None
        guess = self._guesses.get(identifier)
        if guess is None or guess.data != data:
            try:
                guess = _Guess(data, OnlineProfile.decode(data))
            except StoreError as error:
                return error
            self._guesses[identifier] = guess
            if len(self._guesses) > _MOST_KEPT:
                self._guesses.popitem(last=False)
        self._guesses.move_to_end(identifier)
        return guess.profile


class _StoreReads:
    """What was read for one group of visitors, each key once.

    What waits to be written is taken first: what is written meanwhile is then seen twice, not missed; entries and versions
    make twice the same as once.
    """

    def __init__(self, pending: Pending, facts: Pending) -> None:
        self._pending = pending
        self._facts = facts
        self._timelines: dict[Identifier, list[Entry]] = {}
        self.documents: dict[str, bytes | None] = {}

    def add(self, keys: Iterable[str], identifiers: Iterable[Identifier], facts: Iterable[str] = ()) -> None:
        """Read what was not yet: documents, facts, and of identifiers their timelines and the facts that are told of them."""
        new = [identifier for identifier in identifiers if identifier not in self._timelines]
        of_new = (key(identifier) for identifier in new for key in _OF_IDENTIFIER)
        wanted = [key for key in dict.fromkeys(keys) if key not in self.documents]
        told = [key for key in dict.fromkeys((*facts, *of_new)) if key not in self.documents]
        names = [key_of(timeline, identifier) for identifier in new for timeline in TIMELINES]
        waiting = self._pending.documents(wanted) | self._facts.documents(told)
        unwritten = self._pending.timelines(names)
        timelines: list[list[Entry]] = []
        if self._facts is self._pending:  # across a network: one exchange for all of it
            wanted, told = [*wanted, *told], []
        if wanted or names:
            documents, timelines = self._pending.store.read(wanted, names, _MOST_ENTRIES)
            self.documents.update(zip(wanted, documents, strict=True))
        if told:
            self.documents.update(zip(told, self._facts.store.get(told), strict=True))
        self.documents.update(waiting)
        for number, identifier in enumerate(new):
            places = range(number * len(TIMELINES), (number + 1) * len(TIMELINES))
            self._timelines[identifier] = [
                entry for place in places for entry in (*timelines[place], *unwritten.get(names[place], ()))
            ]

    def visitor(
        self,
        query: VisitorQuery,
        profile: OnlineProfile | None,
        of_others: Sequence[OnlineProfile | StoreError | None],
        missing: tuple[str, ...],
    ) -> Visitor | StoreError:
        """`of_others`: profiles of `query.others`; where one cannot be read nobody knows what it says."""
        if (unread := next((one for one in of_others if isinstance(one, StoreError)), None)) is not None:
            return unread
        own_id = None if profile is None else profile.profile_id
        by_id = {one.profile_id: one for one in of_others if isinstance(one, OnlineProfile)}
        also = tuple(one for profile_id, one in by_id.items() if profile_id != own_id)
        own = everybody_with((query.identifier,), (profile,))
        identifiers = list(dict.fromkeys((*own, *query.others)))
        entries = [entry for identifier in identifiers for entry in self._timelines[identifier]]
        try:
            entries += [one for identifier in identifiers for one in for_life(self.documents[life_key(identifier)])]
        except StoreError as error:
            return error
        return Visitor(
            identifier=query.identifier,
            profile=profile,
            recent=recent_behaviour(of_visitor(entries, identifiers), query.now),
            is_suppressed=is_suppressed(
                (profile, *also), (self.documents[suppression_key(each)] for each in everybody_with(identifiers, also))
            ),
            units=units_told(unit_keys(own, profile), self.documents),
            missing=missing if profile is None else (),
            also=also,
            parts=self._parts(query, profile, of_others),
            zone=zone_told(self.documents[zone_key(each)] for each in identifiers),
        )

    def _parts(
        self, query: VisitorQuery, profile: OnlineProfile | None, of_others: Sequence[OnlineProfile | StoreError | None]
    ) -> tuple[Part, ...]:
        owners: dict[Identifier, OnlineProfile | None] = {query.identifier: profile}
        owners |= {
            one: each for one, each in zip(query.others, of_others, strict=True) if not isinstance(each, StoreError)
        }
        return parts_of(owners, self._timelines.__getitem__, query.now) if query.others else ()


def _owner(data: bytes | None) -> str | StoreError | None:
    """The profile_id an identifier's document says; an error where it says none."""
    try:
        return None if data is None else profile_id_of(data)
    except StoreError as error:
        return error
