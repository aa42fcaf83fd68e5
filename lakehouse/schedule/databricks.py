"""The schedule as jobs of Databricks: for each job the body of its Jobs API.

https://docs.databricks.com/api/workspace/jobs/create
"""

import json
from typing import Any

from lakehouse.schedule.declaration import DatabricksPlace, Schedule, ScheduledJob

_MODULES = {"streaming": "streaming/__main__.py"}


def render(schedule: Schedule, place: DatabricksPlace) -> str:
    """One line of JSON for each job."""
    return "".join(f"{json.dumps(body(job, schedule.zone, place))}\n" for job in schedule.jobs)


def body(job: ScheduledJob, zone: str, place: DatabricksPlace) -> dict[str, Any]:
    """What is posted to make the job."""
    file = f"{place.project.rstrip('/')}/{_MODULES.get(job.job, job.job)}"
    task = {"python_file": file, "source": "WORKSPACE", "parameters": list(job.arguments)}
    return {
        "name": f"stitchlake {job.name}",
        "description": job.description,
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        "timeout_seconds": job.timeout // 1000,
        "schedule": {
            "quartz_cron_expression": job.cron.quartz,
            "timezone_id": zone,
            "pause_status": "UNPAUSED",
        },
        "tasks": [{"task_key": job.name, "existing_cluster_id": place.cluster_id, "spark_python_task": task}],
    }
