"""Who is in which arm stays as it was when an experiment began, whatever its file says later."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse.errors import RuleError
from lakehouse.online.lmdb_store import LmdbStore
from serving.state.running_experiments import read_running

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EXPERIMENT: dict[str, Any] = {
    **{"name": "try", "owner": "crm", "layer": "offers", "buckets": [0, 10_000], "valid_from": "2026-03-01 12:00"},
    **{"arms": [{"name": "a"}, {"name": "b"}], "baseline": "a", "metrics": ["converted"]},
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbStore]:
    opened = LmdbStore(tmp_path / "kept")
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "experiments.yaml"


def write(path: Path, **changes: Any) -> Path:
    path.write_text(yaml.safe_dump({"experiments": [EXPERIMENT | changes]}))
    return path


def test_what_was_read_before_it_began_and_not_again_is_held_to_it_once_it_runs(store: LmdbStore, path: Path) -> None:
    read_running(write(path), store, NOON - HOUR)
    with pytest.raises(RuleError, match=r"try: its arms.* were changed while it runs"):
        read_running(write(path, salt="other"), store, NOON + HOUR)
    assert read_running(write(path), store, NOON + HOUR).by_name["try"].salt == ""


def test_until_it_begins_it_may_be_changed(store: LmdbStore, path: Path) -> None:
    read_running(write(path), store, NOON - 2 * HOUR)
    read_running(write(path, salt="other"), store, NOON - HOUR)
    assert read_running(path, store, NOON).by_name["try"].salt == "other"
    with pytest.raises(RuleError):
        read_running(write(path), store, NOON)


def test_what_is_over_is_held_to_it_when_it_is_taken_up_again(store: LmdbStore, path: Path) -> None:
    read_running(write(path, valid_to="2026-03-01 13:00"), store, NOON)
    read_running(write(path, valid_to="2026-03-01 13:00", salt="other"), store, NOON + 2 * HOUR)
    with pytest.raises(RuleError):
        read_running(write(path, salt="other"), store, NOON + 2 * HOUR)
