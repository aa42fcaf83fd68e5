"""Experiments as they run: what decides who is in which arm is kept as it was at the start, so that a change is noticed.

It is kept in the store at once, and told to Kafka as soon as Kafka answers, from where the lake has it for a store that is emptied.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from lakehouse.errors import BrokerError, StoreError
from lakehouse.events.facts import ExperimentStart, record
from lakehouse.experiments.definitions import Experiments, is_running, read_experiments, unchanged
from lakehouse.online.fact_documents import START, document, start_in
from lakehouse.online.store import OnlineStore
from serving.kafka.producer import PATIENCE_SECONDS, KafkaOut, acknowledged
from serving.state.reloadable import Reloadable

log = logging.getLogger("stitchlake.serving")
_LOOK_SECONDS = 5.0


def read_running(path: Path, store: OnlineStore, now: datetime) -> Experiments:
    """Read the file, and hold what runs to what it began with.

    Raises:
        ConfigError: the file has faults.
        RuleError: an experiment was changed while it runs.
        StoreError: the store cannot say what they began with.
    """
    experiments = read_experiments(path)
    began = _began(store)
    unchanged(experiments, {name: _fingerprint(value) for name, value in began.items()}, now)
    _keep_starts(experiments, began, store, now)
    return experiments


def _began(store: OnlineStore) -> dict[str, bytes]:
    return {key.removeprefix(START): value for key, value in store.scan(START)}


def _fingerprint(value: bytes) -> str:
    start = start_in(value)
    return value.decode(errors="replace") if start is None else start.fingerprint


def _keep_starts(experiments: Experiments, began: Mapping[str, bytes], store: OnlineStore, now: datetime) -> None:
    """Keep what begins now, and anew what an earlier release kept, if it is still that."""
    at_ms = int(now.timestamp() * 1000)
    running = (experiment for experiment in experiments.by_name.values() if is_running(experiment, now))
    starts = (experiment.start(at_ms) for experiment in running)
    new = (start for start in starts if began.get(start.experiment, b"") in (b"", start.fingerprint.encode()))
    store.put(map(document, new))


class Starts:
    """Keeps what begins while the service runs, and tells Kafka of every start; again by each process, which changes nothing."""

    def __init__(
        self,
        experiments: Reloadable[Experiments],
        store: OnlineStore,
        out: KafkaOut,
        topic: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._experiments = experiments
        self._store = store
        self._out = out
        self._topic = topic
        self._clock = clock
        self._told: set[ExperimentStart] = set()

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await self.tell()
            await asyncio.sleep(_LOOK_SECONDS)

    async def tell(self) -> None:
        """Once; what Kafka does not take is told the next time."""
        try:
            # Kept whether Kafka is there or not: people are in arms from then on.
            starts = await asyncio.to_thread(self._kept)
            for start in starts if self._out.is_connected else ():
                if start not in self._told:
                    sent = self._out.send(self._topic, *record(start))
                    if await acknowledged([sent], PATIENCE_SECONDS):
                        self._told.add(start)
        except (StoreError, BrokerError) as error:
            log.warning("experiments: what they began with is not told to Kafka yet: %s", error)

    def _kept(self) -> list[ExperimentStart]:
        """Every start, with those that begin by now."""
        experiments = self._experiments.current
        if experiments is not None:
            _keep_starts(experiments, _began(self._store), self._store, self._clock())
        return [start for value in _began(self._store).values() if (start := start_in(value)) is not None]
