"""How good segments are, beside scikit-learn's K-means on the same points: real groceries, real records, and a shop whose behaviours are known.

    ./spark-submit.sh tests/benchmarks/segments.py [--resamples 20]

Each source's orders make gold.rfm, as the stream would (first and last order, how many, how much), and the product's own training learns from it: The Complete Journey
(2,469 households, a year, real), CDNOW (23,570 customers, 18 months, real), and the simulated shop of `demo`, of whose buyers the habit is known: loyal, lapsing,
bargain or one_time. Of each:

equal        silhouette and Davies-Bouldin of what was published, ours beside scikit-learn's, and the silhouette of MLlib's evaluator
stable       mean adjusted Rand of the published groups and those that the same kind learns from people drawn again, as many as there are
no worse     within-cluster squares of what was published over those of scikit-learn's best of 10 starts; adjusted Rand of both; seconds of either fit
truth        of the shop: adjusted Rand of groups and habits, ours and scikit-learn's with as many clusters

Exit code 1 where figures differ by more than 1e-6, stability is below 0.8, or squares of K-means are more than 1 % above scikit-learn's.
"""

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.functions import array_to_vector
from pyspark.sql import functions as F
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, davies_bouldin_score, silhouette_score

from lakehouse.config import load
from lakehouse.demo.datasets import cdnow, completejourney
from lakehouse.demo.shop import Shop
from lakehouse.job import run
from lakehouse.lake.delta import Lake
from lakehouse.models.cluster_quality import davies_bouldin, silhouette
from lakehouse.models.grouping import KMEANS, LEARNED, labels_by
from lakehouse.models.one_thread import one_thread
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.spark.session import get_session
from lakehouse.training.segment_figures import figures
from lakehouse.training.segments import SegmentsSummary, on_driver, prepare, train
from tests.benchmarks.machine import machine
from tests.rows import completed

SEED, EVENTS = 7, 100_000
MOST_APART, LEAST_STABLE, MOST_SQUARES = 1e-6, 0.8, 1.01
Order = tuple[str, float, int]
"""Who, when in seconds since 1970, and net cents."""


def groceries() -> Iterator[Order]:
    for at, message in completejourney.orders():
        told = json.loads(message.value or b"{}")
        yield told["userId"], at.timestamp(), round(100 * told["properties"]["revenue"])


def records() -> Iterator[Order]:
    for one in cdnow.purchases():
        noon = datetime.strptime(one.date, "%Y%m%d").replace(hour=12, tzinfo=UTC)
        yield one.customer_id, noon.timestamp(), int(one.dollars.replace(".", ""))


def shop() -> tuple[list[Order], Mapping[str, str]]:
    """Orders, and the habit of everybody."""
    simulated = Shop(EVENTS, SEED)
    for _ in simulated.messages():
        pass
    truth = simulated.truth
    orders = [
        (one.person_id, one.ordered_at_ms / 1000, one.cents - one.refunded_cents) for one in truth.orders.values()
    ]
    return orders, truth.behaviours


def write(lake: Lake, orders: list[Order]) -> None:
    """gold.rfm of the orders; nobody has said anything of consent."""
    rows = pd.DataFrame(orders, columns=["profile_id", "at", "cents"])
    found = rows.groupby("profile_id", as_index=False).agg(
        first=("at", "min"), last=("at", "max"), frequency=("at", "size"), cents=("cents", "sum")
    )
    told = lake.frame(pa.Table.from_pandas(found, preserve_index=False)).select(
        "profile_id",
        F.timestamp_seconds("first").alias("first_order_at"),
        F.timestamp_seconds("last").alias("last_order_at"),
        "frequency",
        (F.col("cents").cast("decimal(18,2)") / 100).cast("decimal(18,2)").alias("monetary"),
    )
    for table in (GOLD_RFM, GOLD_ACTIVATION):
        lake.create(table)
    lake.overwrite(completed(told.withColumn("computed_at", F.lit(datetime.now(UTC))), GOLD_RFM), GOLD_RFM)


def by_mllib(lake: Lake, points: np.ndarray, labels: np.ndarray) -> float:
    rows = pd.DataFrame({"point": list(points), "cluster": labels.astype(float)})
    frame = lake.spark.createDataFrame(rows).select(array_to_vector("point").alias("scaled"), "cluster")
    return float(ClusteringEvaluator(featuresCol="scaled", predictionCol="cluster").evaluate(frame))


def drawn_again(points: np.ndarray, labels: np.ndarray, kind: str, k: int, resamples: int) -> float:
    random, labels_of = np.random.default_rng(SEED), labels_by(kind)
    found = []
    with one_thread():
        for number in range(resamples):
            rows = random.integers(0, len(points), len(points))
            found.append(labels_of(points[rows], k, number, points))
    return float(np.mean([adjusted_rand_score(labels, one) for one in found]))


