"""Which models learned from whom was erased: the registry's versions beside receipts, with a real registry and no lake."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse.config import Config
from lakehouse.models.publish import Trained, publish
from lakehouse.models.registry import SEGMENTS
from lakehouse.people.learned import learned
from lakehouse.profiles.declared_scores import PURCHASE_PROPENSITY, TARGETED_OFFER
from lakehouse.schedule.declaration import Schedule, read

SCORES = PURCHASE_PROPENSITY.model
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLE, OTHER = "silver.orders", "silver.consent"


@pytest.fixture
def schedule(tmp_path: Path) -> Schedule:
    file = tmp_path / "schedule.yaml"
    file.write_text(
        "zone: Europe/Berlin\njobs:\n"
        '  - {name: nightly, description: "x", job: ml/train_scores.py, cron: "20 2 * * *"}\n'
        '  - {name: if_so, description: "x", job: ml/train_scores.py, arguments: [--if-drifted], cron: "0 13 * * *"}\n',
        encoding="utf-8",
    )
    return read(file, ["ml/train_scores.py"])


def version(config: Config, model: str, snapshot: Mapping[str, int], *, is_champion: bool = True) -> str:
    trained = Trained(name=model, parameters={}, metrics={}, settings={}, snapshot=snapshot)
    return publish(config, trained, is_champion=is_champion)


def receipt(commits: Mapping[str, int] | None, *, rows: int = 3, at: datetime = NOW) -> dict[str, Any]:
    told = None if commits is None else json.dumps(commits)
    return {"counts": json.dumps({TABLE: rows}), "commits": told, "written_at": at}


def test_a_version_learned_from_them_where_it_read_a_table_before_they_were_gone(
    config: Config, schedule: Schedule
) -> None:
    old = version(config, SCORES, {TABLE: 6})
    version(config, SCORES, {TABLE: 7}, is_champion=False)
    found = learned(config, [receipt({TABLE: 7}), receipt({TABLE: 9}), receipt({TABLE: 7})], schedule, NOW)
    # The challenger read the very commit by which two of the three were gone.
    assert [(one.version, one.aliases, one.people) for one in found] == [
        ("2", ("challenger",), 1),
        (old, ("champion",), 3),
    ]


def test_the_next_training_is_told_in_the_zone_of_the_schedule(config: Config, schedule: Schedule) -> None:
    version(config, SCORES, {TABLE: 6})
    (one,) = learned(config, [receipt({TABLE: 7})], schedule, NOW)
    assert one.told()["next_training"] == "2026-03-02T01:20:00+00:00"
    assert one.line() == (
        "scores 1 (champion) learned from 1 person erased since; learned anew by ml/train_scores.py, next at 2026-03-02 02:20 CET"
    )


def test_who_had_no_row_in_what_a_model_read_taught_it_nothing(config: Config, schedule: Schedule) -> None:
    version(config, SCORES, {OTHER: 1})
    version(config, SEGMENTS, {TABLE: 1})
    gone = {TABLE: 7, OTHER: 7}
    assert [one.model for one in learned(config, [receipt(gone)], schedule, NOW)] == [SEGMENTS]
    assert learned(config, [receipt(gone, rows=0)], schedule, NOW) == []


def test_of_what_says_too_little_the_time_decides(config: Config, schedule: Schedule) -> None:
    version(config, TARGETED_OFFER.model, {})
    soon, long_ago = datetime.now(UTC) + timedelta(hours=1), datetime(2020, 1, 1, tzinfo=UTC)
    (one,) = learned(config, [receipt(None, at=soon), receipt({TABLE: 7}, at=long_ago)], schedule, NOW)
    assert (one.people, one.line()) == (
        1,
        "uplift_decisions 1 (champion) learned from 1 person erased since; learned anew by ml/train_uplift.py, which no schedule runs",
    )


def test_without_models_or_without_erasures_nothing_is_told(config: Config, schedule: Schedule) -> None:
    assert learned(config, [receipt({TABLE: 7})], schedule, NOW) == []
    version(config, SCORES, {TABLE: 6})
    assert learned(config, [], schedule, NOW) == []
