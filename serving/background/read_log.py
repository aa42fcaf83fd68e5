"""Reads of profiles, taken over from the files of the processes that answered them (serving/state/profile_reads.py) into the audit log."""

import logging
import os
from datetime import datetime
from pathlib import Path

import orjson

from lakehouse.config import Config
from lakehouse.lake.audited_reads import note_reads
from lakehouse.lake.lock import is_here
from lakehouse.lake.profile_read import ProfileRead
from serving.kafka.spool_file import SpoolFile, adopted, noted
from serving.state.profile_reads import SUFFIX

log = logging.getLogger("stitchlake.background")


def take_over(config: Config, folder: Path, now: datetime) -> int:
    """Put the lines that wait into the audit log, and delete files that nobody writes any more; how many lines. By one process at a time.

    Raises:
        OSError, DeltaError: the log does not take them; they wait.
    """
    if not is_here(config):
        return 0
    return sum(_taken(config, path, now) for path in sorted(folder.glob(f"*{SUFFIX}")))


def _taken(config: Config, path: Path, now: datetime) -> int:
    left = adopted(path)  # None: somebody writes it
    file = left or _looked_into(path)
    is_open = True
    try:
        lines, end = _whole_lines(file)
        reads = [read for read in map(_read, lines) if read is not None]
        if len(reads) < len(lines):  # a machine failed as they were written
            log.error(
                "audit: %d of %d lines of reads cannot be read, and are left out", len(lines) - len(reads), len(lines)
            )
        note_reads(config, reads, now=now)
        if left is None:
            file.note(end)
        else:
            is_open = False
            left.delete()
        return len(reads)
    finally:
        if is_open:
            os.close(file.file)


def _looked_into(path: Path) -> SpoolFile:
    file = os.open(path, os.O_RDONLY)
    size = os.fstat(file).st_size
    return SpoolFile(path, file, size, noted(path, size))


def _whole_lines(file: SpoolFile) -> tuple[list[bytes], int]:
    """Those that were not taken over yet, and where they end. Behind them may be the beginning of one whose reader was not answered."""
    told = os.pread(file.file, file.size - file.sent, file.sent)
    whole, newline, _ = told.rpartition(b"\n")
    return whole.splitlines(), file.sent + len(whole) + len(newline)


def _read(line: bytes) -> ProfileRead | None:
    """None of a line that is damaged."""
    try:
        told = orjson.loads(line)
        return ProfileRead(at=datetime.fromisoformat(told["at"]), by=told["by"], profile=told["profile"])
    except (ValueError, KeyError, TypeError):
        return None
