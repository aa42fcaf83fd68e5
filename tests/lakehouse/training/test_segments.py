"""Training on a small lake of planted groups: K-means, silhouette and names, with scikit-learn as the oracle."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import mlflow.spark
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F
from sklearn.metrics import davies_bouldin_score, silhouette_score

from lakehouse.errors import ModelError
from lakehouse.lake.delta import Lake
from lakehouse.models.publish import Trained, publish
from lakehouse.models.registry import SEGMENTS, Champions, tracking_uri
from lakehouse.models.segment_model import INPUTS, SCORED
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.training.segments import SegmentsSummary, best_k, choose, cut_points, prepare, silhouette, train
from ml.train_segments import main

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
    absent = {name: F.lit(None) for name in ("r_score", "f_score", "m_score")}
    lake.create(GOLD_RFM)
    lake.create(GOLD_ACTIVATION)
    lake.overwrite(
        lake.spark.createDataFrame(rows, schema).withColumns({**absent, "computed_at": F.lit(NEWEST)}), GOLD_RFM
    )


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
    return lake, train(lake)


@pytest.fixture
def summary(trained: tuple[Lake, SegmentsSummary]) -> SegmentsSummary:
    return trained[1]


def test_the_planted_groups_are_found_named_and_followed_by_the_stream(
    trained: tuple[Lake, SegmentsSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, summary = trained
    champions = Champions(lake.config)
    assert champions.refresh() is True
    assert champions.segments == summary.model
    said = champions.segments.assign(lake.read(GOLD_RFM).drop("r_score", "f_score", "m_score")).toPandas()

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
    assert f"{summary.k} segments of 201 profiles" in text
    assert all(f"{k}: {value:.3f}" in text for k, value in summary.silhouettes.items())
    assert all(segment.name in text for segment in summary.model.segments)
    assert sum(segment.profiles for segment in summary.model.segments) == 201


def test_the_same_rows_give_the_same_model_however_the_files_are_cut(lake: Lake, summary: SegmentsSummary) -> None:
    write(lake, planted()[::-1])
    assert train(lake).model.to_parameters() == summary.model.to_parameters()


def test_silhouette_and_scaling_equal_scikit_learn_and_numpy(lake: Lake) -> None:
    write(lake, planted())
    rows = lake.read(GOLD_RFM)
    scaled = prepare(rows, int(NEWEST.timestamp() * 1e6)).transform(rows).cache()
    chosen = choose(scaled, lake.config.segments)
    model, silhouettes = chosen.model, chosen.silhouettes
    found = model.transform(scaled).select("scaled", *INPUTS, "cluster").toPandas()
    vectors = np.vstack([vector.toArray() for vector in found["scaled"]])
    logs = found[list(INPUTS)].to_numpy()
    assert vectors == pytest.approx((logs - logs.mean(axis=0)) / logs.std(axis=0, ddof=1), abs=1e-9)
    ours = silhouette(model.transform(scaled))
    assert ours == pytest.approx(silhouette_score(vectors, found["cluster"], metric="sqeuclidean"), abs=1e-6)
    assert ours == pytest.approx(max(silhouettes.values()), abs=1e-9)
    assert chosen.davies_bouldin[chosen.k] == pytest.approx(davies_bouldin_score(vectors, found["cluster"]), abs=1e-6)
    assert chosen.stability[chosen.k] >= 0.8
    nearest = ((vectors[:, None, :] - np.array(model.clusterCenters())[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert found["cluster"].tolist() == nearest.tolist()


def test_cut_points_are_numpys_linear_quantiles(lake: Lake) -> None:
    write(lake, planted())
    found = cut_points(lake.read(GOLD_RFM))
    frame = pd.DataFrame(planted(), columns=["profile_id", "first_order_at", "last_order_at", "frequency", "monetary"])
    frame["last_order_at"] = [round(moment.timestamp() * 1e6) for moment in frame["last_order_at"]]
    for name in SCORED:
        expected = np.quantile(frame[name].astype(float), (0.2, 0.4, 0.6, 0.8))
        assert found[name] == pytest.approx(tuple(expected), rel=1e-12)


def test_a_segment_of_the_same_people_keeps_the_name_it_had(lake: Lake, summary: SegmentsSummary) -> None:
    """The champion called them something else; nobody has moved since."""
    odd = {one.name: f"group {number}" for number, one in enumerate(summary.model.segments)}
    segments = tuple(dataclasses.replace(one, name=odd[one.name]) for one in summary.model.segments)
    named = dataclasses.replace(summary.model, segments=segments)
    publish(lake.config, Trained(name=SEGMENTS, parameters=named.to_parameters(), metrics={}, settings={}, snapshot={}))
    write(lake, planted())
    again = train(lake)
    assert {one.name for one in again.model.segments} == set(odd.values()) == set(again.kept)
    before = dict(zip(odd.values(), (one.centroid for one in summary.model.segments), strict=True))
    assert {one.name: one.centroid for one in again.model.segments} == before


def test_the_steady_come_first_and_where_none_is_the_steadiest() -> None:
    silhouettes, steady = {3: 0.4, 4: 0.5, 5: 0.6}, {3: 0.9, 4: 0.85, 5: 0.5}
    assert best_k(silhouettes, steady, 0.8) == 4
    assert best_k(silhouettes, steady, 0.95) == 3
    assert best_k({3: 0.4, 4: 0.4}, {3: 1.0, 4: 1.0}, 0.8) == 3


def test_too_few_profiles_are_one_line(lake: Lake) -> None:
    write(lake, planted()[:9])
    with pytest.raises(ModelError, match="got 9, expected 10 or more") as raised:
        train(lake)
    assert len(str(raised.value).splitlines()) == 1


def test_profiles_all_alike_are_one_line(lake: Lake) -> None:
    write(lake, [(f"p{i}", NEWEST, NEWEST, 1, Decimal(5)) for i in range(20)])
    with pytest.raises(ModelError, match="too alike, got 1 different ones"):
        train(lake)


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(SystemExit):
        main(["--nonsense"])
