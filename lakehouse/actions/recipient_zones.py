"""In which time zone somebody is, as their events say it: whose night it is that quiet hours spare.

A document `zone:<type>:<token>` for each identifier, [ms since 1970, zone], in the store that survives, for 400 days after it was said
last. Of a person the latest holds.
Source of the fields: https://segment.com/docs/connections/spec/common/#context (`timezone`), and the trait of that name.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import orjson

from lakehouse.config.declarations import DAY_MS
from lakehouse.events.identifier import Identifier
from lakehouse.events.reader import Reader, text_at
from lakehouse.online.store import Document, OnlineStore

_PLACES = ("context.timezone", "traits.timezone", "context.traits.timezone")
_MOST_KNOWN = 200_000
_AGAIN_MS = DAY_MS  # a zone that is said every minute is written once a day
_KEPT_MS = 400 * DAY_MS  # after it was said last: cookies come and go
_EPOCH = datetime.fromtimestamp(0, UTC)


class RecipientZones:
    """`store`: one that survives. Of one thread, but `of`, which any may ask."""

    def __init__(self, store: OnlineStore, reader: Reader) -> None:
        self._store = store
        self._reader = reader
        # As it was written last: most events say what the one before did.
        self._known: OrderedDict[Identifier, tuple[int, str]] = OrderedDict()

    def take(self, messages: Iterable[tuple[Any, datetime]]) -> None:
        """Remember what events say. `messages`: parsed JSON, and when it arrived. The same again changes nothing.

        Raises:
            StoreError: the store does not answer; to be called again with the same.
        """
        told: dict[Identifier, tuple[int, str]] = {}
        for message, arrived_at in messages:
            zone = self._zone(message)
            if zone is None:
                continue
            at_ms = (self._reader.occurred_at(message, arrived_at) - _EPOCH) // timedelta(milliseconds=1)
            for identifier in self._reader.identifiers(message):
                told[identifier] = max((at_ms, zone), told.get(identifier, (0, "")))
        new = {identifier: said for identifier, said in told.items() if self._is_news(identifier, said)}
        if new:
            self._store.put(
                Document(zone_key(identifier), said[0], orjson.dumps(said), said[0] + _KEPT_MS)
                for identifier, said in new.items()
            )
        for identifier, said in new.items():
            self._known[identifier] = said
            self._known.move_to_end(identifier)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    def _is_news(self, identifier: Identifier, said: tuple[int, str]) -> bool:
        """Later than what is known, and another zone, or the same a day after: of several identifiers the latest word holds."""
        known = self._known.get(identifier)
        if known is None:
            return True
        later_ms, is_other = said[0] - known[0], said[1] != known[1]
        return later_ms > 0 and (is_other or later_ms >= _AGAIN_MS)

    def of(self, identifiers: Sequence[Identifier]) -> str | None:
        """The zone of a person; None = they never said one. Raises StoreError."""
        return zone_told(self._store.get([zone_key(identifier) for identifier in identifiers]))

    def _zone(self, message: Any) -> str | None:
        """The first that is a zone; what is none is as good as not said."""
        if not isinstance(message, dict):
            return None
        said = (text_at(message, place) for place in _PLACES)
        return next((zone for zone in said if zone in _zones()), None)


def zone_key(identifier: Identifier) -> str:
    """Of the document that says in which zone whoever has this identifier is."""
    return f"zone:{identifier[0]}:{identifier[1]}"


def zone_told(documents: Iterable[bytes | None]) -> str | None:
    """The latest zone of a person, that this machine knows. `documents`: of all their identifiers."""
    said = (orjson.loads(data) for data in documents if data is not None)
    return max(((at_ms, zone) for at_ms, zone in said if zone in _zones()), default=(0, None))[1]


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
