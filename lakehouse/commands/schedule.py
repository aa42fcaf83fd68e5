"""./spark-submit.sh schedule [--airflow | --databricks]: conf/schedule.yaml run here, or rendered for another scheduler. Needs no Spark."""

from lakehouse import machine
from lakehouse.commands import launcher
from lakehouse.config import PROJECT, Config, load
from lakehouse.config.paths import SCHEDULE
from lakehouse.errors import ConfigError, StitchlakeError
from lakehouse.lake.lock import writer
from lakehouse.schedule import airflow, databricks
from lakehouse.schedule.declaration import Schedule, ScheduledJob, read
from lakehouse.schedule.runner import Runner

AIRFLOW, DATABRICKS = "--airflow", "--databricks"
PART = "schedule"


def main(argv: list[str]) -> None:
    """Run the schedule until stopped, or print it for another scheduler.

    Raises:
        StitchlakeError: an argument that is neither flag.
        ConfigError: a fault of the file.
        BusyError: another process runs the schedule of this lake.
    """
    match argv:
        case []:
            _run(load(), declared())
        case [word] if word == AIRFLOW:
            print(_for_airflow(declared()), end="")
        case [word] if word == DATABRICKS:
            print(_for_databricks(declared()), end="")
        case _:
            raise StitchlakeError(
                f"schedule: got '{' '.join(argv)}', expected no argument, {AIRFLOW} or {DATABRICKS}. See ./spark-submit.sh help"
            )


def declared() -> Schedule:
    """What conf/schedule.yaml says."""
    return read(SCHEDULE, ["streaming", *launcher.job_files()])


def command(job: ScheduledJob) -> list[str]:
    return [str(PROJECT / "spark-submit.sh"), job.job, *job.arguments]


def _run(config: Config, schedule: Schedule) -> None:
    lake = machine.local_folder(config.lake.root)
    folder = machine.cache_folder() / "schedule" if lake is None else lake / "_run"
    with writer(config, part=PART):
        Runner(schedule, command, folder).run()


def _for_airflow(schedule: Schedule) -> str:
    if schedule.airflow is None:
        raise ConfigError(
            f"{SCHEDULE.name}: got no airflow, expected where its workers find this project. Add airflow: {{project: /opt/stitchlake}}"
        )
    return airflow.render(schedule, schedule.airflow)


def _for_databricks(schedule: Schedule) -> str:
    if schedule.databricks is None:
        raise ConfigError(
            f"{SCHEDULE.name}: got no databricks, expected where the workspace holds this project, and a cluster. Add databricks: "
            "{project: /Workspace/Shared/stitchlake, cluster_id: ...}"
        )
    return databricks.render(schedule, schedule.databricks)
