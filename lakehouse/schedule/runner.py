"""The schedule, run on this machine: jobs as processes of their own, one at a time.

A job that is due while another runs waits for it; due several times, it runs once. So does one that was due while nobody ran the
schedule: when each was started last stands in a file. A job that fails is told of in one line, and the others go on.
https://apscheduler.readthedocs.io/en/3.x/userguide.html#missed-job-executions-and-coalescing
"""

import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger

from lakehouse.schedule.declaration import Schedule, ScheduledJob

STOP_SECONDS = 40.0
Command = Callable[[ScheduledJob], Sequence[str]]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Runner:
    """See the module. `command`: what starts a job. `folder`: for the file and the log of each job's last run, made when missing."""

    def __init__(
        self, schedule: Schedule, command: Command, folder: Path, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._schedule = schedule
        self._command = command
        self._folder = folder
        self._clock = clock
        self._started = folder / "schedule.json"
        self._scheduler = BlockingScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=schedule.zone,
        )
        self._starting = Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._is_stopping = False
        # A job that is due again while it waits is one line too many.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)

    def run(self) -> None:
        """Run jobs as they are due, until `stop`, or an exception such as SIGTERM makes one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        now, started = self._clock(), self._read()
        for job in self._schedule.jobs:
            times = trigger(job, self._schedule.zone)
            first = now if is_missed(times, started.get(job.name), now) else times.get_next_fire_time(None, now)
            print(f"{job.name}: next at {first.astimezone(times.timezone):%Y-%m-%d %H:%M %Z}", flush=True)
            self._scheduler.add_job(self.attempt, times, args=[job], id=job.name, next_run_time=first)
        try:
            self._scheduler.start()
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop the job that runs, and start no other."""
        with self._starting:
            self._is_stopping = True
            running = self._running
        if running is not None:
            _end(running)
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def attempt(self, job: ScheduledJob) -> bool:
        """Run the job to its end, and say in one line how it went; whether it did what it should."""
        log, began = self._folder / f"schedule-{job.name}.log", time.monotonic()
        with self._starting:
            if self._is_stopping:
                return False
            self._note(job)
            with log.open("wb") as output:
                process = self._running = subprocess.Popen(
                    list(self._command(job)),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # its children end with it
                )
        said = _outcome(process, job.timeout / 1000)
        self._running = None
        took, last = time.monotonic() - began, _last_line(log)
        if said is None:
            print(f"{self._clock():%H:%M:%S} {job.name}: done in {took:.0f} s. {last}", flush=True)
        else:
            print(
                f"{self._clock():%H:%M:%S} {job.name}: failed after {took:.0f} s, {said}. {last} (all of it: {log})",
                flush=True,
            )
        return said is None

    def _note(self, job: ScheduledJob) -> None:
        told = {**{name: at.isoformat() for name, at in self._read().items()}, job.name: self._clock().isoformat()}
        part = self._started.with_suffix(".part")
        part.write_text(json.dumps(told, indent=1), encoding="utf-8")
        part.replace(self._started)

    def _read(self) -> Mapping[str, datetime]:
        """When each job was started last; nothing where the file is missing or no longer readable."""
        try:
            stored = json.loads(self._started.read_text(encoding="utf-8"))
            return {str(name): datetime.fromisoformat(at) for name, at in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def trigger(job: ScheduledJob, zone: str) -> CronTrigger:
    """The times of the job."""
    cron = job.cron
    return CronTrigger(
        minute=cron.minute, hour=cron.hour, day=cron.day, month=cron.month, day_of_week=cron.weekday, timezone=zone
    )


def is_missed(times: CronTrigger, started: datetime | None, now: datetime) -> bool:
    """Whether it was due after it was last started. Of a job that never was nothing is missed."""
    if started is None:
        return False
    due = times.get_next_fire_time(None, started + timedelta(seconds=1))
    return due is not None and due <= now


def _outcome(process: "subprocess.Popen[bytes]", seconds: float) -> str | None:
    """What went wrong; None = nothing."""
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        return f"got no end within {seconds:.0f} s"
    return None if code == 0 else f"exit code {code}"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """By SIGTERM, and by SIGKILL when it takes too long; its children, too."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "It said nothing."
