"""Training on a small lake of planted groups: K-means, silhouette and names, with scikit-learn as the oracle."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import mlflow.spark
import numpy as np
import pandas as pd
import pytest
from pyspark.ml.clustering import KMeans
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.sql import functions as F
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics import silhouette_score as of_scikit_learn

from lakehouse.errors import ModelError
from lakehouse.lake.delta import Lake
from lakehouse.models.grouping import KMEANS, LEARNED, MIXTURE, Group, Grouping
from lakehouse.models.publish import Trained, publish
from lakehouse.models.registry import SEGMENTS, Champions, tracking_uri
from lakehouse.models.segment_model import INPUTS, SCORED, SegmentModel
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.training.segment_figures import figures
from lakehouse.training.segments import SegmentsSummary, on_driver, prepare, stage, train
from ml.train_segments import main
from tests.rows import completed

NEWEST = datetime(2026, 6, 30, tzinfo=UTC)
# Planted: (profiles, days since the last order, orders, net revenue)
GROUPS = {"best": (40, 3, 20, 900.0), "once, new": (60, 8, 1, 20.0), "once, gone": (100, 150, 1, 15.0)}


def planted(seed: int = 1) -> list[tuple[str, datetime, datetime, int, Decimal]]:
    random = np.random.default_rng(seed)
    rows = []
    for group, (count, days, orders, revenue) in GROUPS.items():
        for i in range(count):
            last = NEWEST - timedelta(days=days * float(random.uniform(0.8, 1.2)))
            frequency = max(1, round(orders * random.uniform(0.8, 1.2)))
            first = last - timedelta(days=10 * (frequency - 1))
            money = Decimal(str(round(revenue * random.uniform(0.7, 1.3), 2)))
            rows.append((f"{group} {i:03}", first, last, frequency, money))
    rows.append(("refunded", NEWEST, NEWEST, 1, Decimal("-30.00")))
    return rows


def write(lake: Lake, rows: list[tuple[str, datetime, datetime, int, Decimal]]) -> None:
    schema = (
        "profile_id string, first_order_at timestamp, last_order_at timestamp, frequency bigint, monetary decimal(18,2)"
    )
    absent = {name: F.lit(None) for name in ("r_score", "f_score", "m_score", "due_at")}
    lake.create(GOLD_RFM)
    lake.create(GOLD_ACTIVATION)
    lake.overwrite(
        lake.spark.createDataFrame(rows, schema).withColumns({**absent, "computed_at": F.lit(NEWEST)}), GOLD_RFM
    )


def with_prospects(lake: Lake) -> None:
    """Sixty who have not ordered: some with a cart of today, some who came by a year ago; gold is of the newest order."""
    rows = [
        (f"{days} {i}", NEWEST - timedelta(days=days), carts)
        for days, carts in ((0, 2), (365, 0), (60, 0))
        for i in range(20)
    ]
    told = lake.spark.createDataFrame(rows, "profile_id string, last_seen_at timestamp, cart_count bigint")
    given = {
        "first_seen_at": "last_seen_at",
        "event_count": "1L",
        "view_count": "4 * cart_count",
        "frequency": "0L",
        "monetary": "CAST(0 AS DECIMAL(18,2))",
    }
    given |= {
        "user_ids": "array()",
        "next_best_action": "'welcome'",
        "as_of": f"timestamp_micros({int(NEWEST.timestamp() * 1e6)})",
        "updated_at": "as_of",
    }
    for name, sql in given.items():
        told = told.withColumn(name, F.expr(sql))
    lake.overwrite(completed(told, GOLD_ACTIVATION), GOLD_ACTIVATION)


def two_or_three_segments(lake: Lake) -> Lake:
    """A planted refund would make a fourth segment of its own."""
    segments = dataclasses.replace(lake.config.segments, min_k=2, max_k=3)
    return Lake(lake.spark, dataclasses.replace(lake.config, segments=segments))


@pytest.fixture
def lake(lake: Lake) -> Lake:
    return two_or_three_segments(lake)


@pytest.fixture(scope="module")
def trained(new_lake: Callable[[str], Lake]) -> tuple[Lake, SegmentsSummary]:
    """The planted lake and what was learned of it; for tests that only look."""
    lake = two_or_three_segments(new_lake("trained"))
    write(lake, planted())
    with_prospects(lake)
    return lake, train(lake)


@pytest.fixture
def summary(trained: tuple[Lake, SegmentsSummary]) -> SegmentsSummary:
    return trained[1]


def test_the_planted_groups_are_found_named_and_followed_by_the_stream(
    trained: tuple[Lake, SegmentsSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, summary = trained
    champions = Champions.now(lake.config)
    assert summary.is_champion
    assert champions.segments == summary.model
    assert champions.segments.prospects is not None
    assert "recent cart abandoners" in [one.name for one in champions.segments.prospects.segments]
    dated = lake.read(GOLD_RFM).withColumn("as_of", F.lit(NEWEST))
    placed = dated.withColumn("segment", champions.segments.place()["segment"])
    said = placed.select("profile_id", "last_order_at", "frequency", "monetary", "segment").toPandas()

    groups = said[said["profile_id"] != "refunded"].assign(group=lambda rows: rows["profile_id"].str[:-4])
    named = groups.groupby("group")["segment"].agg(lambda names: "/".join(sorted(set(names)))).to_dict()
    assert named == {"best": "champions", "once, new": "recent one-time buyers", "once, gone": "lost one-time buyers"}

    # the pipeline in the registry says the same
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri(lake.config))
    pipeline = mlflow.spark.load_model(f"models:/{SEGMENTS}@champion")
    clusters = pipeline.transform(lake.read(GOLD_RFM)).select("profile_id", "cluster").toPandas()
    names = [segment.name for segment in summary.model.segments]
    by_pipeline = {row.profile_id: names[row.cluster] for row in clusters.itertuples()}
    assert by_pipeline == dict(zip(said["profile_id"], said["segment"], strict=True))

    # and so do the centroids in plain numpy
    recency = (pd.Timestamp(summary.model.reference_at).tz_localize(None) - said["last_order_at"]) / pd.Timedelta(
        days=1
    )
    raw = np.column_stack([recency, said["frequency"].astype(float), said["monetary"].astype(float).clip(lower=0)])
    scaled = (np.log1p(raw) - summary.model.means) / summary.model.deviations
    centroids = np.array([segment.centroid for segment in summary.model.segments])
    nearest = ((scaled[:, None, :] - centroids[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert said["segment"].tolist() == [names[i] for i in nearest]


def test_the_table_tells_k_silhouette_and_every_segment(summary: SegmentsSummary) -> None:
    text = summary.table()
    assert f"{summary.count.k} segments of 201 profiles" in text
    assert all(f"{k}: {value:.3f}" in text for k, value in summary.count.chosen.silhouettes.items())
    assert all(segment.name in text for segment in summary.model.segments)
    assert sum(segment.profiles for segment in summary.model.segments) == 201
    assert summary.prospects.table() in text
    assert summary.density.line() in text


def test_the_same_people_are_the_same_segments_of_the_same_names_and_what_is_not_steady_is_challenger(
    lake: Lake, summary: SegmentsSummary
) -> None:
    """The champion called them something else, and the table's files were cut otherwise; nobody has moved since."""
    odd = {one.name: f"group {number}" for number, one in enumerate(summary.model.segments)}
    segments = tuple(dataclasses.replace(one, name=odd[one.name]) for one in summary.model.segments)
    named = dataclasses.replace(summary.model, segments=segments)
    publish(lake.config, Trained(name=SEGMENTS, parameters=named.to_parameters(), metrics={}, settings={}, snapshot={}))
    write(lake, planted()[::-1])
    with_prospects(lake)
    never = dataclasses.replace(lake.config.segments, min_k=3, min_stability=1.1)
    again = train(Lake(lake.spark, dataclasses.replace(lake.config, segments=never)))
    assert again.model.to_parameters() == named.to_parameters()
    assert named.prospects is not None
    assert set(again.kept) == {*odd.values(), *(one.name for one in named.prospects.segments)}
    assert (again.is_champion, Champions.now(lake.config).versions) == (False, {SEGMENTS: "1"})
    assert "stability 1.000, expected 1.1 or more" in again.table()


