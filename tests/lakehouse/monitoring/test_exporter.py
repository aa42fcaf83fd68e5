"""GET /metrics of a driver, by real requests."""

import logging
import socket
import urllib.request
from urllib.error import URLError

import pytest

from lakehouse.monitoring.exporter import exposed
from lakehouse.monitoring.stream_meters import StreamMeters


@pytest.fixture
def port() -> int:
    """One that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def get(port: int) -> str:
    return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()


def test_whoever_asks_is_told_until_the_driver_ends(port: int) -> None:
    meters = StreamMeters()
    with exposed(meters.registry, port, key="metrics.port") as at:
        assert at == port
        meters.up.labels("events").set(1)
        assert 'stitchlake_query_up{query="events"} 1.0' in get(port)
    with pytest.raises(URLError):
        get(port)


def test_a_port_that_is_taken_is_told_and_the_driver_runs_on(port: int, caplog: pytest.LogCaptureFixture) -> None:
    first, second = StreamMeters(), StreamMeters()
    with exposed(first.registry, port, key="metrics.port"), caplog.at_level(logging.WARNING):
        with exposed(second.registry, port, key="metrics.decisions_port") as at:
            assert at is None
        assert f"metrics.decisions_port: {port} is taken" in caplog.text
        assert "Set STITCHLAKE__METRICS__DECISIONS_PORT" in caplog.text
        assert get(port)


def test_no_port_is_no_server() -> None:
    with exposed(StreamMeters().registry, 0, key="metrics.port") as at:
        assert at is None
