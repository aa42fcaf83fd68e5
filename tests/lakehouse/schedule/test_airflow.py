"""The DAG file says what the schedule says, and is Python."""

import ast
from pathlib import Path

from lakehouse.schedule.airflow import render
from lakehouse.schedule.declaration import read

TEXT = """
zone: Europe/Berlin
jobs:
  - {name: maintenance, description: "It's \\"all\\".", job: batch/maintenance.py, arguments: [--if-free, "{{ x }} y"], cron: "30 5 * * sun"}
airflow: {project: /opt/stitchlake, pool: lake}
"""


def test_a_job_is_a_dag_with_its_times_and_its_command(tmp_path: Path) -> None:
    path = tmp_path / "schedule.yaml"
    path.write_text(TEXT, encoding="utf-8")
    schedule = read(path, ["batch/maintenance.py"])
    assert schedule.airflow is not None
    text = render(schedule, schedule.airflow)
    tree = ast.parse(text)
    jobs = next(
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "JOBS"
    )
    assert ast.literal_eval(jobs) == [
        {
            "name": "maintenance",
            "description": 'It\'s "all".',
            "cron": "30 5 * * sun",
            "command": "{% raw %}./spark-submit.sh batch/maintenance.py --if-free '{{ x }} y'{% endraw %}",
            "timeout_seconds": 4 * 3600,
        }
    ]
    for said in (
        "tz='Europe/Berlin'",
        "cwd='/opt/stitchlake'",
        "pool='lake'",
        "catchup=False",
        "airflow pools set lake 1",
    ):
        assert said in text
