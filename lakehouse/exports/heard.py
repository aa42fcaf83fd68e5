"""Whether gold holds what people said last: nothing is sent while their events wait to be read (docs/decisions/0068), here as in letters.

The ends of the topics are noted, and once the `events` query has finished a micro-batch that went so far, whatever was said before is in
gold. Of a lake that no query on this machine has ever kept there is nothing to wait for: somebody else's copy says what it says.
"""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from lakehouse.config import KafkaConfig
from lakehouse.errors import BrokerError, DestinationAwayError
from lakehouse.exports.elapsed import has_passed
from lakehouse.kafka import admin
from lakehouse.kafka.topics import event_topics
from lakehouse.lake.checkpoint import OF_EVENTS, end_here, reached_here

PATIENCE_SECONDS = 60.0
MOST_UNHEARD = timedelta(seconds=30)
"""Beside running streams something always waits: what was said longer ago than this is in gold (docs/decisions/0068)."""
_LOOK_SECONDS = 0.5
_BY_HAND = "say with --as-gold-says that gold is to be believed as it is"
_NOTED_EVERY = timedelta(seconds=2)
_MOST_NOTES = 30  # older ones than MOST_UNHEARD are of no use
Ends = Mapping[str, Mapping[str, int]]
"""topic -> partition -> the first offset that is not there, or not read, yet."""


def await_heard(lake: Path, kafka: KafkaConfig, *, sleep: Callable[[float], None]) -> None:
    """Return once gold holds all that was in the topics when this was called.

    Raises:
        BrokerError: nobody can say what was.
        DestinationAwayError: it does not in time.
    """
    checkpoint = lake / "_checkpoints" / OF_EVENTS
    if reached_here(checkpoint, "commits") is None:
        return
    try:
        there = _ends(kafka)
    except BrokerError as error:
        raise BrokerError(f"{error}; or {_BY_HAND}: nobody knows what people said last") from error
    waited = 0.0
    while waiting := _unread(there, reached_here(checkpoint, "commits") or {}):
        if waited >= PATIENCE_SECONDS:
            raise DestinationAwayError(
                f"{OF_EVENTS}: {waiting} records wait to be read, expected none: nobody knows what people said last. Start streaming, or let it "
                f"catch up; or {_BY_HAND}"
            )
        sleep(_LOOK_SECONDS)
        waited += _LOOK_SECONDS


def is_heard(lake: Path, kafka: KafkaConfig, *, batch_id: int | None) -> bool:
    """Whether gold holds all that is in the topics now. batch_id: of the micro-batch that gold holds already, and that is not finished; None = of none.

    Raises:
        BrokerError: nobody can say what is.
    """
    checkpoint = lake / "_checkpoints" / OF_EVENTS
    read = reached_here(checkpoint, "commits") if batch_id is None else end_here(checkpoint, batch_id)
    return not _unread(_ends(kafka), read or {})


class Hearing:
    """Asked again and again, beside running streams; of several threads. Where the topics end is noted every few seconds; once gold has all of that, it
    has heard what was said until then. So its answer is as fresh as the last micro-batch.
    """

    def __init__(self, lake: Path, kafka: KafkaConfig, clock: Callable[[], datetime]) -> None:
        self._checkpoint, self._kafka, self._clock = lake / "_checkpoints" / OF_EVENTS, kafka, clock
        self._noted: deque[tuple[datetime, Ends]] = deque(maxlen=_MOST_NOTES)
        self._looked_at: datetime | None = None
        self._heard_until: datetime | None = None
        self._fault: BrokerError | None = None
        self._one_at_a_time = Lock()

    def note(self) -> None:
        """Look where the topics end, if that is due. That nobody can say is told by `is_heard`."""
        with self._one_at_a_time:
            self._note()

    def is_heard(self) -> bool:
        """Whether gold holds what was said, but for the last MOST_UNHEARD. Raises BrokerError: nobody can say."""
        with self._one_at_a_time:
            read = reached_here(self._checkpoint, "commits")
            if read is None:  # no query on this machine keeps the lake
                return True
            self._note()
            while self._noted and not _unread(self._noted[0][1], read):
                self._heard_until = self._noted.popleft()[0]
            is_fresh = not has_passed(self._heard_until, self._clock(), MOST_UNHEARD)
            if self._fault is not None and not is_fresh:
                raise self._fault
            return is_fresh

    def _note(self) -> None:
        now = self._clock()
        # Where the clock was set back nobody knows of the notes how old they are.
        if self._looked_at is not None and now < self._looked_at:
            self._noted.clear()
            self._heard_until = None
        if not has_passed(self._looked_at, now, _NOTED_EVERY):
            return
        self._looked_at, self._fault = now, None
        try:
            self._noted.append((now, _ends(self._kafka)))
        except BrokerError as error:
            self._fault = error


def _ends(kafka: KafkaConfig) -> Ends:
    return admin.end_offsets(kafka, event_topics(kafka))


def _unread(there: Ends, read: Ends) -> int:
    pairs = ((end, read.get(topic, {}).get(part, 0)) for topic, parts in there.items() for part, end in parts.items())
    return sum(max(0, end - begun) for end, begun in pairs)