def test_points_and_clusters_are_those_of_numpy_scikit_learn_and_mllib(trained: tuple[Lake, SegmentsSummary]) -> None:
    lake, summary = trained
    rows = lake.read(GOLD_RFM)
    scaled = prepare(rows, int(NEWEST.timestamp() * 1e6)).transform(rows).cache()
    told = scaled.orderBy(F.xxhash64("profile_id"), "profile_id").select(*INPUTS).toPandas().to_numpy()
    points = on_driver(scaled, 1_000)
    assert points == pytest.approx((told - told.mean(axis=0)) / told.std(axis=0, ddof=1), abs=1e-9)
    assert on_driver(scaled, 7).tolist() == points[:7].tolist()
    of_mllib = KMeans(k=summary.count.k, seed=7, featuresCol="scaled").fit(scaled)
    its = Grouping(kind=KMEANS, groups=tuple(Group(centre=tuple(one)) for one in of_mllib.clusterCenters()))
    clusters = its.labels(points)
    assert summary.count.grouping.kind == KMEANS
    assert adjusted_rand_score(clusters, summary.count.grouping.labels(points)) == 1.0
    ours = summary.count.chosen.silhouettes[summary.count.k]
    assert ours == pytest.approx(of_scikit_learn(points, clusters, metric="sqeuclidean"), abs=1e-6)
    by_mllib = ClusteringEvaluator(featuresCol="scaled").evaluate(of_mllib.transform(scaled))
    assert ours == pytest.approx(by_mllib, abs=1e-6)


