"""Alert rules and the dashboard of conf/monitoring/ name only what the product tells, and promtool reads them."""

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pyspark.sql.streaming.listener import QueryProgressEvent, QueryStartedEvent, QueryTerminatedEvent

from lakehouse.config import PROJECT, load
from lakehouse.exports.meters import ExportMeters
from lakehouse.lake.delta import Lake
from lakehouse.lake.delta_rs import Size
from lakehouse.monitoring.query_listener import QueryListener
from lakehouse.monitoring.stream_meters import StreamMeters
from lakehouse.monitoring.table_sizes import TableSizes
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.tables.events import SILVER_EVENTS
from serving.state.meters import Meters

FOLDER = PROJECT / "conf" / "monitoring"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
_SELECTOR = re.compile(r"\b((?:stitchlake|process)_\w+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_ENDS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
SCRAPED = {"job", "instance"}  # labels that Prometheus adds
PROMTOOL = shutil.which("promtool")


def expressions() -> Iterator[str]:
    for group in ALERTS["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


class OneCommit(Lake):
    """A lake whose tables have one commit each."""

    def __init__(self) -> None:
        """There is no session: nobody reads."""

    def size(self, table: Any) -> Size:
        return Size(version=1, files=1, log_files=1)


def told() -> dict[str, set[str]]:
    """Names of samples that driver and service tell once each of them has done something, with the names of their labels."""
    meters, service, run = StreamMeters(), Meters(), str(uuid4())
    meters.registry.register(TableSizes(OneCommit(), [SILVER_EVENTS]))
    now = datetime.now(UTC)
    meters.took(
        BatchRecord(
            0, 1, {"not_json": 1}, now, 1, seconds={"gold": 1.0}, online_at=now, committed_at=now, online_owed=0
        )
    )
    meters.judged("gold.rfm", "profile_id_is_unique", 0.0, True)
    listener, ids = QueryListener(meters), {"id": run, "runId": run, "timestamp": "2026-01-01T00:00:00.000Z"}
    rates = {"numInputRows": 1, "inputRowsPerSecond": 1.0, "processedRowsPerSecond": 1.0}
    state = {"operatorName": "dedupe", **dict.fromkeys(("numRowsTotal", "numRowsUpdated", "numRowsRemoved"), 1)}
    state |= dict.fromkeys(("allUpdatesTimeMs", "allRemovalsTimeMs", "commitTimeMs", "memoryUsedBytes"), 1)
    state |= dict.fromkeys(("numRowsDroppedByWatermark", "numShufflePartitions", "numStateStoreInstances"), 1)
    progress = {
        **ids, **rates, "name": "events", "batchId": 0, "batchDuration": 1, "durationMs": {"triggerExecution": 1, "addBatch": 1},
        "eventTime": {"watermark": "2026-01-01T00:00:00.000Z"}, "stateOperators": [state | {"customMetrics": {}}], "sources": [],
        "sink": {"description": "", "numOutputRows": -1},
    }  # fmt: skip
    listener.onQueryStarted(QueryStartedEvent.fromJson(ids | {"name": "events"}))
    listener.onQueryProgress(QueryProgressEvent.fromJson({"progress": progress}))
    listener.onQueryTerminated(QueryTerminatedEvent.fromJson(ids | {"exception": "", "errorClassOnException": "GONE"}))
    service.route("/api/decide").answered(200, 0.01)
    names: dict[str, set[str]] = defaultdict(set)
    exports = ExportMeters()
    exports.began("crm")
    for text in (generate_latest(meters.registry), generate_latest(exports.registry), service.text()):
        for family in text_string_to_metric_families(text.decode()):
            for end in _ENDS.get(family.type, ()):
                names[f"{family.name}{end}"] |= set()
            for sample in family.samples:
                names[sample.name] |= sample.labels.keys()
    return names


TOLD = told()


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_an_expression_names_only_what_is_told(expression: str) -> None:
    named = _SELECTOR.findall(expression)
    assert named or "up{job" in expression
    for name, labels in named:
        assert name in TOLD, f"{name}: told by nobody"
        assert set(_LABEL.findall(labels)) <= TOLD[name] | SCRAPED, f"{name}: has no such label"


def test_the_scraped_ports_are_those_of_the_configuration() -> None:
    scraped = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    ports = {job["job_name"]: job["static_configs"][0]["targets"] for job in scraped}
    config = load("dev", environ={})
    assert ports == {
        "stitchlake-streaming": [f"127.0.0.1:{config.metrics.port}"],
        "stitchlake-decisions": [f"127.0.0.1:{config.metrics.decisions_port}"],
        "stitchlake-serving": [f"127.0.0.1:{config.serving.port}"],
    }


def test_every_alert_is_held_to_series() -> None:
    tested = (FOLDER / "alerts_test.yml").read_text(encoding="utf-8")
    named = {rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]}
    assert {alert for alert in named if not re.search(rf"\b{alert}\b", tested)} == set()


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool here; apt install prometheus has it")
def test_promtool_reads_rules_dashboard_and_configuration_and_the_alerts_do_what_they_say(tmp_path: Path) -> None:
    panels = (target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ()))
    shown = [{"record": "shown", "expr": expr.replace("$__rate_interval", "5m")} for expr in panels]
    (tmp_path / "shown.yml").write_text(json.dumps({"groups": [{"name": "shown", "rules": shown}]}))
    for command in (
        ("check", "config", str(FOLDER / "prometheus.yml")),
        ("check", "rules", str(tmp_path / "shown.yml")),
        ("test", "rules", str(FOLDER / "alerts_test.yml")),
    ):
        done = subprocess.run([str(PROMTOOL), *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
