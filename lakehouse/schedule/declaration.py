"""conf/schedule.yaml: which job runs when. Checked as a whole, every fault told at once."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from lakehouse.config.declarations import Declared, Duration, Name, Zone, checked, read_document, refuse
from lakehouse.schedule.cron import Cron, parse

HOUR_MS = 3_600_000
DRAIN = "--available-now"
_KEYS = ("zone", "jobs", "airflow", "databricks")


class ScheduledJob(Declared):
    """One job: `job` as ./spark-submit.sh is told it. timeout: then it is stopped, and has failed."""

    name: Name
    description: str = Field(min_length=1, max_length=200)
    job: str
    arguments: tuple[str, ...] = ()
    cron: Annotated[Cron, BeforeValidator(parse)]
    timeout: Duration = 4 * HOUR_MS
    is_enabled: bool = True


class _InZone(Declared):
    zone: Zone


class AirflowPlace(Declared):
    """Where Airflow's workers find this project, and the pool of one slot its jobs share."""

    project: str = Field(pattern=r"^/\S+$")
    pool: str = Field(default="stitchlake", pattern=r"^[A-Za-z0-9_-]{1,64}$")


class DatabricksPlace(Declared):
    """Where the workspace holds this project, and the cluster that runs it."""

    project: str = Field(pattern=r"^/Workspace/\S+$")
    cluster_id: str = Field(pattern=r"^\S+$")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The jobs that are enabled. airflow, databricks: None = not declared."""

    zone: str
    jobs: tuple[ScheduledJob, ...]
    airflow: AirflowPlace | None
    databricks: DatabricksPlace | None


def read(path: Path, jobs: Collection[str]) -> Schedule:
    """The schedule in the file. `jobs`: every name that ./spark-submit.sh starts a job by.

    Raises:
        ConfigError: one line for every fault.
    """
    document, faults = read_document(path, *_KEYS), list[str]()
    declared = checked(document.get("jobs"), ScheduledJob, f"{path.name}: jobs", faults)
    for number, one in declared:
        faults += _faults(one, f"{path.name}: jobs[{number}]", jobs)
    zones = checked([{"zone": document.get("zone", "UTC")}], _InZone, f"{path.name}", faults)
    airflow = checked(
        [document[k] for k in ("airflow",) if k in document], AirflowPlace, f"{path.name}: airflow", faults
    )
    databricks = checked(
        [document[k] for k in ("databricks",) if k in document], DatabricksPlace, f"{path.name}: databricks", faults
    )
    refuse(faults)
    return Schedule(
        zone=zones[0][1].zone,
        jobs=tuple(job for _, job in declared if job.is_enabled),
        airflow=airflow[0][1] if airflow else None,
        databricks=databricks[0][1] if databricks else None,
    )


def _faults(one: ScheduledJob, place: str, jobs: Collection[str]) -> list[str]:
    if one.job not in jobs:
        nearest = difflib.get_close_matches(one.job, jobs, n=1, cutoff=0.0)
        return [f"{place}.job: no job '{one.job[:60]}'; did you mean '{nearest[0]}'?"]
    if one.job.startswith("streaming") and DRAIN not in one.arguments:
        return [f"{place}.arguments: {one.job} runs until it is stopped, got no {DRAIN}, expected it. Add it"]
    return []
