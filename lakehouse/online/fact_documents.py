"""Facts of no person as documents of the store that survives the machine: as they are told to the service, or from the lake (content.py).

A document's version is the order that decides among facts in the lake (lakehouse/events/facts.py), so that a store that knows more than
the lake keeps what it knows, and an emptied one gets all of it back, whoever writes first.
"""

import orjson

from lakehouse.events.facts import Availability, ExperimentStart, Fact, start_of
from lakehouse.online.store import LISTED, MOST, Document

START, STOCK = LISTED
_GONE = b"1"  # a product that can be bought has no document


def document(fact: Fact) -> Document:
    if isinstance(fact, Availability):
        version = 2 * fact.at_ms + (not fact.is_available)
        return Document(STOCK + fact.product_id, version, None if fact.is_available else _GONE)
    value = orjson.dumps({**fact.properties, "at_ms": fact.at_ms})
    return Document(START + fact.experiment, MOST - fact.at_ms, value)


def start_in(value: bytes) -> ExperimentStart | None:
    """The start a document tells; None where an earlier release wrote it, which kept the fingerprint alone."""
    try:
        told = orjson.loads(value)
        return start_of(told, int(told["at_ms"]))
    except (ValueError, TypeError, KeyError):
        return None
