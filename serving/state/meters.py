"""What Prometheus is told: GET /metrics, in its text format, of all processes together. No label holds anything a caller sent.

Several processes write their numbers into files that they share, and whichever is asked adds them up:
https://prometheus.github.io/client_python/multiprocess/. What the service counts anyway is taken over once a second.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_TAKEN_SECONDS = 1.0
_BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1, 2.5)
# Sums a process keeps, by the name Prometheus knows each by. See `serving.api.service_status.counts`.
COUNTED = {
    "decisions_model": "decisions made with the model",
    "decisions_cached": "decisions answered from the visitor's last answer",
    "decisions_popularity": "decisions answered with what everybody likes",
    "degraded": "decisions that something was missing for",
    "events": "events taken",
    "outcomes": "outcomes recorded",
    "pushed": "decisions pushed over WebSockets",
    "decision_log_lost": "messages of the decision log that Kafka did not take",
    "newest_behaviour_dropped": "entries of newest behaviour that were not written to the online store",
}


def shared_by(folder: str) -> dict[str, str]:
    """The environment of processes that share their numbers: prometheus_client looks for it when it is first imported."""
    return os.environ | {"PROMETHEUS_MULTIPROC_DIR": folder}


class RouteMeter:
    """Answers of one route: how many by status, and how long they took, in seconds."""

    def __init__(self, path: str, answers: Counter, seconds: Histogram) -> None:
        self._path = path
        self._answers = answers
        self._seconds = seconds.labels(path)
        self._by_status: dict[int, Counter] = {}

    def answered(self, status: int, seconds: float) -> None:
        """An answer began."""
        counter = self._by_status.get(status)
        if counter is None:
            counter = self._by_status[status] = self._answers.labels(self._path, str(status))
        counter.inc()
        self._seconds.observe(seconds)


class Meters:
    """`shared`: the folder that the processes share; None = there is one process."""

    def __init__(self, shared: Path | None = None) -> None:
        self._shared = shared
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "stitchlake_answers", "answers by route and status", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "stitchlake_answer_seconds", "from request to answer", ["route"], buckets=_BUCKETS, registry=self._registry
        )
        self._counters = {
            name: Counter(f"stitchlake_{name}", text, registry=self._registry) for name, text in COUNTED.items()
        }
        self._listeners = Gauge(
            "stitchlake_listeners", "open WebSockets", registry=self._registry, multiprocess_mode="livesum"
        )
        self._late = Gauge(
            "stitchlake_late_seconds",
            "how late the latest event loop is",
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self._spooled = Gauge(
            "stitchlake_spooled_bytes",
            "records on disk that wait for Kafka",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._taken = dict.fromkeys(COUNTED, 0)

    def route(self, path: str) -> RouteMeter:
        """For the access control of one route; `path` as it was declared."""
        return RouteMeter(path, self._answers, self._seconds)

    def take(self, counts: Mapping[str, int], *, listeners: int, late_seconds: float, spooled_bytes: int) -> None:
        """Sums since the process began."""
        for name, counter in self._counters.items():
            counter.inc(counts[name] - self._taken[name])
            self._taken[name] = counts[name]
        self._listeners.set(listeners)
        self._late.set(late_seconds)
        self._spooled.set(spooled_bytes)

    async def follow(self, take: Callable[[], None]) -> None:
        """Until cancelled."""
        while True:
            take()
            await asyncio.sleep(_TAKEN_SECONDS)

    def text(self) -> bytes:
        """In Prometheus' text format, of all processes."""
        if self._shared is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._shared))  # type: ignore[no-untyped-call] # its own has no types
        return generate_latest(registry)
