"""Who is to be left alone, as events say it: whichever program wrote the word into Kafka, it holds before the lake has read it. Pure."""

from datetime import datetime

from lakehouse.decisions.visitor import suppression
from lakehouse.events.envelope import SUPPRESS, UNSUPPRESS
from lakehouse.events.reader import Message, Reader, text
from lakehouse.online.store import Document


def suppressions_in(message: Message | None, reader: Reader, *, arrived_at: datetime) -> list[Document]:
    """A document for each identifier that the message names, as `POST /api/suppressions` writes it; none in other messages."""
    if message is None or (said := text(message, "type")) not in (SUPPRESS, UNSUPPRESS):
        return []
    at = reader.occurred_at(message, arrived_at)
    return [suppression(one, at, is_suppressed=said == SUPPRESS) for one in reader.identifiers(message)]
