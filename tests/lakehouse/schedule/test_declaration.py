"""conf/schedule.yaml is checked as a whole; the one of this repository is sound."""

from pathlib import Path

import pytest

from lakehouse.commands import schedule as command
from lakehouse.errors import ConfigError
from lakehouse.schedule.declaration import read

JOBS = ["streaming", "streaming/events.py", "batch/households.py", "ml/train_segments.py"]
SOUND = """
zone: Europe/Berlin
jobs:
  - {name: segments, description: Learned anew., job: ml/train_segments.py, cron: "0 2 * * *"}
  - {name: drain, description: What came., job: streaming, arguments: [--available-now], cron: "*/5 * * * *", timeout: 4 min}
  - {name: homes, description: Who lives together., job: batch/households.py, cron: "0 4 * * *", is_enabled: false}
airflow: {project: /opt/stitchlake}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "schedule.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_enabled_jobs_are_taken_in_the_order_they_are_declared(tmp_path: Path) -> None:
    schedule = read(written(tmp_path, SOUND), JOBS)
    assert schedule.zone == "Europe/Berlin"
    assert [(job.name, job.timeout) for job in schedule.jobs] == [("segments", 4 * 3_600_000), ("drain", 240_000)]
    assert schedule.airflow is not None
    assert schedule.airflow.pool == "stitchlake"
    assert schedule.databricks is None


def test_every_fault_is_told_with_its_place(tmp_path: Path) -> None:
    text = """
zone: Berlin
jobs:
  - {name: a, description: A., job: ml/train_segment.py, cron: "0 2 * * *"}
  - {name: b, description: B., job: streaming/events.py, cron: "0 2 * * *"}
  - {name: c, description: C., job: batch/households.py, cron: "0 25 * * *"}
  - {name: d, description: D., job: batch/households.py, cron: "0 2 * * *", at: noon}
  - {name: a, description: E., job: batch/households.py, cron: "0 2 * * *", timeout: soon}
airflow: {project: here}
databricks: {project: /Workspace/x}
"""
    with pytest.raises(ConfigError) as refused:
        read(written(tmp_path, text), JOBS)
    told = str(refused.value)
    for fault in (
        "jobs[0].job: no job 'ml/train_segment.py'; did you mean 'ml/train_segments.py'?",
        "jobs[1].arguments: streaming/events.py runs until it is stopped, got no --available-now",
        "jobs[2].cron: got '25' for the hour",
        "jobs[3]: unknown key 'at'; did you mean",
        "jobs[4].timeout: got 'soon', expected a length of time",
        "zone: got 'Berlin', expected a time zone such as Europe/Berlin",
        "airflow[0].project",
        "databricks[0].cluster_id",
    ):
        assert fault in told, told
    assert len(told.splitlines()) == 8


@pytest.mark.parametrize("text", ["jobs: nightly", "nightly", "jobs: []\nwhen: now"])
def test_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"schedule\.yaml"):
        read(written(tmp_path, text), JOBS)


def test_the_schedule_of_this_repository_is_sound() -> None:
    names = [job.name for job in command.declared().jobs]
    assert names == [
        "decision_log", "drift", "fairness", "segments", "scores", "lifetime_value", "lifetime_value_by_drift", "recommender", "households", "order_balance",
        "experiments", "maintenance",
    ]  # fmt: skip
