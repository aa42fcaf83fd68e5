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
    experiments = read_experiments(path)
    began = {key.removeprefix(_PREFIX): value.decode() for key, value in store.scan(_PREFIX)}
    unchanged(experiments, began, now)
    at_ms = int(now.timestamp() * 1000)
    new = [
        experiment
        for experiment in experiments.by_name.values()
        if is_running(experiment, now) and experiment.name not in began
    ]
    store.put(Document(_PREFIX + experiment.name, at_ms, experiment.fingerprint.encode()) for experiment in new)
    return experiments
