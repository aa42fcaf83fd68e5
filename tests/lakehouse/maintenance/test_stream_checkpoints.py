"""What Spark leaves in the checkpoints of streams is cleared; what a query goes on from is not touched."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lakehouse.maintenance.stream_checkpoints import clear

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def file(path: Path, *, hours_ago: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    moment = (NOW - timedelta(hours=hours_ago)).timestamp()
    os.utime(path, (moment, moment))
    return path


def test_parts_of_a_writer_that_died_and_former_queries_go(tmp_path: Path) -> None:
    checkpoints = tmp_path / "_checkpoints"
    kept = [
        file(checkpoints / "events" / "offsets" / "7", hours_ago=9),
        file(checkpoints / "events" / "state" / "0" / "0" / "7.delta", hours_ago=9),
        file(checkpoints / "events" / "known_records", hours_ago=9),
        file(checkpoints / "bronze_events" / "commits" / ".8.1f.tmp", hours_ago=0.5),  # it may be written now
    ]
    gone = [
        file(checkpoints / "events" / "offsets" / ".8.2e.tmp", hours_ago=9),
        file(checkpoints / "silver_events" / "offsets" / "3", hours_ago=0),
        file(checkpoints / "profiles" / "metadata", hours_ago=0),
    ]
    assert clear(tmp_path, NOW - timedelta(hours=1)) == 3
    assert [path.exists() for path in kept] == [True] * len(kept)
    assert [path.exists() for path in gone] == [False] * len(gone)
    assert clear(tmp_path, NOW - timedelta(hours=1)) == 0


def test_a_lake_without_checkpoints_has_nothing_to_clear(tmp_path: Path) -> None:
    assert clear(tmp_path, NOW) == 0