def judged(lake: Lake, orders: list[Order], habits: Mapping[str, str] | None, resamples: int) -> dict[str, Any]:
    write(lake, orders)
    began = time.perf_counter()
    summary = train(lake)
    took = time.perf_counter() - began
    print(summary.table(), flush=True)
    rows = lake.read(GOLD_RFM)
    scaled = prepare(rows, figures(rows).reference_micros).transform(rows).cache()
    points = on_driver(scaled, summary.profiles)
    told = _figures(lake, summary, points, resamples)
    if habits is not None:
        by_hash = scaled.orderBy(F.xxhash64("profile_id"), "profile_id").select("profile_id").toPandas()["profile_id"]
        truth = by_hash.map(habits).to_numpy()
        told |= _of_truth(summary, points, truth)
    scaled.unpersist()
    return told | {"train_seconds": round(took, 1)}


def _figures(lake: Lake, summary: SegmentsSummary, points: np.ndarray, resamples: int) -> dict[str, Any]:
    k = summary.count.k
    labels = summary.count.grouping.labels(points)
    centres = np.array([points[labels == number].mean(axis=0) for number in range(k)])
    began = time.perf_counter()
    peer = KMeans(k, n_init=10, random_state=SEED).fit(points)
    took = time.perf_counter() - began
    own = {"silhouette": silhouette(points, labels), "davies_bouldin": davies_bouldin(points, labels)}
    oracle = {
        "silhouette": float(silhouette_score(points, labels, metric="sqeuclidean")),
        "davies_bouldin": float(davies_bouldin_score(points, labels)),
    }
    began = time.perf_counter()
    with one_thread():
        LEARNED[summary.count.grouping.kind](points, k, SEED)
    learned = time.perf_counter() - began
    apart = max(abs(own[name] - oracle[name]) for name in own)
    return {
        "profiles": summary.profiles,
        "kind": summary.count.grouping.kind,
        "k": k,
        **{name: round(value, 6) for name, value in own.items()},
        "apart_from_scikit_learn": apart,
        "apart_from_mllib": abs(own["silhouette"] - by_mllib(lake, points, labels)),
        "stability_of_halves": round(summary.count.chosen.stability[k], 4),
        "stability_drawn_again": round(drawn_again(points, labels, summary.count.grouping.kind, k, resamples), 4),
        "squares_over_scikit_learn": round(float(((points - centres[labels]) ** 2).sum()) / float(peer.inertia_), 6),
        "rand_with_scikit_learn": round(float(adjusted_rand_score(labels, peer.labels_)), 4),
        "fit_seconds": round(learned, 2),
        "scikit_learn_fit_seconds": round(took, 2),
    }


def _of_truth(summary: SegmentsSummary, points: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    names = [one.name for one in summary.model.segments]
    labels = summary.count.grouping.labels(points)
    print(pd.crosstab(np.array(names)[labels], truth).to_string())
    peers = {k: KMeans(k, n_init=10, random_state=SEED).fit(points).labels_ for k in (len(names), len(set(truth)))}
    return {
        "rand_with_truth": round(float(adjusted_rand_score(truth, labels)), 4),
        **{f"rand_of_scikit_learn_{k}": round(float(adjusted_rand_score(truth, one)), 4) for k, one in peers.items()},
    }


def is_met(told: Mapping[str, Any]) -> bool:
    return bool(
        max(told["apart_from_scikit_learn"], told["apart_from_mllib"]) <= MOST_APART
        and min(told["stability_of_halves"], told["stability_drawn_again"]) >= LEAST_STABLE
        and (told["kind"] != KMEANS or told["squares_over_scikit_learn"] <= MOST_SQUARES)
    )


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="segments")
    parser.add_argument("--resamples", type=int, default=20)
    resamples = parser.parse_args(argv).resamples
    config = load()
    spark = get_session(config, "segments")
    sources: dict[str, Callable[[], tuple[list[Order], Mapping[str, str] | None]]] = {
        "completejourney": lambda: (list(groceries()), None),
        "cdnow": lambda: (list(records()), None),
        "shop": shop,
    }
    found = {}
    for name, read in sources.items():
        with tempfile.TemporaryDirectory(prefix=f"stitchlake-{name}-") as folder:
            ours = dataclasses.replace(config, lake=dataclasses.replace(config.lake, root=f"{folder}/lake"))
            found[name] = judged(Lake(spark, ours), *read(), resamples)
            print(name, json.dumps(found[name]), flush=True)
    kept = {name: is_met(told) for name, told in found.items()}
    print(json.dumps({"benchmark": "segments", **found, "is_met": kept, **machine(config)}))
    return int(not all(kept.values()))


if __name__ == "__main__":
    run(main)
