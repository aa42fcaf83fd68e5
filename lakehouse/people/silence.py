"""Whoever is to be erased is left alone from the moment it is asked: no decision, message, action or export reaches them while it waits.

A suppression of each identifier, as whoever asks to be left alone has it, in the store of what is told to the service. Its value says of which erasure it
is. A word of their own is not written over, and one that they say later goes before; the erasure takes it away, at the end (forgetting.py).
"""

from collections.abc import Collection
from contextlib import closing

from lakehouse.config import Config
from lakehouse.decisions.visitor import suppression_key
from lakehouse.events.identifier import Identifier
from lakehouse.online.engines import open_kept_store
from lakehouse.online.store import Document
from lakehouse.people.forgetting import OF_AN_ERASURE
from lakehouse.people.requests import Request, milliseconds


def silence(config: Config, request: Request, identifiers: Collection[Identifier]) -> None:
    """Leave whoever has these identifiers alone. Raises StoreError: it cannot be kept."""
    keys = sorted(map(suppression_key, identifiers))
    with closing(open_kept_store(config)) as kept:
        words = dict(zip(keys, kept.get(keys), strict=True))
        version, mark = milliseconds(request.at), _mark(request)
        kept.put(Document(key, version, mark) for key, word in words.items() if word is None)


def lift(config: Config, request: Request) -> None:
    """Of a request that is refused: nobody is left alone for it any more. Raises StoreError."""
    key = suppression_key(request.identifier)
    with closing(open_kept_store(config)) as kept:
        if kept.get([key]) == [_mark(request)]:
            kept.put([Document(key, milliseconds(request.at) + 1, None)])


def _mark(request: Request) -> bytes:
    return OF_AN_ERASURE + request.erasure_id.encode()
