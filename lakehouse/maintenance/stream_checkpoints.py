"""The checkpoints of streams in a lake on this machine. Spark trims offsets, commits and state itself; these it never touches."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

FOLDER = "_checkpoints"
FORMER = ("silver_events", "profiles")  # queries of layout 1
_PART = ".*.tmp"  # of a process that died while it wrote


def clear(root: Path, cutoff: datetime) -> int:
    """Delete checkpoints of queries there are no more, and parts of files older than the cutoff; how many of both.

    Whoever calls it holds the lake.
    """
    checkpoints = root / FOLDER
    former = [folder for name in FORMER if (folder := checkpoints / name).is_dir()]
    for folder in former:
        shutil.rmtree(folder)
    parts = [part for part in checkpoints.rglob(_PART) if _modified(part) <= cutoff]
    for part in parts:
        part.unlink(missing_ok=True)
    return len(former) + len(parts)


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
