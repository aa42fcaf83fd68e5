"""A real Spark cluster on this machine, gone afterwards: a master and two workers of one core each, from pyspark's own jars.

It knows nothing of this project: its processes have no path of ours, and run in folders of their own.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lakehouse import jars, machine

WORKERS = 2
START_SECONDS = 60.0
_OURS = (
    "PYTHONPATH",
    "PYTHONSAFEPATH",
    "PYSPARK_SUBMIT_ARGS",
    "SPARK_CONF_DIR",
    "PYSPARK_PYTHON",
    "STITCHLAKE_JVM_LOG",
)


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The URL of its master. Logs and the folders of executors are in `folder`."""
    port = machine.free_port()
    url = f"spark://127.0.0.1:{port}"
    with ExitStack() as stack:
        master = ("--host", "127.0.0.1", "--port", str(port), "--webui-port", str(machine.free_port()))
        log = stack.enter_context(_process(folder, "master", "master.Master", *master))
        assert machine.wait_until(lambda: "I have been elected leader" in log.read_text(), START_SECONDS), log
        for number in range(1, WORKERS + 1):
            name = f"worker-{number}"
            options = ("--host", "127.0.0.1", "--cores", "1", "--memory", "2g", "--work-dir", str(folder / name))
            ports = ("--webui-port", str(machine.free_port()))
            log = stack.enter_context(_process(folder, name, "worker.Worker", *options, *ports, url))
            is_up = machine.wait_until(lambda: "registered with master" in log.read_text(), START_SECONDS)  # noqa: B023
            assert is_up, log
        yield url


@contextmanager
def _process(folder: Path, name: str, part: str, *options: str) -> Iterator[Path]:
    """One of them; its log."""
    home, cwd, log = jars.spark_home(), folder / f"{name}-cwd", folder / f"{name}.log"
    cwd.mkdir(parents=True)
    environ = {key: value for key, value in os.environ.items() if key not in _OURS}
    environ |= {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_CONF_DIR": str(cwd)}
    command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{part}", *options]
    with log.open("w") as handle:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, cwd=cwd, env=environ
        )
    try:
        yield log
    finally:
        process.terminate()
        process.wait()
