"""The log of a table on this machine: what of it nobody needs any more.

A reader of the last hours may have begun with the version that was current when they began. That version needs the newest checkpoint
before it and the commits since. Whatever is older than this checkpoint goes, the oldest first: a process may die at any file.
https://github.com/delta-io/delta/blob/master/PROTOCOL.md#metadata-cleanup
"""

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

log = logging.getLogger("stitchlake.maintenance")
FOLDER = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")  # in one file, as both writers make it
# Hadoop's checksum of each has a dot before its name, and an end of its own.
_OF_VERSION = re.compile(r"\.?(\d{20})\.(json|crc|checkpoint\..+?)(\.crc)?")
_PART = ".tmp"  # of a writer that died


@dataclass(frozen=True)
class LogFile:
    """`modified`: when it was written, which is when its version began."""

    name: str
    modified: datetime


def listed(log_folder: Path) -> list[LogFile]:
    """The files of a log."""
    files = (path for path in log_folder.iterdir() if path.is_file())
    return [LogFile(path.name, datetime.fromtimestamp(path.stat().st_mtime, UTC)) for path in files]


def behind(files: Iterable[LogFile]) -> int:
    """How many commits a reader must read after the newest checkpoint."""
    names = [file.name for file in files]
    last = max(_versions(_CHECKPOINT, names), default=-1)
    return sum(version > last for version in _versions(_COMMIT, names))


def anchors(files: Sequence[LogFile], cutoff: datetime) -> list[int]:
    """Checkpoints of which each bears every version that was current at the cutoff or since; the newest first."""
    commits = sorted((int(found[1]), file.modified) for file in files if (found := _COMMIT.fullmatch(file.name)))
    young = next((version for version, modified in commits if modified > cutoff), None)
    if not commits or young == commits[0][0]:
        return []
    then = commits[-1][0] if young is None else young - 1
    made = _versions(_CHECKPOINT, [file.name for file in files])
    return sorted((version for version in made if version <= then), reverse=True)


def trim(log_folder: Path, cutoff: datetime) -> int:
    """Delete what no version needs that was current at the cutoff or since; how many files that were."""
    files = listed(log_folder)
    anchor = next((version for version in anchors(files, cutoff) if _can_be_read(log_folder, version)), 0)
    dated = ((found[1], file.name) for file in files if (found := _OF_VERSION.fullmatch(file.name)))
    old = [name for version, name in sorted(dated) if int(version) < anchor]
    old += [file.name for file in files if file.name.endswith(_PART) and file.modified <= cutoff]
    for name in old:
        (log_folder / name).unlink(missing_ok=True)
    return len(old)


def _can_be_read(log_folder: Path, version: int) -> bool:
    """A checkpoint that a crash of the machine tore must not be all that is left."""
    path = log_folder / f"{version:020}.checkpoint.parquet"
    try:
        return bool(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        log.warning("%s: cannot be read, %s. Nothing that could make up for it is deleted", path, error)
        return False


def _versions(pattern: re.Pattern[str], names: Iterable[str]) -> list[int]:
    return [int(found[1]) for name in names if (found := pattern.fullmatch(name))]
