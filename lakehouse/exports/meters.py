"""What a process that keeps exports up to date tells Prometheus of each. No label holds anything but the export's name."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.process_collector import ProcessCollector

_OUTCOMES = ("delivered", "removed", "rejected")


class ExportMeters:
    """Of one process, in a registry of their own. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._is_failing = self._gauge("export_is_failing", "1 while the last try of the export came to nothing")
        self._waiting = self._gauge("export_waiting_profiles", "profiles that changed and are not compared yet")
        self._compared_at = self._gauge(
            "export_compared_timestamp_seconds", "when the destination last had what gold said, in seconds since 1970"
        )
        self._rows = Counter(
            "stitchlake_export_rows", "rows, by what became of them", ("export", "outcome"), registry=self.registry
        )

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"stitchlake_{name}", text, ("export",), registry=self.registry)

    def began(self, export: str) -> None:
        """Nothing has failed yet."""
        self._is_failing.labels(export).set(0)

    def waits(self, export: str, profiles: int) -> None:
        self._waiting.labels(export).set(profiles)

    def failed(self, export: str) -> None:
        self._is_failing.labels(export).set(1)

    def ended(self, export: str, counts: dict[str, int]) -> None:
        """A run is over. counts: of ops.export_runs."""
        for outcome in _OUTCOMES:
            self._rows.labels(export, outcome).inc(counts[outcome])

    def compared(self, export: str, at: datetime) -> None:
        """The destination has what gold said then."""
        self._is_failing.labels(export).set(0)
        self._compared_at.labels(export).set(at.timestamp())
