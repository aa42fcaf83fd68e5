"""Training on a small lake with a planted taste: what is registered, what serving reads, what a refusal looks like."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import LakeConfig
from lakehouse.errors import LakeError, ModelError
from lakehouse.lake.delta import Lake
from lakehouse.models.publish import snapshot
from lakehouse.models.registry import CHAMPION, RECOMMENDER, client, tracking_uri
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.recommend import contest as contests
from lakehouse.recommend.interaction_table import Interactions
from lakehouse.recommend.interactions import KINDS, Interaction
from lakehouse.recommend.products import GOLD_PRODUCTS
from lakehouse.recommend.recommender import Recommender
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.training.recommender import train, use
from tests import small_lake
from tests.lakehouse.recommend.shops import NOW, planted
from tests.rows import completed

EVENTS = ("Product Viewed", "Product Added", "Product Removed", "Order Completed")
AT = "timestamp_millis(at_ms)"


def write(lake: Lake, rows: Interactions) -> None:
    """The interactions as a lake: one actor per profile, categories in bronze, orders of one line."""
    table = pd.DataFrame(
        {
            "actor": [f"a{one:04}" for one in rows.profile],
            "product": [f"p{one:03}" for one in rows.product],
            "category": [f"c{one % 6}" for one in rows.product],
            "event": [EVENTS[one] for one in rows.kind],
            "order_id": [f"o{one}" if one >= 0 else None for one in rows.order],
            "session": [f"s{one}" for one in rows.session],
            "at_ms": rows.at_ms,
            "offset": np.arange(len(rows)),
        }
    )
    wide = lake.spark.createDataFrame(table).selectExpr(
        "*", "'events' AS topic", "0 AS partition", f"{AT} AS occurred_at", f"{AT} AS received_at", f"{AT} AS ingested_at",
        """CAST(concat('{"properties":{"category":"', category, '","price":9.99}}') AS BINARY) AS value""",
        "concat('m', offset) AS message_id", "actor AS actor_id", "'track' AS type", "product AS product_id", "session AS session_id",
        "false AS is_bot", "false AS is_clamped", "offset AS content_hash",
    ).cache()  # fmt: skip
    lake.create(GOLD_ACTIVATION)
    _fill(lake, BRONZE_EVENTS, wide)
    _fill(lake, SILVER_EVENTS, wide)
    bought = wide.where("event = 'Order Completed'").selectExpr(
        "order_id", "actor_id", f"{AT} AS ordered_at", "array(named_struct('product_id', product_id, 'name', NULL, 'quantity', 1, 'price', NULL)) AS lines",
    )  # fmt: skip
    _fill(lake, SILVER_ORDERS, bought)
    members = (
        wide.select("actor_id").distinct().selectExpr("actor_id", "actor_id AS profile_id", "actor_id AS component_id")
    )
    _fill(
        lake,
        SILVER_IDENTITY_MAP,
        members.withColumns(dict.fromkeys(("first_seen_at", "resolved_at"), F.lit(datetime.now(UTC)))),
    )


def _fill(lake: Lake, table: Table, rows: DataFrame) -> None:
    lake.create(table)
    lake.overwrite(completed(rows, table), table)


def test_a_planted_taste_is_served_and_an_earlier_version_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contests, "CONFIDENCES", contests.CONFIDENCES[:1])
    write(lake, planted(300, taste=0.95))
    lake.create(GOLD_SEGMENTS)
    summary = train(lake)
    assert (summary.version, summary.kind, summary.products, summary.refusal) == ("1", "personal", 60, None)
    assert summary.ndcg > summary.baseline_ndcg + 0.05
    assert summary.outcome == "promoted"
    assert "promoted: NDCG@10 gain over popularity" in summary.table()
    assert json.dumps(dataclasses.asdict(summary), default=str)  # the demo's page takes it as plain values

    base = Path(lake.root) / "_serving" / RECOMMENDER
    served = Recommender.load_current(base)
    assert (served.version, served.category_of("p007")) == ("1", "c1")
    history = [Interaction(one, KINDS[0], NOW) for one in ("p002", "p008", "p014")]  # category c2
    found = [one.product_id for one in served.propose(history, now_ms=NOW, count=4)]
    assert sum(served.category_of(one) == "c2" for one in found) >= 3
    assert lake.read(GOLD_PRODUCTS).where("category IS NULL OR price != 9.99").count() == 0

    registry = client(tracking_uri(lake.config))
    run = registry.get_run(registry.get_model_version_by_alias(RECOMMENDER, CHAMPION).run_id)
    assert run.data.metrics["list_gain_over_popularity_low"] > 0
    assert {"served_coverage", "served_gini", "served_diversity", "served_popularity"} <= run.data.metrics.keys()
    assert run.data.tags["delta_version.silver.events"] == str(served.about["snapshot"]["silver.events"])
    assert served.about["snapshot"]["gold.segments"] == snapshot(lake, GOLD_SEGMENTS)[1]
    assert {file.path for file in registry.list_artifacts(run.info.run_id)} == {
        "judged.npz",
        "model.npz",
        "parameters.json",
    }

    early = datetime.fromtimestamp(NOW / 1000 - 58 * 86_400, UTC)
    thin = train(lake, early)
    assert (thin.version, thin.kind, thin.outcome, thin.found) == ("2", "popularity", "stays", None)
    assert "too few people to judge" in thin.refusal
    assert "model 2 is not made champion" in thin.table()
    assert "The champion stays" in thin.table()
    assert Recommender.load_current(base).version == "1"
    assert str(registry.get_model_version_by_alias(RECOMMENDER, CHAMPION).version) == "1"

    assert use(lake.config, "2") == base / "2"
    assert Recommender.load_current(base).about["as_of"] == early.isoformat()
    assert {one.reason for one in Recommender.load_current(base).propose(history, now_ms=NOW)} == {"popular"}
    assert str(registry.get_model_version_by_alias(RECOMMENDER, CHAMPION).version) == "2"
    with pytest.raises(ModelError, match="no recommender"):
        use(lake.config, "9")
    assert Recommender.load_current(base).version == "2"

    assert train(lake).outcome == "promoted", "popularity reigns, which any that beats it may follow"
    assert Recommender.load_current(base).version == "3"


def test_an_empty_lake_is_one_line(lake: Lake) -> None:
    with pytest.raises(ModelError, match=r"silver\.events: no table"):
        train(lake)
    empty = small_lake.empty(lake.spark)
    with pytest.raises(ModelError, match=r"nothing to learn from, got an empty silver\.events"):
        train(empty)
    with pytest.raises(ModelError, match="nothing to learn from, got no look, add or order"):
        train(empty, datetime(2026, 1, 1, tzinfo=UTC))


def test_only_a_lake_on_this_machine_is_served_from(lake: Lake) -> None:
    remote = dataclasses.replace(lake.config, lake=LakeConfig(root="s3://bucket/lake", keep_hours=1))
    with pytest.raises(LakeError, match=r"lake\.root: got 's3://bucket/lake', expected a local folder"):
        use(remote, "1")
