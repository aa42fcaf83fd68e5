"""The command line: what ./spark-submit.sh hands on, and how every job of Stitchlake begins and ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lakehouse import launcher
from lakehouse.config import PROJECT, load
from lakehouse.errors import ConfigError, StitchlakeError

if TYPE_CHECKING:
    from lakehouse import service

Main = Callable[[list[str]], int | None]
_TWO_AT_ONCE = ["-n", "2", "--dist", "loadfile"]  # a Spark session each, which alone keeps less than one core busy


def run(main: Main) -> NoReturn:
    """Call `main` with the arguments and leave the process: 0 or its number; a StitchlakeError is one line and 2.

    SIGTERM ends a job like an exception, so that its `finally` clauses run. Any other exception keeps its stack trace.
    """
    signal.signal(signal.SIGTERM, _leave)
    code: int | None
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except StitchlakeError as error:
        print(describe(error), file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception:
        _point_to_the_log()
        raise
    sys.exit(code or 0)


def describe(error: StitchlakeError) -> str:
    """One line per fault: a ConfigError may hold several, every other error is one."""
    faults = str(error).splitlines() if isinstance(error, ConfigError) else [" ".join(str(error).split())]
    return "\n".join(f"error: {fault}" for fault in faults)


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
        "rules": _rules,
        "test": _test,
    }
    return commands[word](argv[1:]) if word in commands else _start(argv)


def _help(_: list[str]) -> None:
    print((Path(__file__).parent / "usage.txt").read_text(encoding="utf-8"), end="")


def _plan(_: list[str]) -> None:
    from lakehouse import flow

    print(flow.plan(load()))


def _kafka(argv: list[str]) -> int | None:
    from lakehouse import broker

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
    from lakehouse import service

    children = [
        _job("streaming"),
        _job("streaming/decisions.py", "--driver-memory", "1g"),
        _module("serving.background"),
        _module("serving"),
    ]
    return service.up(load(), children)


def _down(_: list[str]) -> None:
    from lakehouse import service

    print("stopped" if service.down(load()) else "not running")


def _job(name: str, *options: str) -> "service.Child":
    from lakehouse import service

    job = launcher.parse([*options, name])
    return service.Child(name=name, command=launcher.command(job), environ=launcher.prepare(job))


def _module(name: str) -> "service.Child":
    from lakehouse import service

    return service.Child(name=name, command=[sys.executable, "-m", name], environ=os.environ)


def _serve(argv: list[str]) -> NoReturn:
    os.execv(sys.executable, [sys.executable, "-m", "serving", *argv])


def _rules(argv: list[str]) -> int | None:
    from lakehouse.rules import command

    return command.main(argv)


def _start(argv: list[str]) -> NoReturn:
    job = launcher.parse(argv)
    os.execve(sys.executable, launcher.command(job), launcher.prepare(job))


def _test(argv: list[str]) -> int:
    """Lint, format and types, then all tests, or the tests asked for; pytest's summary comes last."""
    environ = launcher.prepare(launcher.Job(script=PROJECT / "tests"))
    checks = ["ruff check .", "ruff format --check .", "mypy"] if not argv else []
    failed = [
        check for check in checks if subprocess.run([sys.executable, "-m", *check.split()], env=environ).returncode
    ]
    pytest = [sys.executable, "-m", "pytest", *(argv or _TWO_AT_ONCE)]
    if not failed:
        sys.stdout.flush()
        os.execve(sys.executable, pytest, environ)
    code = subprocess.run(pytest, env=environ, check=False).returncode
    print(f"error: {', '.join(failed)}: failed, see the top of this output", file=sys.stderr)
    return code or 1


def _leave(signal_number: int, _: object) -> NoReturn:
    sys.exit(128 + signal_number)


def _point_to_the_log() -> None:
    """An unforeseen failure may have its cause in the JVM, whose messages are kept out of the terminal."""
    log = Path(os.environ.get("STITCHLAKE_JVM_LOG") or os.devnull)
    if log.is_file() and (lines := log.read_text(encoding="utf-8", errors="replace").splitlines()):
        print(*lines[-5:], f"The JVM's messages: {log}", sep="\n", file=sys.stderr)


if __name__ == "__main__":
    run(main)
