"""`model`: what is there is listed and shown; what the gate did not let through is not promoted, and why is said."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from lakehouse.commands import model as command
from lakehouse.config import Config
from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES
from lakehouse.lake.delta import Lake
from lakehouse.models.aliases import CARD, GATE, PASSED, REJECTED, WHY
from lakehouse.models.publish import Trained, publish
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from tests.lakehouse.models.test_registry import SCORES, parameters
from tests.rows import completed

START = datetime(2026, 5, 9, tzinfo=UTC)
BY = ["--by", "ann", "--why", "to see"]


def register(config: Config, gate: str, *, name: str = SCORES, features: tuple[str, ...] = FEATURES) -> str:
    trained = Trained(
        name=name, parameters=parameters(offset=1.0), metrics={"test_auc": 0.75}, settings={"data_until": "2026-05-01"}, snapshot={"silver.orders": 4},
        inputs=dict.fromkeys(features, "double"), files={CARD: b"# Model card: it\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"},
        tags={GATE: gate, WHY: "quality: a guess is better" if gate == REJECTED else ""},
    )  # fmt: skip
    return publish(config, trained, is_champion=False)


def test_what_is_there_is_listed_and_shown_and_promoted_only_as_the_gate_says(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "load", lambda: config)
    good, bad = register(config, PASSED), register(config, REJECTED)
    other, unseen = register(config, PASSED, features=FEATURES[:3]), register(config, "")
    for version, why in (
        (bad, "the gate rejected it: quality: a guess is better"),
        (other, "schema .*, expected .*, that of the stream"),
        (unseen, "the gate has not seen it"),
    ):
        with pytest.raises(ModelError, match=f"version {version} of scores: {why}"):
            command.main(["promote", SCORES, version, *BY])
    assert command.main(["promote", SCORES, good, *BY]) == 0
    assert command.main(["list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(SCORES)]
    assert [line[:4] for line in lines] == [
        [SCORES, unseen, "challenger", "-"],
        [SCORES, other, "-", "passed"],
        [SCORES, bad, "-", "rejected"],
        [SCORES, good, "champion", "passed"],
    ]
    page = tmp_path / "card.html"
    assert command.main(["show", SCORES, "--page", str(page)]) == 0
    said = capsys.readouterr().out
    assert all(
        words in said for words in ("delta_version.silver.orders", "code_version", "feature_schema", "# Model card")
    )
    assert "<td>1</td><td>2</td>" in page.read_text()

    monkeypatch.setattr(command, "newest_day", lambda _: date(2026, 5, 9))
    with pytest.raises(ModelError, match="its data ends 8 days before the lake's, expected 7 at most"):
        command.main(["promote", SCORES, good, *BY])
    free = register(config, "", name="segments")  # a model without a gate
    assert command.main(["promote", "segments", free, *BY]) == 0


def test_the_newest_day_of_the_lake_is_that_of_its_last_event(lake: Lake) -> None:
    assert command.newest_day(lake.config) is None
    lake.create(SILVER_ACTIVITY_DAILY)
    assert command.newest_day(lake.config) is None
    rows = [("a", date(2026, 5, 9)), ("b", date(2026, 5, 2))]
    seen = lake.spark.createDataFrame(rows, "actor_id string, activity_date date")
    told = {"event_count": F.lit(1), "first_at": F.lit(START), "last_at": F.lit(START)}
    lake.overwrite(completed(seen.withColumns(told), SILVER_ACTIVITY_DAILY), SILVER_ACTIVITY_DAILY)
    assert command.newest_day(lake.config) == date(2026, 5, 9)


def test_an_act_without_a_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["rollback", SCORES, "--why", "to see"])
    assert "--by" in capsys.readouterr().err
