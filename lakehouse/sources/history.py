"""Files of a source -> messages for the events topic, each once: the way into the lake that everything else takes, too.

A message is the same whenever and wherever its record is read: its id is the one the mapping declares, else a fingerprint of the record,
which no name of a file and no order of columns is part of. Of records of one file that say the very same the second is another one: two
people may buy the same thing in the same minute; unless the source says that its files hold copies (format.copies). So a file that is imported again, under another name or after a year, or one that holds
a part of another, sends what is not there yet (lakehouse/sources/known_messages.py), and an import that was killed is begun again.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lakehouse.events.document import text_at
from lakehouse.events.reasons import OVERSIZED
from lakehouse.kafka.message import Message, routing_key
from lakehouse.sources.known_messages import KnownMessages, digest, shown_id
from lakehouse.sources.mapping import Document
from lakehouse.sources.record import Record, canonical, fingerprint
from lakehouse.sources.record_files import records
from lakehouse.sources.source import Source

PROGRESS_EVERY = 10_000  # records
_NAMING = ("email", "phone", "loyalty_id")  # traits that name somebody


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


def messages(
    files: Sequence[Path], source: Source, known: KnownMessages, tally: Tally, on_progress: OnProgress
) -> Iterator[Message]:
    """The messages that are not known yet, in the order of the files; what becomes of each record is counted as it is read. Those of a file are known after it.

    Unmapped records are messages, too: the parse puts them into quarantine.

    Raises:
        SourceError: a file cannot be read.
    """
    for file in files:
        of_this_file = bytearray()
        for record, record_id, times in identified(records(file, source.format, source.config)):
            tally.records += 1
            if source.drops(times):
                tally.known += 1
                continue
            made = _document(source, record, record_id, tally)
            if made is not None:
                document, value = made
                message_id = shown_id(document, source.config.privacy)
                if known.has(message_id, value):
                    tally.known += 1
                else:
                    tally.sent += 1
                    of_this_file += digest(message_id.encode())
                    yield Message(key=_key(document), value=value, at=datetime.now(UTC))
            if tally.records % PROGRESS_EVERY == 0:
                on_progress(file, tally)
        known.add(of_this_file)
        on_progress(file, tally)


def identified(found: Iterator[Record]) -> Iterator[tuple[Record, str, int]]:
    """Each record with its id: a fingerprint of what it says, and for the second that says the same in one file its number, too. And that number."""
    said: dict[bytes, int] = {}
    for record in found:
        own = fingerprint(record)
        said[own] = times = said.get(own, 0) + 1
        yield record, own.hex() if times == 1 else f"{own.hex()}-{times}", times


def _document(source: Source, record: Record, record_id: str, tally: Tally) -> tuple[Document, bytes] | None:
    """The document, and it as it is sent; None of what is no event. One that is too large for the parse, and so perhaps for Kafka, is unmapped."""
    mapped = source.mapped(record, record_id)
    if mapped.document is None and mapped.unmapped is None:
        tally.skipped += 1
        return None
    most, why = source.config.events.max_bytes, mapped.unmapped
    if mapped.document is not None:
        value = canonical(mapped.document)
        if len(value) <= most:
            return mapped.document, value
        why = f"{OVERSIZED}: an event of at most {most:,} bytes expected"
    assert why is not None
    tally.unmapped += 1
    tally.reasons[why] += 1
    document = source.rejected(record, why, record_id)
    if len(value := canonical(document)) > most:  # without what it says
        document = source.rejected(Record(record.row, None, why), why, record_id)
        value = canonical(document)
    return document, value


def _key(document: Document) -> bytes:
    """As libraries' messages are keyed: what one person does stays in one partition."""
    anonymous, user = (text_at(document, name) for name in ("anonymousId", "userId"))
    named = (text_at(document, f"traits.{name}") for name in _NAMING)
    return routing_key(anonymous, user, *named, str(document["messageId"]))


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
