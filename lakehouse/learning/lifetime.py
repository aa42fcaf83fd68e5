"""Exposures that count for life, kept: the document of lakehouse/decisions/exposures.py, written by whoever shows something."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from lakehouse.decisions.exposures import life_key, with_those_for_life
from lakehouse.online.recent_entries import EXPOSED, Placed
from lakehouse.online.store import Document, Entry, OnlineStore


def remember_for_life(store: OnlineStore, placed: Iterable[Placed], caps: Mapping[str, int]) -> None:
    """Add exposures whose subject is in `caps`; the same again changes nothing, and neither does anything else that is placed.

    `store`: one that survives a restart of the machine.

    Raises:
        StoreError: it does not answer, or a document cannot be read.
    """
    if not caps:
        return
    by_key: dict[str, list[Entry]] = defaultdict(list)
    for timeline, entry in placed:
        kind, type_, token = timeline.split(":", 2)
        if kind == EXPOSED:
            by_key[life_key((type_, token))].append(entry)
    for key, entries in by_key.items():
        while (following := with_those_for_life(store.get([key])[0], entries, caps)) is not None:
            if store.put([Document(key, *following)]):
                break  # else another process has written meanwhile
