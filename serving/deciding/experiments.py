"""Experiments as they run: what decides who is in which arm is kept in the online store, so that a change is noticed."""

from datetime import datetime
from pathlib import Path

from lakehouse.experiments.definitions import Experiments, is_running, read_experiments, unchanged
from lakehouse.online.store import Document, OnlineStore

_PREFIX = "e:"


def read_running(path: Path, store: OnlineStore, now: datetime) -> Experiments:
    """Read the file, and hold what runs to what it began with.

    Raises:
        ConfigError: the file has faults.
        RuleError: an experiment was changed while it runs.
        StoreError: the store cannot say what they began with.
    """
    found = read_experiments(path)
    began = {key.removeprefix(_PREFIX): value.decode() for key, value in store.scan(_PREFIX)}
    unchanged(found, began, now)
    at_ms = int(now.timestamp() * 1000)
    new = [one for one in found.by_name.values() if is_running(one, now) and one.name not in began]
    store.put(Document(_PREFIX + one.name, at_ms, one.fingerprint.encode()) for one in new)
    return found
