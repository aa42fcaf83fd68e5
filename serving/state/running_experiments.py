"""Experiments as they run: what decides who is in which arm is kept in the online store, so that a change is noticed."""

from datetime import datetime
from pathlib import Path

from lakehouse.experiments.definitions import Experiment, Experiments, is_running, read_experiments, unchanged
from lakehouse.online.store import Document, OnlineStore

_PREFIX = "e:"


def read_running(path: Path, store: OnlineStore, now: datetime) -> Experiments:
    """Read the file, and hold what runs to what it began with. An experiment that is still to begin is kept as it stands now.

    Raises:
        ConfigError: the file has faults.
        RuleError: an experiment was changed while it runs.
        StoreError: the store cannot say what they began with.
    """
    experiments = read_experiments(path)
    began = {key.removeprefix(_PREFIX): value.decode() for key, value in store.scan(_PREFIX)}
    unchanged(experiments, began, now)
    at_ms = int(now.timestamp() * 1000)
    store.put(
        Document(_PREFIX + one.name, at_ms, one.fingerprint.encode())
        for one in experiments.by_name.values()
        if _is_to_begin(one, now) or (is_running(one, now) and one.name not in began)
    )
    return experiments


def _is_to_begin(experiment: Experiment, now: datetime) -> bool:
    """Nobody is in it yet, so it may be changed. It begins without its file being read again, so it is kept beforehand."""
    return experiment.is_enabled and experiment.valid_from is not None and now < experiment.valid_from
