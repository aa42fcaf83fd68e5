"""conf/schedule.yaml as a real Airflow reads it: its DAG file loads without an error, says what the schedule says, and one of its tasks runs.

    ./spark-submit.sh tests/benchmarks/schedule_in_airflow.py [--job maintenance]

Airflow is installed into a virtual environment of its own in the cache, once: it and this project want other versions of one library.
The job is run by Airflow's own code, on a lake of its own that a few events were streamed into. Exits 1 on anything else than what is declared.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lakehouse import machine
from lakehouse.commands.schedule import command, declared
from lakehouse.config import PROJECT, load
from lakehouse.demo.shop import Shop
from lakehouse.errors import StitchlakeError
from lakehouse.job import run
from lakehouse.kafka.produce import produce
from lakehouse.schedule import airflow
from lakehouse.schedule.declaration import AirflowPlace, Schedule
from lakehouse.spark.scratch import scratch_config

EVENTS, SEED = 300, 7
PACKAGES = ("apache-airflow==3.3.2", "apache-airflow-providers-standard")
_OURS = ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONWARNINGS", "PYSPARK", "SPARK_", "STITCHLAKE_JVM_LOG", "VIRTUAL_ENV")
# Run by Airflow's Python: what its own reader makes of the folder, task by task.
_READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from jinja2 import Template
bag = DagBag(sys.argv[1])
dags = {
    name: {
        "cron": dag.schedule, "zone": dag.timezone.name, "catchup": dag.catchup, "runs": dag.max_active_runs,
        "tasks": {
            task.task_id: {
                "command": Template(task.bash_command).render(), "cwd": task.cwd, "pool": task.pool, "seconds": task.execution_timeout.total_seconds(),
            }
            for task in dag.tasks
        },
    }
    for name, dag in bag.dags.items()
}
print(json.dumps({"errors": bag.import_errors, "dags": dags}))
"""


def installed() -> Path:
    """The folder of Airflow's programs."""
    folder = machine.cache_folder() / f"{PACKAGES[0].replace('==', '-')}"
    done = folder / "done"
    if not done.is_file():
        print(f"first use: installing {PACKAGES[0]} into {folder}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, env=outside())
        subprocess.run([str(folder / "bin" / "pip"), "install", "-q", *PACKAGES], check=True, env=outside())
        done.touch()
    return folder / "bin"


def outside(**more: str) -> dict[str, str]:
    """The environment without what our launcher put into it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)} | more


def expected(schedule: Schedule, place: AirflowPlace) -> dict[str, Any]:
    """What Airflow must find."""
    return {
        f"stitchlake_{job.name}": {
            "cron": job.cron.text, "zone": schedule.zone, "catchup": False, "runs": 1,
            "tasks": {
                job.name: {
                    "command": " ".join(["./spark-submit.sh", *command(job)[1:]]),
                    "cwd": place.project, "pool": place.pool, "seconds": job.timeout / 1000,
                }
            },
        }
        for job in schedule.jobs
    }  # fmt: skip


def said(output: str) -> Any:
    """The JSON that a program of Airflow's prints after its log."""
    return json.loads(output.strip().splitlines()[-1])


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="schedule_in_airflow")
    parser.add_argument("--job", default="maintenance")
    asked = parser.parse_args(argv)
    schedule, place = declared(), AirflowPlace(project=str(PROJECT))
    programs, wrong = installed(), []
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stitchlake-airflow-")))
        config = stack.enter_context(scratch_config(load(), "airflow"))
        (home / "dags").mkdir()
        (home / "dags" / "stitchlake.py").write_text(airflow.render(schedule, place), encoding="utf-8")
        environ = outside(
            AIRFLOW_HOME=str(home), AIRFLOW__CORE__DAGS_FOLDER=str(home / "dags"), AIRFLOW__CORE__LOAD_EXAMPLES="false",
            AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR", STITCHLAKE__LAKE__ROOT=config.lake.root,
        )  # fmt: skip

        def ask(*words: str) -> str:
            done = subprocess.run([*words], env=environ, capture_output=True, text=True, check=False, cwd=home)
            if done.returncode:
                print(done.stdout[-3000:], done.stderr[-3000:], file=sys.stderr)
                raise StitchlakeError(f"{words[0]}: ended with {done.returncode}, expected 0. See above")
            return done.stdout

        messages = Shop(EVENTS, SEED).messages()
        produce(messages, config.kafka, config.kafka.events_topic, on_progress=lambda n: None)
        ask(str(PROJECT / "spark-submit.sh"), "streaming", "--available-now")
        ask(str(programs / "airflow"), "db", "migrate")
        ask(str(programs / "airflow"), "pools", "set", place.pool, "1", "jobs of one lake")
        found: Mapping[str, Any] = said(ask(str(programs / "python"), "-c", _READ, str(home / "dags")))
        wrong += [f"{file}: {error}" for file, error in found["errors"].items()]
        wanted = expected(schedule, place)
        for dag in sorted({*found["dags"], *wanted}):
            is_same = found["dags"].get(dag) == wanted.get(dag)
            wrong += [] if is_same else [f"{dag}: got {found['dags'].get(dag)}, expected {wanted.get(dag)}"]
            print(f"{'as declared' if is_same else 'OTHER':12} {dag}")
        began = time.perf_counter()
        ran = ask(str(programs / "airflow"), "tasks", "test", f"stitchlake_{asked.job}", asked.job, "2026-06-01")
        result = {
            "benchmark": "schedule_in_airflow", "airflow": PACKAGES[0], "dags": len(found["dags"]), "import_errors": len(found["errors"]),
            "task_run": asked.job, "task_seconds": round(time.perf_counter() - began, 1), "wrong": wrong,
        }  # fmt: skip
    print(ran[-2000:], file=sys.stderr)
    print(json.dumps(result))
    return 1 if wrong else 0


if __name__ == "__main__":
    load()  # a fault of the configuration is told before anything is installed
    run(main)
