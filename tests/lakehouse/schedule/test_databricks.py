"""What is posted to Databricks' Jobs API says what the schedule says."""

import json
from pathlib import Path

from lakehouse.schedule.databricks import render
from lakehouse.schedule.declaration import read

TEXT = """
zone: UTC
jobs:
  - {name: homes, description: Who lives together., job: batch/households.py, cron: "0 4 * * mon-tue", timeout: 30 min}
  - {name: drain, description: What came., job: streaming, arguments: [--available-now], cron: "*/5 * * * *"}
databricks: {project: /Workspace/Shared/stitchlake, cluster_id: 1201-a}
"""


def test_each_job_is_one_body(tmp_path: Path) -> None:
    path = tmp_path / "schedule.yaml"
    path.write_text(TEXT, encoding="utf-8")
    schedule = read(path, ["streaming", "batch/households.py"])
    assert schedule.databricks is not None
    homes, drain = map(json.loads, render(schedule, schedule.databricks).splitlines())
    assert homes["schedule"] == {
        "quartz_cron_expression": "0 0 4 ? * MON,TUE", "timezone_id": "UTC", "pause_status": "UNPAUSED",
    }  # fmt: skip
    assert (homes["timeout_seconds"], homes["max_concurrent_runs"]) == (1800, 1)
    (task,) = drain["tasks"]
    assert task["existing_cluster_id"] == "1201-a"
    assert task["spark_python_task"] == {
        "python_file": "/Workspace/Shared/stitchlake/streaming/__main__.py",
        "source": "WORKSPACE",
        "parameters": ["--available-now"],
    }
