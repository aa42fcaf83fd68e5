"""Jobs of a schedule are run as real processes: one at a time, missed ones once, failures told in a line."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from lakehouse.machine import wait_until
from lakehouse.schedule.declaration import Schedule, ScheduledJob
from lakehouse.schedule.runner import Runner, is_missed, trigger

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def job(name: str, cron: str = "0 2 * * *", timeout: str = "1 min") -> ScheduledJob:
    told = {"name": name, "description": name, "job": f"batch/{name}.py", "cron": cron, "timeout": timeout}
    return ScheduledJob.model_validate(told)


def runner(folder: Path, programs: dict[str, str], **clock: object) -> Runner:
    """`programs`: what each job does, in Python."""
    schedule = Schedule(zone="UTC", jobs=tuple(job(name) for name in programs), airflow=None, databricks=None)
    return Runner(schedule, lambda one: [sys.executable, "-c", programs[one.name]], folder, **clock)  # type: ignore[arg-type]


def test_how_a_job_went_is_one_line_and_its_log_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fine = "import sys; print('much'); print('{\"rows\": 3}')"
    broken = "import sys; sys.exit('error: kafka: nobody answers, expected a broker. Start one')"
    ours = runner(tmp_path, {"fine": fine, "broken": broken})
    assert [ours.attempt(job(name)) for name in ("fine", "broken")] == [True, False]
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith('fine: done in 0 s. {"rows": 3}')
    assert "broken: failed after 0 s, exit code 1. error: kafka: nobody answers" in second
    assert (tmp_path / "schedule-fine.log").read_text().startswith("much")


def test_a_job_that_does_not_end_is_stopped_with_its_children(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = "import subprocess, sys, time; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    ours = runner(tmp_path, {"endless": child})
    assert not ours.attempt(job("endless", timeout="900 ms"))
    assert "endless: failed after 1 s, got no end within 1 s" in capsys.readouterr().out


def test_what_was_missed_runs_once_one_at_a_time_and_a_failure_stops_nobody(tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = (
        "import sys, time; told = open({path!r}, 'a', 1);"
        "told.write('{name} begins\\n'); time.sleep(0.2); told.write('{name} ends\\n'); sys.exit({code})"
    )
    codes = {"first": 3, "second": 0, "third": 0}
    programs = {name: program.format(path=str(told), name=name, code=code) for name, code in codes.items()}
    days_ago = (NOW - timedelta(days=3)).isoformat()
    (tmp_path / "schedule.json").write_text(json.dumps({"first": days_ago, "second": days_ago}))
    ours = runner(tmp_path, programs, clock=lambda: datetime.now(UTC))
    thread = Thread(target=ours.run)
    thread.start()
    try:
        assert wait_until(lambda: told.exists() and told.read_text().count("ends") == 2, 20)
    finally:
        ours.stop()
        thread.join()
    lines = told.read_text().splitlines()
    assert [line.split()[1] for line in lines] == ["begins", "ends"] * 2
    assert {line.split()[0] for line in lines} == {"first", "second"}  # third was never started, so it missed nothing
    started = json.loads((tmp_path / "schedule.json").read_text())
    assert min(datetime.fromisoformat(started[name]) for name in ("first", "second")) > NOW


def test_stopping_ends_the_job_that_runs_and_starts_no_other(tmp_path: Path) -> None:
    ours = runner(tmp_path, {"long": "import time; print('up', flush=True); time.sleep(600)"})
    ended: list[bool] = []
    thread = Thread(target=lambda: ended.append(ours.attempt(job("long"))))
    thread.start()
    log = tmp_path / "schedule-long.log"
    assert wait_until(lambda: log.exists() and "up" in log.read_text(), 20)
    ours.stop()
    thread.join()
    assert ended == [False]
    assert not ours.attempt(job("long"))


@pytest.mark.parametrize(
    ("hours_ago", "missed"),
    [(None, False), (9, False), (11, True), (24 * 9, True)],  # it is noon, and the job is due at 2
)
def test_a_job_is_missed_when_it_was_due_after_it_was_last_started(hours_ago: int | None, missed: bool) -> None:
    started = None if hours_ago is None else NOW - timedelta(hours=hours_ago)
    assert is_missed(trigger(job("nightly"), "UTC"), started, NOW) is missed


def test_a_job_is_due_by_the_clock_of_the_zone() -> None:
    due = trigger(job("nightly"), "Europe/Berlin").get_next_fire_time(None, NOW)
    assert due is not None
    assert due.astimezone(UTC) == datetime(2026, 3, 3, 1, tzinfo=UTC)


def test_a_file_that_cannot_be_read_misses_nothing(tmp_path: Path) -> None:
    (tmp_path / "schedule.json").write_text("{")
    ours = runner(tmp_path, {"fine": "pass"})
    assert ours.attempt(job("fine"))
    assert list(json.loads((tmp_path / "schedule.json").read_text())) == ["fine"]
