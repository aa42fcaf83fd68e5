"""What ./spark-submit.sh hands on: one word, one command; every other word is a job."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lakehouse.commands import launcher
from lakehouse.config import PROJECT, load
from lakehouse.errors import StitchlakeError
from lakehouse.job import Main, run

if TYPE_CHECKING:
    from lakehouse.commands.parts import Child

_A_PROCESS = 5 * 2**30  # bytes: a session of Spark with 2 GB of heap, Python, a broker


def main(argv: list[str]) -> int | None:
    """Everything ./spark-submit.sh can be asked for."""
    word = argv[0] if argv else "help"
    commands: dict[str, Main] = {
        "help": _help,
        "plan": _plan,
        "kafka": _kafka,
        "up": _up,
        "down": _down,
        "serve": _serve,
        "key": _key,
        "rules": _rules,
        "features": _features,
        "audiences": _audiences,
        "audit": _audit,
        "model": _model,
        "schedule": _schedule,
        "sources": _sources,
        "adopt": _adopt,
        "test": _test,
    }
    return commands[word](argv[1:]) if word in commands else _start(argv)


def _help(_: list[str]) -> None:
    print((Path(__file__).parent / "usage.txt").read_text(encoding="utf-8"), end="")


def _plan(argv: list[str]) -> int:
    from lakehouse.commands import plan

    return plan.main(argv)


def _kafka(argv: list[str]) -> int | None:
    from lakehouse.kafka import broker

    config = load()
    match argv:
        case ["start"]:
            running = broker.start(config)
            print(f"running at {running.bootstrap_servers}, pid {running.pid}")
            return 0
        case ["stop"]:
            print("stopped" if broker.stop(config) else "not running")
            return 0
        case ["status"]:
            found = broker.status(config)
            print(f"running at {found.bootstrap_servers}, pid {found.pid}" if found else "not running")
            return 0 if found else 1
    raise StitchlakeError(f"kafka: got '{' '.join(argv)}', expected start, stop or status. See ./spark-submit.sh help")


def _up(_: list[str]) -> int | None:
    from lakehouse.commands import supervisor
    from lakehouse.config.paths import EXPORTS
    from lakehouse.exports.declaration import continuous_exports

    children = [
        _job("streaming"),
        _job("streaming/decisions.py", "--driver-memory", "1g"),
        _module("serving.background"),
        _module("serving"),
    ]
    config = load()
    if continuous_exports(EXPORTS, config.consent.purposes):
        children.append(_module("streaming.exports"))
    return supervisor.up(config, children)


def _down(_: list[str]) -> None:
    from lakehouse.commands import supervisor

    print("stopped" if supervisor.down(load()) else "not running")


def _job(name: str, *options: str) -> "Child":
    from lakehouse.commands.parts import Child

    job = launcher.parse([*options, name])
    return Child(name=name, command=launcher.command(job), environ=launcher.prepare(job))


def _module(name: str) -> "Child":
    from lakehouse.commands.parts import Child

    return Child(name=name, command=[sys.executable, "-m", name], environ=os.environ)


def _serve(argv: list[str]) -> NoReturn:
    os.execv(sys.executable, [sys.executable, "-m", "serving", *argv])


def _key(argv: list[str]) -> None:
    from lakehouse.commands import key

    key.main(argv)


def _rules(argv: list[str]) -> int | None:
    from lakehouse.commands import rules

    return rules.main(argv)


def _features(argv: list[str]) -> int:
    from lakehouse.commands import features

    return features.main(argv)


def _audiences(argv: list[str]) -> int:
    from lakehouse.commands import audiences

    return audiences.main(argv)


def _audit(argv: list[str]) -> int:
    from lakehouse.commands import audit

    return audit.main(argv)


def _model(argv: list[str]) -> int:
    from lakehouse.commands import model

    return model.main(argv)


def _schedule(argv: list[str]) -> None:
    from lakehouse.commands import schedule

    schedule.main(argv)


def _sources(argv: list[str]) -> int:
    from lakehouse.commands import sources

    return sources.main(argv)


def _adopt(argv: list[str]) -> int:
    from lakehouse.commands import adopt

    return adopt.main(argv)


def _start(argv: list[str]) -> NoReturn:
    job = launcher.parse(argv)
    os.execve(sys.executable, launcher.command(job), launcher.prepare(job))


def _test(argv: list[str]) -> int:
    """Lint and format, then all tests, of which one is of types, or the tests asked for; pytest's summary comes last."""
    environ = launcher.prepare(launcher.Job(script=PROJECT / launcher.TESTS, arguments=tuple(argv)))
    checks = ["ruff check .", "ruff format --check ."] if not argv else []
    failed = [
        check for check in checks if subprocess.run([sys.executable, "-m", *check.split()], env=environ).returncode
    ]
    pytest = [sys.executable, "-m", "pytest", *(argv or _side_by_side())]
    if not failed:
        sys.stdout.flush()
        os.execve(sys.executable, pytest, environ)
    code = subprocess.run(pytest, env=environ, check=False).returncode
    print(f"error: {', '.join(failed)}: failed, see the top of this output", file=sys.stderr)
    return code or 1


def _side_by_side() -> list[str]:
    """Three processes, where memory allows: see tests/side_by_side.py. In the order of tests/longest_first.py."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return ["-n", str(max(1, min(3, memory // _A_PROCESS))), "--dist", "loadfile", "--no-loadscope-reorder"]


if __name__ == "__main__":
    run(main)
