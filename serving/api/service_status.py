"""GET /api/status and GET /metrics: what is there, what is faulty, and what this process has done."""

from typing import Any

from serving.service import Service


def counts(service: Service) -> dict[str, int]:
    """Sums since the process began, by the names of `serving.state.meters.COUNTED`."""
    return {f"decisions_{rung}": made for rung, made in service.counters.by_rung.items()} | _sums(service)


def _sums(service: Service) -> dict[str, int]:
    counters = service.counters
    return {
        "degraded": counters.degraded,
        "events": counters.events,
        "outcomes": counters.outcomes,
        "pushed": service.sockets.pushed,
        "decision_log_lost": service.log.lost,
        "newest_behaviour_dropped": service.pending.dropped,
    }


def take(service: Service) -> None:
    """Hand this process's sums to Prometheus."""
    late_seconds = service.pressure.late_seconds
    service.meters.take(
        counts(service),
        listeners=service.sockets.count,
        late_seconds=late_seconds,
        spooled_bytes=service.outbox.spooled_bytes,
    )


def status(service: Service) -> dict[str, Any]:
    """What GET /api/status answers: what is there, what is faulty, and counts since the process began."""
    recommender, book = service.recommender.current, service.rules.current
    return {
        "kafka": "connected" if service.out.is_connected else "away",
        "online_store": "lmdb" if service.store.is_embedded else "redis",
        "recommender": "none" if recommender is None else recommender.version,
        "rules": "none" if book is None else book.version,
        "faults": [
            part.name
            for part in (service.rules, service.catalogue, service.features, service.recommender, service.experiments)
            if part.fault
        ],
        "decisions": service.counters.decisions,
        "by_rung": service.counters.by_rung,
        **_sums(service),
        "listeners": service.sockets.count,
        "spooled_bytes": service.outbox.spooled_bytes,
        "late_milliseconds": round(service.pressure.late_seconds * 1000, 1),
        "now": service.clock().isoformat(timespec="seconds"),
    }
