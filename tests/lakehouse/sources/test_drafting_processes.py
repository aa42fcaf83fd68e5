"""Several processes draft what one would, in its order, and none of them outlives who began them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lakehouse.config import load
from lakehouse.config.paths import PROJECT, SOURCES
from lakehouse.errors import SourceError
from lakehouse.machine import command_of, wait_until
from lakehouse.sources.drafting_processes import drafting_processes
from lakehouse.sources.drafts import AT_ONCE, Piece, drafter
from lakehouse.sources.record import Record
from lakehouse.sources.source import Source

SHOP = Source.named("simple-events", SOURCES, load("dev", environ={})).filled_by({"currency": "CHF"})


def pieces(*sizes: int) -> Iterator[Piece]:
    """Of so many records each; then the file breaks off."""
    for number, size in enumerate(sizes):
        said = [{"event": "view", "customer_id": f"c-{number}-{n}", "timestamp": "2025-01-01"} for n in range(size)]
        said[0].pop("timestamp")
        yield Piece(
            records=[(Record(n, one), f"{number}-{n}") for n, one in enumerate(said)], dropped=0, rows=0, said=b""
        )
    raise SourceError("it broke off")


def test_they_draft_what_would_be_drafted_here_and_what_was_read_before_an_error() -> None:
    sizes = (AT_ONCE, 3, AT_ONCE, AT_ONCE, 1)
    here, there = [], []
    with pytest.raises(SourceError):
        here.extend(drafter(SHOP)(pieces(*sizes)))
    with pytest.raises(SourceError, match="broke off"), drafting_processes(SHOP, 2) as draft:
        there.extend(draft(pieces(*sizes)))
    assert there == here
    assert [len(made.drafts) for _, made in there] == list(sizes)
    assert b'"currency":"CHF"' in there[0][1].drafts[1].value
    assert there[0][1].reasons.total() == 1


DRAFTS_UNTIL_KILLED = """
import multiprocessing
from tests.lakehouse.sources.test_drafting_processes import AT_ONCE, SHOP, drafting_processes, pieces

if __name__ == "__main__":
    with drafting_processes(SHOP, 2) as draft:
        for _ in draft(pieces(*[AT_ONCE] * 100)):
            print(*(child.pid for child in multiprocessing.active_children()), flush=True)
            input()
"""


def test_they_end_with_who_began_them_also_when_it_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "drafts.py"
    script.write_text(DRAFTS_UNTIL_KILLED)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    children = list(map(int, process.stdout.readline().split()))
    assert len(children) == 2
    assert all("multiprocessing" in (command_of(child) or "") for child in children)
    process.kill()
    process.wait()
    are_gone = wait_until(lambda: not any(map(command_of, children)), 10)
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    process.communicate()
    assert are_gone
