"""Files of a source -> messages for the events topic, each once: the way into the lake that everything else takes, too.

A message is the same whenever and wherever its record is read: its id is the one the mapping declares, else a fingerprint of the record,
which no name of a file and no order of columns is part of. Of records of one file that say the very same the second is another one: two
people may buy the same thing in the same minute; unless the source says that its files hold copies (format.copies). So a file that is imported again, under another name or after a year, or one that holds
a part of another, sends what is not there yet (lakehouse/sources/known_messages.py), and an import that was killed is begun again.

Read here, in order; drafted a piece at a time, by other processes where there is much of it; asked for and handed over here, in order.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from lakehouse.errors import SourceError
from lakehouse.kafka.message import Message
from lakehouse.sources.digests import BYTES, Digests
from lakehouse.sources.drafts import AT_ONCE, Draft, Drafter, Piece, drafter
from lakehouse.sources.known_messages import KnownMessages
from lakehouse.sources.record import Record, fingerprint
from lakehouse.sources.record_files import records
from lakehouse.sources.source import Source

PROGRESS_EVERY = 100_000  # records
One = TypeVar("One")


@dataclass(kw_only=True)
class Tally:
    """What became of the records of an import, each in one of four ways. reasons: of those that are unmapped, and how many."""

    records: int = 0
    sent: int = 0
    known: int = 0
    skipped: int = 0
    unmapped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


OnProgress = Callable[[Path, Tally], None]


class Mark(NamedTuple):
    """How far a file has come. rows: records from its first on. said: what they say, as a digest."""

    rows: int
    said: str


class Marks(Protocol):
    """How far each file has come: what lies before its mark is in the topic, or is no event, and nobody need ask."""

    def of(self, file: Path) -> Mark | None: ...

    def put(self, file: Path, mark: Mark) -> None:
        """All messages of what lies before it were handed over, and not more than that is known of them."""


class NoMarks:
    """Every record is asked for."""

    def of(self, file: Path) -> Mark | None:
        return None

    def put(self, file: Path, mark: Mark) -> None:
        pass


def messages(
    files: Sequence[Path],
    source: Source,
    known: KnownMessages,
    tally: Tally,
    on_progress: OnProgress,
    *,
    draft: Drafter | None = None,
    marks: Marks | None = None,
) -> Iterator[Message]:
    """The messages that are not known yet, in the order of the files; what becomes of each record is counted as it is read. Those of a file are known after it.

    Unmapped records are messages, too: the parse puts them into quarantine. `draft`: None = here. `marks`: None = none.

    Raises:
        SourceError: a file cannot be read.
    """
    draft, marks = draft or drafter(source), marks or NoMarks()
    for file in files:
        of_this_file = bytearray()
        told = tally.records // PROGRESS_EVERY
        for piece, made in draft(_unmarked(file, source, marks.of(file), tally)):
            unknown = _unknown(made.drafts, known)
            tally.records += len(piece.records) + piece.dropped
            tally.skipped += made.skipped
            tally.unmapped += made.reasons.total()
            tally.reasons += made.reasons
            tally.known += piece.dropped + len(made.drafts) - len(unknown)
            now = datetime.now(UTC)
            for one in unknown:
                tally.sent += 1
                of_this_file += one.digest
                yield Message(key=one.key, value=one.value, at=now)
            marks.put(file, Mark(piece.rows, piece.said.hex()))
            if told != (told := tally.records // PROGRESS_EVERY):
                on_progress(file, tally)
        known.add(of_this_file)
        on_progress(file, tally)


def _unknown(drafts: Sequence[Draft], known: KnownMessages) -> list[Draft]:
    return [one for one, is_known in zip(drafts, known.have(drafts), strict=True) if not is_known]


def _unmarked(file: Path, source: Source, mark: Mark | None, tally: Tally) -> Iterator[Piece]:
    """What of a file lies behind its mark; all of it, where it says something else before it than when the mark was put."""
    found = _pieces(file, source)
    if mark is not None:
        before = next((piece for piece in found if piece.rows >= mark.rows), None)
        if before is not None and (before.rows, before.said.hex()) == mark:
            tally.records += mark.rows
            tally.known += mark.rows
        else:
            found = _pieces(file, source)
    yield from found


def _pieces(file: Path, source: Source) -> Iterator[Piece]:
    said, rows = hashlib.blake2b(digest_size=BYTES), 0
    for some in _at_once(identified(records(file, source.format, source.config))):
        rows += len(some)
        said.update("\n".join(record_id for _, record_id, _ in some).encode())
        kept = [(record, record_id) for record, record_id, times in some if not source.drops(times)]
        yield Piece(records=kept, dropped=len(some) - len(kept), rows=rows, said=said.digest())


def identified(found: Iterator[Record]) -> Iterator[tuple[Record, str, int]]:
    """Each record with its id: a fingerprint of what it says, and for the second that says the same in one file its number, too. And that number.

    Sixteen bytes a record are kept, and some hundred of one that comes again.
    """
    earlier, repeats = Digests(), Counter[bytes]()
    for some in _at_once(found):
        own = list(map(fingerprint, some))
        once: set[bytes] = set()
        for record, said, is_again in zip(some, own, earlier.have(own).tolist(), strict=True):
            if is_again or said in once:
                repeats[said] += 1
                times = repeats[said] + 1
                yield record, f"{said.hex()}-{times}", times
            else:
                once.add(said)
                yield record, said.hex(), 1
        earlier.add(bytearray().join(once))


def _at_once(found: Iterator[One]) -> Iterator[list[One]]:
    """So many as a piece has. Those that were read before an error come before it."""
    some: list[One] = []
    try:
        for one in found:
            some.append(one)
            if len(some) == AT_ONCE:
                yield some
                some = []
    except SourceError:
        if some:
            yield some
        raise
    if some:
        yield some


class Progress:
    """A line now and then: how far an import is, and how fast."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._began = clock()

    def __call__(self, file: Path, tally: Tally) -> None:
        pace = tally.records / max(self._clock() - self._began, 1e-9)
        self._tell(
            f"{file.name}: {tally.records:,} records, {tally.sent:,} sent ({tally.unmapped:,} of all unmapped), {tally.known:,} known, "
            f"{tally.skipped:,} no events, {pace:,.0f}/s"
        )
