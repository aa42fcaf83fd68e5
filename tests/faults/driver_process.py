"""The streaming driver as a process of its own, to be killed while it works."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Condition, Thread

from lakehouse.commands import launcher
from lakehouse.config import PROJECT, Config
from lakehouse.job import READY
from tests.faults.failpoints import KILLED, REACHED

END_SECONDS = 120.0
_SCRIPT = PROJECT / "streaming" / "__main__.py"
# To write plans as code and compile that is of no use to one that is killed in its first minute.
INTERPRETED = ("--conf", "spark.sql.codegen.wholeStage=false", "--conf", "spark.sql.codegen.factoryMode=NO_CODEGEN")


class DriverProcess:
    """Started over the lake and topic of the configuration, in micro-batches of `records`. Its log is beside the lake. `options`: of spark-submit.

    reached: the failpoints it has come to, in order.
    """

    def __init__(
        self,
        config: Config,
        records: int,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        # It lives for a minute, as one that drains does, and so its JVM is started in the same way.
        job = launcher.Job(script=_SCRIPT, options=options, arguments=(launcher.DRAIN,))
        ours = {
            "STITCHLAKE__LAKE__ROOT": config.lake.root,
            "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": config.kafka.bootstrap_servers,
            "STITCHLAKE__KAFKA__EVENTS_TOPIC": config.kafka.events_topic,
            "STITCHLAKE__PROFILES__MAX_OFFSETS_PER_TRIGGER": str(records),
            "PYTHONPATH": str(PROJECT),
        }
        self.log = Path(config.lake.root).parent / "driver.log"
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.failpoints", *arguments],
                env={**launcher.prepare(job), **ours, **(environ or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.reached: list[str] = []
        self.killed_at: str | None = None
        self.is_ready = False
        self._told = Condition()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def arm(self, failpoint: str) -> None:
        """Die there."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{failpoint}\n")
        self._process.stdin.flush()

    def await_reached(self, failpoint: str, patience_seconds: float) -> bool:
        with self._told:
            return self._told.wait_for(lambda: failpoint in self.reached, patience_seconds)

    def kill(self) -> None:
        """It and its JVM, at once."""
        os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """As a person does."""
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Its exit code, once it and what it started are gone."""
        code = self._process.wait(END_SECONDS)
        self._reader.join(END_SECONDS)
        return code

    def last_words(self) -> str:
        """What is told of one that did not do what it should."""
        return f"killed at {self.killed_at}; its log ends: {self.log.read_text()[-3000:]}"

    def jvm(self) -> int | None:
        """Its JVM; None before there is one."""
        below = descendants(self.pid)
        return next((pid for pid, command in below.items() if command.split(" ")[0].endswith("java")), None)

    def workers(self) -> list[int]:
        """The processes that read records for it: the daemon, which starts them, is not among them."""
        found = {
            pid for pid, command in descendants(self.pid).items() if "-m lakehouse.events.worker_daemon" in command
        }
        return [pid for pid in found if parent_of(pid) in found]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._told:
                if line.strip() == READY:
                    self.is_ready = True
                elif line.startswith(REACHED):
                    self.reached.append(line.removeprefix(REACHED).strip())
                elif line.startswith(KILLED):
                    self.killed_at = line.removeprefix(KILLED).strip()
                self._told.notify_all()


def descendants(pid: int) -> dict[int, str]:
    """The processes below one, and their command lines."""
    below: dict[int, str] = {}
    for process in sorted(int(path.name) for path in Path("/proc").glob("[0-9]*")):
        if parent_of(process) in {pid, *below}:
            below[process] = _command(process)
    return below


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has just ended
        return None


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def kill_in_the_middle(config: Config, records: int) -> None:
    """Kills the driver once the first micro-batch of events is in. Others are under way then: of bronze, and the second of events."""
    driver = DriverProcess(config, records, "--available-now", options=INTERPRETED)
    assert driver.await_reached("after micro-batch", 2 * END_SECONDS), driver.last_words()
    driver.kill()
