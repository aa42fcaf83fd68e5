"""What `up` keeps running: the child processes, and the broker that `up` itself started."""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread

from lakehouse import job, machine
from lakehouse.config import Config
from lakehouse.kafka import broker
from lakehouse.spark.restarts import Restarts

STOP_SECONDS = 40.0
SETTLED_SECONDS = 60.0  # what ran so long works: what failed before is over


@dataclass(frozen=True, kw_only=True)
class Child:
    """A process of `up`. It prints a line READY, alone, once it answers; its other lines are shown."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]

    @property
    def mark(self) -> str:
        return " ".join(self.command)


@dataclass(frozen=True)
class Ending:
    """How a part ended. is_final: another try is no use."""

    told: str
    is_final: bool = False


class Part(ABC):
    """Something that is kept running. `ready_at`: since when it answers, by the monotonic clock; None = not yet."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.restarts = Restarts()
        self.ready_at: float | None = None

    @abstractmethod
    def start(self) -> None:
        """Start it, for the first time or again.

        Raises:
            BrokerError: it did not start.
        """

    @abstractmethod
    def ended(self) -> Ending | None:
        """How it ended by itself; None while it runs."""


class ChildProcess(Part):
    """A child, in a session of its own. `environ`: beside the child's own. `lifeline`: see lakehouse/job.py."""

    def __init__(self, child: Child, environ: Mapping[str, str], lifeline: int) -> None:
        super().__init__(child.name)
        self.child = child
        self._environ = {**child.environ, **environ, job.LIFELINE: str(lifeline)}
        self._lifeline = lifeline

    def start(self) -> None:
        self.ready_at = None
        self._process = subprocess.Popen(
            self.child.command,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[self._lifeline],
            start_new_session=True,  # Ctrl-C is ours to hand on, in order: queries first, broker last
        )
        self._output = Thread(target=self._show, args=[self._process], name=f"output of {self.name}", daemon=True)
        self._output.start()

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        return self._process.pid

    def ended(self) -> Ending | None:
        code = self._process.poll()
        if code is None:
            return None
        self._end_what_is_left()
        told = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Ending(told, is_final=code == job.FOR_A_PERSON)

    def stop(self) -> None:
        machine.stop_process(self.pid, self.child.mark, patience_seconds=STOP_SECONDS)
        self._end_what_is_left()

    def _end_what_is_left(self) -> None:
        """Its JVM may outlive it for a moment, and write beside the next one. What it said last is shown first."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._output.join(STOP_SECONDS)

    def _show(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == job.READY:
                self.ready_at = time.monotonic()
            else:
                print(line, end="", flush=True)


class OwnBroker(Part):
    """The lake's broker, which answers when this is made."""

    def __init__(self, config: Config) -> None:
        super().__init__("kafka")
        self._config = config
        self.ready_at = time.monotonic()

    def start(self) -> None:
        broker.start(self._config)
        self.ready_at = time.monotonic()

    def ended(self) -> Ending | None:
        return Ending("no process") if broker.status(self._config) is None else None