def test_a_mixture_is_the_same_in_numpy_in_mllib_and_in_the_stream(trained: tuple[Lake, SegmentsSummary]) -> None:
    rows = trained[0].read(GOLD_RFM)
    scaled = prepare(rows, trained[1].model.reference_micros).transform(rows)
    by_hash = scaled.orderBy(F.xxhash64("profile_id"), "profile_id")
    grouping = LEARNED[MIXTURE](on_driver(scaled, 1_000), 3, 7)
    segments = tuple(
        dataclasses.replace(
            trained[1].model.segments[0], name=str(number), centroid=one.centre, factor=one.factor, offset=one.offset
        )
        for number, one in enumerate(grouping.groups)
    )
    model = dataclasses.replace(trained[1].model, segments=segments)
    assert SegmentModel.from_parameters(json.loads(json.dumps(model.to_parameters())), model.version) == model
    clustered = stage(trained[0].spark, grouping).transform(by_hash).withColumn("as_of", F.lit(NEWEST))
    told = clustered.select("cluster", model.place()["segment"].alias("own")).toPandas()
    labels = grouping.labels(on_driver(scaled, 1_000)).tolist()
    assert told["cluster"].tolist() == labels
    assert told["own"].tolist() == [str(label) for label in labels]
    assert len(set(labels)) == 3


def test_figures_are_those_of_numpy(trained: tuple[Lake, SegmentsSummary]) -> None:
    found = figures(trained[0].read(GOLD_RFM))
    frame = pd.DataFrame(planted(), columns=["profile_id", "first_order_at", "last_order_at", "frequency", "monetary"])
    days = (frame["last_order_at"] - frame["first_order_at"]) / pd.Timedelta(days=1)
    assert found.gap_days == pytest.approx(days.sum() / (frame["frequency"] - 1).sum(), rel=1e-9)
    assert (found.profiles, found.reference_micros) == (201, int(NEWEST.timestamp() * 1e6))
    frame["last_order_at"] = [round(moment.timestamp() * 1e6) for moment in frame["last_order_at"]]
    for name in SCORED:
        expected = np.quantile(frame[name].astype(float), (0.2, 0.4, 0.6, 0.8))
        assert found.cuts[name] == pytest.approx(tuple(expected), rel=1e-12)


def test_where_nobody_ordered_twice_the_gap_is_the_days_since_the_order(trained: tuple[Lake, SegmentsSummary]) -> None:
    once = trained[0].read(GOLD_RFM).where("profile_id LIKE 'once%'")
    ordered = once.select("profile_id", "last_order_at", F.col("last_order_at").alias("first_order_at"), "monetary")
    found = figures(ordered.withColumn("frequency", F.lit(1)))
    since = [NEWEST - last for name, _, last, *_ in planted() if name.startswith("once")]
    newest = min(since)
    expected = np.mean([(one - newest) / timedelta(days=1) for one in since])
    assert found.gap_days == pytest.approx(expected, rel=1e-9)


def test_too_few_profiles_are_one_line(trained: tuple[Lake, SegmentsSummary]) -> None:
    with pytest.raises(ModelError, match="got 9, expected 10 or more") as raised:
        figures(trained[0].read(GOLD_RFM).limit(9))
    assert len(str(raised.value).splitlines()) == 1


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(SystemExit):
        main(["--nonsense"])
