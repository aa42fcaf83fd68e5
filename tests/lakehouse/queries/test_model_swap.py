"""Promotion and rollback reach every row of gold, and the document that the service answers from, within one trigger of the same running query."""

from contextlib import closing
from pathlib import Path

import pytest

from lakehouse.commands import model as command
from lakehouse.features.point_in_time import FEATURES
from lakehouse.lake.delta import Lake
from lakehouse.models.aliases import GATE, PASSED
from lakehouse.models.publish import Trained, publish
from lakehouse.models.registry import Champions
from lakehouse.models.score_model import LOGISTIC, ScoreModel
from lakehouse.online.engines import open_store, store_url
from lakehouse.online.online_profile import PROFILE, OnlineProfile
from lakehouse.online.online_step import OnlineStep
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.scores import GOLD_SCORES
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.queries import events as query
from tests.rows import add_batch, stream, track
from tests.small_lake import copy_empty_tables

MODEL = "scores"
COLUMNS = ("purchase_propensity", "purchase_propensity_model_version")


def register(lake: Lake, offset: float, gate: str = PASSED) -> str:
    model = ScoreModel(version="", kind=LOGISTIC, horizon_days=30, slope=1.0, offset=offset)
    trained = Trained(
        name=MODEL, parameters=model.to_parameters(), metrics={}, settings={"data_until": "2026-07-01"}, snapshot={},
        inputs=dict.fromkeys(FEATURES, "double"), tags={GATE: gate},
    )  # fmt: skip
    return publish(lake.config, trained, is_champion=False)


def test_a_rollback_is_in_force_in_the_running_query_within_one_trigger(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "load", lambda: lake.config)
    copy_empty_tables(lake)
    batch = MicroBatch(
        lake, Champions(lake.config), online=OnlineStep(lake, lambda: open_store(store_url(lake.config)))
    )
    folder = Path(lake.root).parent / "records"

    def trigger(person: str) -> None:
        """One micro-batch, of one new person."""
        add_batch(folder, [track(message_id=person, userId=person, anonymousId=None)])
        query.writer(lake, stream(lake.spark, folder), batch).trigger(availableNow=True).start().awaitTermination()

    def said(*argv: str) -> None:
        assert command.main([*argv, "--by", "ann", "--why", "to see"]) == 0

    def all_say(version: str, value: float, people: int) -> None:
        for table in (GOLD_SCORES, GOLD_ACTIVATION):
            rows = [tuple(row) for row in lake.read(table).select(*COLUMNS).collect()]
            assert rows == [(pytest.approx(value, abs=1e-12), version)] * people, table.name
        with closing(open_store(store_url(lake.config))) as store:
            documents = [OnlineProfile.decode(data).figures for _, data in store.scan(PROFILE)]
        assert [(one[COLUMNS[0]], one[COLUMNS[1]]) for one in documents] == [
            (pytest.approx(value, abs=1e-12), version)
        ] * people

    first, second = register(lake, 0.0), register(lake, 1.0)
    said("promote", MODEL, first)
    trigger("ann")
    all_say(first, 0.5, 1)
    said("promote", MODEL, second)
    trigger("bob")
    all_say(second, 0.7310585786300049, 2)
    said("rollback", MODEL)
    trigger("cat")
    all_say(first, 0.5, 3)
