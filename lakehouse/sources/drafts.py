"""Records -> what they are as messages: the part of an import that asks nobody, so that several processes may do it at once."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lakehouse.events.document import text_at
from lakehouse.events.reasons import OVERSIZED
from lakehouse.kafka.message import routing_key
from lakehouse.sources.digests import digest
from lakehouse.sources.mapping import Document
from lakehouse.sources.message_ids import shown_id
from lakehouse.sources.record import Record, canonical
from lakehouse.sources.source import Source

AT_ONCE = 1000  # records of a piece; on the way to another process they fit into its cache
_NAMING = ("email", "phone", "loyalty_id")  # traits that name somebody


class Draft(NamedTuple):
    """A message to be, unless it is known. message_id: as silver.events shows it. digest: of that."""

    message_id: str
    digest: bytes
    key: bytes
    value: bytes


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Records of a file that follow each other, with their ids, and what of them are repeats that the source drops.

    said: what the file says to the end of this piece, as a digest. It is no part of its name, its format or the order of its columns. rows: records to there.
    """

    records: Sequence[tuple[Record, str]]
    dropped: int
    rows: int
    said: bytes


@dataclass(kw_only=True)
class Drafted:
    """What became of a piece. skipped: records that are no event. reasons: of those that are unmapped, and how many; they have drafts, too."""

    drafts: list[Draft] = field(default_factory=list)
    skipped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


Drafter = Callable[[Iterator[Piece]], Iterator[tuple[Piece, Drafted]]]
"""What becomes of each piece, in their order. What was read before an error comes before it."""


def drafter(source: Source) -> Drafter:
    """One that drafts here and now."""
    return lambda pieces: ((piece, drafted(source, piece.records)) for piece in pieces)


def drafted(source: Source, records: Iterable[tuple[Record, str]]) -> Drafted:
    """What becomes of records, each with its id. One that is too large for the parse, and so perhaps for Kafka, is unmapped."""
    made, privacy = Drafted(), source.config.privacy
    for record, record_id in records:
        mapped = _document(source, record, record_id, made)
        if mapped is not None:
            document, value = mapped
            message_id = shown_id(document, privacy)
            made.drafts.append(Draft(message_id, digest(message_id.encode()), _key(document), value))
    return made


def _document(source: Source, record: Record, record_id: str, made: Drafted) -> tuple[Document, bytes] | None:
    """The document, and it as it is sent; None of what is no event."""
    mapped = source.mapped(record, record_id)
    if mapped.document is None and mapped.unmapped is None:
        made.skipped += 1
        return None
    most, why = source.config.events.max_bytes, mapped.unmapped
    if mapped.document is not None:
        value = canonical(mapped.document)
        if len(value) <= most:
            return mapped.document, value
        why = f"{OVERSIZED}: an event of at most {most:,} bytes expected"
    assert why is not None
    made.reasons[why] += 1
    document = source.rejected(record, why, record_id)
    if len(value := canonical(document)) > most:  # without what it says
        document = source.rejected(Record(record.row, None, why), why, record_id)
        value = canonical(document)
    return document, value


def _key(document: Document) -> bytes:
    """As libraries' messages are keyed: what one person does stays in one partition."""
    anonymous, user = (text_at(document, name) for name in ("anonymousId", "userId"))
    if anonymous or user:
        return routing_key(anonymous, user)
    named = (text_at(document, f"traits.{name}") for name in _NAMING)
    return routing_key(None, None, *named, str(document["messageId"]))
