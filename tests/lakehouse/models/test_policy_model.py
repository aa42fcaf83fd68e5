"""The targeted offer of gold.scores is what the policy chooses on the same features: in the stream, in a rebuild, and until it is withdrawn."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import features
from lakehouse.lake.delta import Lake
from lakehouse.models.policy_model import PolicyModel
from lakehouse.models.publish import Trained, open_registry, publish
from lakehouse.models.registry import CHAMPION, Champions
from lakehouse.models.score_model import LOGISTIC, ScoreModel
from lakehouse.models.value_model import READ, histories
from lakehouse.profiles import due_rows
from lakehouse.profiles.declared_scores import CLV, PURCHASE_PROPENSITY, TARGETED_OFFER
from lakehouse.profiles.differences import compare
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.scores import GOLD_SCORES
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.rebuild import rebuild
from lakehouse.profiles.rollup import profile_activity, profile_orders
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.targeting.encoding import Category
from tests.accepted import at, event, events, few_leaves, once
from tests.lakehouse.models.test_value_model import MODEL as WORTH
from tests.lakehouse.targeting.policies import over_features
from tests.rows import completed
from tests.small_lake import copy_empty_tables

NOW = at("2026-03-01 00:00")
TARGETED = [TARGETED_OFFER.column, TARGETED_OFFER.version_column]


def trained(name: str, parameters: dict[str, Any]) -> Trained:
    return Trained(name=name, parameters=parameters, metrics={}, settings={}, snapshot={})


def shopping(people: range, day: str) -> list[dict[str, Any]]:
    """Everybody views and orders another number of times."""
    rows = []
    for person in people:
        for n in range(person % 5):
            rows.append(event(f"v{day}{person}-{n}", f"{day} 10:{n:02}", user_id=f"u{person}"))
        for n in range(person // 4):
            order = {"order_id": f"o{day}{person}-{n}", "revenue": "5.00"}
            rows.append(
                event(f"o{day}{person}-{n}", f"{day} 11:{n:02}", "Order Completed", user_id=f"u{person}", **order)
            )
    return rows


@dataclass(frozen=True)
class Kept:
    """gold.scores and gold.activation as the stream kept them, how many rows of a rebuild differ, and scores without the policy."""

    lake: Lake
    scores: pd.DataFrame
    activation: pd.DataFrame
    differing: int
    withdrawn: pd.DataFrame


@pytest.fixture(scope="module")
def kept(new_lake: Callable[[str], Lake]) -> Kept:
    lake = new_lake("targeted")
    copy_empty_tables(lake)
    publish(lake.config, trained(TARGETED_OFFER.model, over_features().to_parameters()))
    score = ScoreModel(version="", kind=LOGISTIC, horizon_days=30, slope=1.0, offset=0.5)
    publish(lake.config, trained(PURCHASE_PROPENSITY.model, score.to_parameters()))
    publish(lake.config, trained(CLV.model, WORTH.to_parameters()))
    batch = MicroBatch(lake, Champions(lake.config), clock=lambda: NOW)
    told: list[dict[str, Any]] = []

    def feed(batch_id: int, rows: list[dict[str, Any]]) -> None:
        told.extend(rows)
        batch(few_leaves(lake, rows), once(batch_id))

    feed(0, shopping(range(1, 20), "2026-02-01"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(due_rows, "MOST_DUE", 5)  # of all whom nineteen days have changed
        feed(1, shopping(range(3, 9), "2026-02-20"))  # few rows: no champion is new
    scores, activation = lake.read(GOLD_SCORES).toPandas(), lake.read(GOLD_ACTIVATION).toPandas()
    silver = completed(events(lake.spark, told).drop("traits"), SILVER_EVENTS)
    lake.overwrite(silver.select(*SILVER_EVENTS.column_names), SILVER_EVENTS)
    rebuilt = rebuild(lake, batch.champions, now=NOW, keep_as_of=True).tables[GOLD_SCORES]  # type: ignore[arg-type] # as MicroBatch
    differing = compare(GOLD_SCORES, lake.read(GOLD_SCORES), rebuilt).where("status != 'same'").count()
    open_registry(lake.config).delete_registered_model_alias(TARGETED_OFFER.model, CHAMPION)
    batch.catch_up()
    return Kept(lake, scores, activation, differing, lake.read(GOLD_SCORES).toPandas())


def test_every_profile_has_the_offer_that_the_policy_chooses_on_its_features(kept: Kept) -> None:
    lake, identity_map = kept.lake, kept.lake.read(SILVER_IDENTITY_MAP)
    activity = profile_activity(lake.read(SILVER_ACTIVITY_DAILY), identity_map)
    orders = profile_orders(lake.read(SILVER_ORDERS), identity_map)
    stamped = lake.spark.createDataFrame(kept.scores[["profile_id", "as_of"]])
    known = features(activity, orders, stamped).toPandas().set_index("profile_id")
    stored = kept.scores.set_index("profile_id")
    expected = dict(zip(known.index, over_features().choose(known), strict=True))
    assert stored["targeted_offer"].to_dict() == expected
    assert len(stored) == 19
    assert len(set(expected.values())) > 1
    assert set(stored["targeted_offer_model_version"]) == {"1"}
    assert stored["as_of"].nunique() > 1, "some profiles were touched after the others"
    of_activation = kept.activation.set_index("profile_id")[TARGETED]
    pd.testing.assert_frame_equal(of_activation.sort_index(), stored[TARGETED].sort_index())


def test_lifetime_value_is_what_its_model_says_of_whoever_has_ordered(kept: Kept) -> None:
    lake, identity_map = kept.lake, kept.lake.read(SILVER_IDENTITY_MAP)
    activity = profile_activity(lake.read(SILVER_ACTIVITY_DAILY), identity_map)
    orders = profile_orders(lake.read(SILVER_ORDERS), identity_map)
    stamped = lake.spark.createDataFrame(kept.scores[["profile_id", "as_of"]])
    known = features(activity, orders, stamped).where("frequency > 0").toPandas().set_index("profile_id")
    expected = pd.Series(WORTH.of(histories(*(known[name].to_numpy() for name in READ))), known.index)
    stored = kept.scores.set_index("profile_id")[CLV.column].dropna()
    assert set(stored.index) == set(known.index)
    assert 0 < len(stored) < len(kept.scores)
    assert stored.astype(float).sort_index().tolist() == pytest.approx(expected.sort_index().tolist(), abs=0.0051)
    assert set(kept.scores[CLV.version_column]) == {"1"}


def test_a_rebuild_finds_the_same(kept: Kept) -> None:
    assert kept.differing == 0


def test_a_policy_that_is_withdrawn_is_taken_from_everybody(kept: Kept) -> None:
    assert kept.withdrawn[TARGETED].isna().all().all()
    assert kept.withdrawn["purchase_propensity"].notna().all()


def test_a_policy_over_other_features_is_refused() -> None:
    parameters = over_features().to_parameters()
    first, *others = parameters["encoding"]
    for strange in ({**first, "name": "recency"}, {"name": "views_7d", "levels": ["many"]}):
        with pytest.raises(ModelError, match=f"policy 7: learned from other features, got \\['{strange['name']}'\\]"):
            PolicyModel.from_parameters({**parameters, "encoding": [strange, *others]}, "7")
    encoding = dataclasses.replace(over_features().encoding, columns=(Category(name="city", levels=("Ulm",)),))
    with pytest.raises(ModelError, match="city"):
        PolicyModel(version="8", policy=dataclasses.replace(over_features(), encoding=encoding))
