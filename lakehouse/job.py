"""How every job of Stitchlake begins and ends: arguments in, one line for what went wrong, an exit code.

A process that starts another hands it the reading end of a pipe, by its number in LIFELINE, and holds the other end. When that closes
the parent is gone, also by `kill -9`, and the child ends as by SIGTERM.
"""

import difflib
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

from lakehouse.errors import ConfigError, StitchlakeError

Main = Callable[[list[str]], int | None]

READY = "ready"  # the line a job that runs until it is stopped prints, alone, once it answers
LIFELINE = "STITCHLAKE_LIFELINE"
FOR_A_PERSON, MAY_PASS = 2, os.EX_TEMPFAIL  # exit codes: somebody must mend it; another try may go well
_END_SECONDS = 40.0  # from SIGTERM to SIGKILL, of a process whose parent is gone


def run(main: Main) -> NoReturn:
    """Call `main` with the arguments and leave the process: 0 or its number; a StitchlakeError is one line and FOR_A_PERSON or MAY_PASS.

    SIGTERM ends a job like an exception, so that its `finally` clauses run. Any other exception keeps its stack trace.
    """
    signal.signal(signal.SIGTERM, _leave)
    if (lifeline := os.environ.pop(LIFELINE, None)) is not None:  # popped: processes of our own have no such file
        end_with(int(lifeline))
    code: int | None
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except StitchlakeError as error:
        print(describe(error), file=sys.stderr)
        code = MAY_PASS if error.may_pass else FOR_A_PERSON
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception:
        _point_to_the_log()
        raise
    sys.exit(code or 0)


def end_with(lifeline: int) -> None:
    """End this process when nobody holds the other end of the pipe any more: as by SIGTERM, and if that does not do, at once."""

    def wait() -> None:
        os.read(lifeline, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_END_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    Thread(target=wait, name="lifeline", daemon=True).start()


def describe(error: StitchlakeError) -> str:
    """One line per fault: a ConfigError may hold several, every other error is one."""
    faults = str(error).splitlines() if isinstance(error, ConfigError) else [" ".join(str(error).split())]
    return "\n".join(f"error: {fault}" for fault in faults)


def flags(argv: Sequence[str], *known: str) -> set[str]:
    """The arguments of a job that takes only these, refused before anything is done if there is another.

    Raises:
        StitchlakeError: naming the nearest known one.
    """
    unknown = [argument for argument in argv if argument not in known]
    if unknown:
        nearest = difflib.get_close_matches(unknown[0], known, n=1, cutoff=0.0)
        hint = f"did you mean '{nearest[0]}'?" if nearest else "expected none. Leave it out"
        raise StitchlakeError(f"arguments: got '{unknown[0]}', {hint}")
    return set(argv)


def json_line(facts: Mapping[str, Any]) -> str:
    """What a command ends with, for another program. JSON has no nan and nothing endless: what is not known is null.

    >>> json_line({"value": float("nan"), "interval": (-float("inf"), 1.5)})
    '{"value": null, "interval": [null, 1.5]}'
    """
    return json.dumps(_finite(facts))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def _leave(signal_number: int, _: object) -> NoReturn:
    sys.exit(128 + signal_number)


def _point_to_the_log() -> None:
    """An unforeseen failure may have its cause in the JVM, whose messages are kept out of the terminal."""
    log = Path(os.environ.get("STITCHLAKE_JVM_LOG") or os.devnull)
    if log.is_file() and (lines := log.read_text(encoding="utf-8", errors="replace").splitlines()):
        print(*lines[-5:], f"The JVM's messages: {log}", sep="\n", file=sys.stderr)
