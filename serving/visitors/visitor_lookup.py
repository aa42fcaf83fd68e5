"""Who asks, in as few exchanges with the online store as there can be; many visitors are read together.

Which keys are needed is known only once the profile is. What it was when the same visitor asked last is a good guess: its
keys are asked along, and only what the guess missed is asked afterwards. So somebody known costs one exchange, a wrong guess
costs more of them, and every answer is of what the store holds now.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from lakehouse.decisions.visitor import Visitor
from lakehouse.errors import StoreError
from lakehouse.identity.identifier import Identifier
from lakehouse.online.profiles import PROFILE, OnlineProfile, identifier_key, profile_id_of
from lakehouse.online.recent_behaviour import of_visitor, recent_behaviour
from lakehouse.online.recent_entries import TIMELINES, key_of
from lakehouse.online.store import Entry, OnlineStore
from serving.visitors.pending import Pending

_MOST_ENTRIES = 60  # of each timeline that a decision looks at
_MOST_KEPT = 10_000  # visitors whose profile, as it was, is in memory


class Asked(NamedTuple):
    """One question: who, and when."""

    identifier: Identifier
    now: datetime


class _Guess(NamedTuple):
    """A profile, and the document it was read from: the same document need not be read twice."""

    data: bytes
    profile: OnlineProfile


class Finder:
    """Reads visitors; remembers the profiles of those who asked lately."""

    def __init__(self, store: OnlineStore, pending: Pending) -> None:
        self._store = store
        self._pending = pending
        self._guesses: OrderedDict[Identifier, _Guess] = OrderedDict()

    def find(self, questions: Sequence[Asked], missing: tuple[str, ...] = ()) -> list[Visitor | StoreError]:
        """An answer to each, with `missing` for those who have no profile; an error where a document cannot be read.

        Raises:
            StoreError: the store does not answer.
        """
        asked = [one.identifier for one in questions]
        reading = _Reading(self._store, self._pending)
        guesses = [guess.profile for one in asked if (guess := self._guesses.get(one)) is not None]
        reading.look(
            [*map(identifier_key, asked), *(PROFILE + one.profile_id for one in guesses)],
            {*asked, *(identifier for one in guesses for identifier in one.identifiers)},
        )
        owners = [_owner(reading.documents[identifier_key(one)]) for one in asked]
        reading.look([PROFILE + owner for owner in owners if isinstance(owner, str)], ())
        profiles = [self._profile(one, owner, reading) for one, owner in zip(asked, owners, strict=True)]
        reading.look((), {one for found in profiles if isinstance(found, OnlineProfile) for one in found.identifiers})
        return [
            found if isinstance(found, StoreError) else reading.visitor(question, found, missing)
            for question, found in zip(questions, profiles, strict=True)
        ]

    def _profile(
        self, asked: Identifier, owner: str | StoreError | None, reading: "_Reading"
    ) -> OnlineProfile | StoreError | None:
        data = reading.documents[PROFILE + owner] if isinstance(owner, str) else None
        if data is None:
            self._guesses.pop(asked, None)
            return owner if isinstance(owner, StoreError) else None
        guess = self._guesses.get(asked)
        if guess is None or guess.data != data:
            try:
                guess = _Guess(data, OnlineProfile.decode(data))
            except StoreError as error:
                return error
            self._guesses[asked] = guess
            if len(self._guesses) > _MOST_KEPT:
                self._guesses.popitem(last=False)
        self._guesses.move_to_end(asked)
        return guess.profile


class _Reading:
    """What was read for one group of visitors, each key once.

    What waits to be written is taken first: what is written meanwhile is then seen twice, not missed; entries and versions
    make twice the same as once.
    """

    def __init__(self, store: OnlineStore, pending: Pending) -> None:
        self._store = store
        self._pending = pending
        self._timelines: dict[Identifier, list[Entry]] = {}
        self.documents: dict[str, bytes | None] = {}

    def look(self, keys: Iterable[str], identifiers: Iterable[Identifier]) -> None:
        """Read what was not yet: documents, and of identifiers whether they are suppressed, and their timelines."""
        new = [one for one in identifiers if one not in self._timelines]
        wanted = [one for one in dict.fromkeys((*keys, *map(suppression_key, new))) if one not in self.documents]
        if not wanted and not new:
            return
        names = [key_of(timeline, one) for one in new for timeline in TIMELINES]
        waiting, unwritten = self._pending.documents(wanted), self._pending.timelines(names)
        documents, timelines = self._store.read(wanted, names, _MOST_ENTRIES)
        self.documents.update(zip(wanted, documents, strict=True))
        self.documents.update(waiting)
        for number, one in enumerate(new):
            places = range(number * len(TIMELINES), (number + 1) * len(TIMELINES))
            self._timelines[one] = [
                entry for place in places for entry in (*timelines[place], *unwritten.get(names[place], ()))
            ]

    def visitor(self, question: Asked, profile: OnlineProfile | None, missing: tuple[str, ...]) -> Visitor:
        asked, now = question
        identifiers = list(dict.fromkeys((asked, *(() if profile is None else profile.identifiers))))
        entries = [entry for one in identifiers for entry in self._timelines[one]]
        return Visitor(
            asked=asked,
            profile=profile,
            recent=recent_behaviour(of_visitor(entries, identifiers), now),
            is_suppressed=any(self.documents[suppression_key(one)] is not None for one in identifiers),
            missing=missing if profile is None else (),
        )


def suppression_key(identifier: Identifier) -> str:
    return f"suppressed:{identifier[0]}:{identifier[1]}"


def _owner(data: bytes | None) -> str | StoreError | None:
    """The profile_id an identifier's document says; an error where it says none."""
    try:
        return None if data is None else profile_id_of(data)
    except StoreError as error:
        return error
