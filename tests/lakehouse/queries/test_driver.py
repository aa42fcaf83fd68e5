"""A driver's queries run, and whoever asks is told of them."""

import dataclasses
import socket
import urllib.request
from pathlib import Path

import pytest

from lakehouse.lake.delta import Lake
from lakehouse.machine import wait_until
from lakehouse.monitoring.stream_meters import StreamMeters
from lakehouse.queries import bronze_events
from lakehouse.queries.driver import drain, watched
from tests import small_lake
from tests.rows import add_batch, stream


def test_queries_and_tables_are_told_at_the_port_of_the_configuration(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_batch(tmp_path / "records", ["first", "second"])
    monkeypatch.setattr(bronze_events, "read_records", lambda lake, *_, **__: stream(lake.spark, tmp_path / "records"))
    monkeypatch.setattr(bronze_events, "refuse_lost", lambda *_: None)  # asks the broker
    small_lake.copy_empty_tables(lake)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    at_port = dataclasses.replace(lake.config, metrics=dataclasses.replace(lake.config.metrics, port=port))
    watched_lake = Lake(lake.spark, at_port)

    def told() -> str:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()

    with watched(watched_lake, StreamMeters()):
        drain(watched_lake, [bronze_events.start])
        assert wait_until(lambda: 'stitchlake_query_rows_total{query="bronze_events"} 2.0' in told(), 20)
        assert 'stitchlake_table_version{table="bronze.events"} 1.0' in told()
        assert 'stitchlake_table_files{table="gold.rfm"} 0.0' in told()
