"""Segments of profiles by recency, frequency and monetary value: K-means, k by silhouette, the champion of `segments`.

Reads gold.rfm, one row per profile with orders, of those who may be learned from (consenting.py). ln(1 + x) of recency in days, frequency and monetary, each to mean 0 and
deviation 1, then K-means for every k of segments.min_k..max_k. Of those whose groups come out the same from half of the profiles (stability of
segments.min_stability or more) the best mean silhouette on squared distances (Rousseeuw 1987; MLlib's ClusteringEvaluator) wins, the smaller k if
equal; where none is so steady, the steadiest. The same rows give the quintile cut points. A segment of the same people keeps the name that the champion gave it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.ml import PipelineModel
from pyspark.ml.clustering import KMeans, KMeansModel
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.feature import SQLTransformer, StandardScaler, StandardScalerModel, VectorAssembler
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import SegmentsConfig
from lakehouse.errors import ModelError
from lakehouse.lake.delta import Lake
from lakehouse.models import cluster_quality
from lakehouse.models.kept_names import kept_names
from lakehouse.models.publish import Trained, publish, snapshot
from lakehouse.models.registry import SEGMENTS, Champions
from lakehouse.models.segment_model import INPUTS, SCORED, Segment, SegmentModel, comparable, pipeline_inputs
from lakehouse.models.segment_names import Behaviour, segment_names
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.training.consenting import consenting

_SIZES = ("profiles", "recency_days", "frequency", "monetary")
FEW = 10  # profiles; below, quintiles and clusters say nothing
READ = {"last_order_at": "datetime", "frequency": "long", "monetary": "double"}  # MLflow types of what is read


@dataclass(frozen=True, kw_only=True)
class SegmentsSummary:
    """What one training found. silhouettes, davies_bouldin, stability: by k tried, see lakehouse/models/cluster_quality.py. kept: names of the champion's that stay."""

    version: str
    profiles: int
    silhouettes: Mapping[int, float]
    davies_bouldin: Mapping[int, float]
    stability: Mapping[int, float]
    kept: tuple[str, ...]
    model: SegmentModel

    @property
    def k(self) -> int:
        return len(self.model.segments)

    def table(self) -> str:
        """For a person: k, silhouettes, and size and means of every segment."""
        told = {"silhouette": self.silhouettes, "davies-bouldin": self.davies_bouldin, "stability": self.stability}
        tried = [
            f"{name} by k: {', '.join(f'{k}: {value:.3f}' for k, value in of.items())}" for name, of in told.items()
        ]
        lines = [
            f"segments model {self.version} is champion: {self.k} segments of {self.profiles:,} profiles",
            *tried,
            f"names kept from the champion: {', '.join(self.kept) or 'none'}",
            f"{'segment':<40} {'profiles':>9} {'share':>6} {'days since order':>17} {'orders':>7} {'net revenue':>12}",
        ]
        for one in sorted(self.model.segments, key=lambda segment: -segment.profiles):
            share = one.profiles / self.profiles
            lines.append(
                f"{one.name:<40} {one.profiles:>9,} {share:>6.1%} {one.recency_days:>17.1f} "
                f"{one.frequency:>7.2f} {one.monetary:>12,.2f}"
            )
        return "\n".join(lines)


def train(lake: Lake) -> SegmentsSummary:
    """Train on gold.rfm as it stands, register, make champion.

    Raises:
        ModelError: too few profiles with orders, or all of them alike.
    """
    settings = lake.config.segments
    rfm, delta_version = snapshot(lake, GOLD_RFM)
    activation, activation_version = snapshot(lake, GOLD_ACTIVATION)
    willing = consenting(rfm, activation, lake.config.training.segments, lake.config)
    # Hashed and sorted, so that the same rows give the same model however the table's files are cut.
    rows = (
        willing.select("profile_id", "first_order_at", *SCORED)
        .repartition("profile_id")
        .sortWithinPartitions("profile_id")
        .cache()
    )
    try:
        profiles = rows.count()
        reference_micros = _reference(rows, profiles)
        preparation = prepare(rows, reference_micros)
        chosen = choose(preparation.transform(rows), settings)
        fitted, silhouettes = chosen.model, chosen.silhouettes
        model = _describe(rows, preparation, fitted, reference_micros)
        before = [] if (reigning := _reigning(lake)) is None else [one.name for one in reigning.segments]
        model = _renamed(model, rows, reigning)
    finally:
        rows.unpersist()
    trained = Trained(
        name=SEGMENTS,
        pipeline=PipelineModel(stages=[*preparation.stages, fitted]),
        parameters=model.to_parameters(),
        inputs=READ,
        metrics={
            "silhouette": silhouettes[chosen.k],
            "davies_bouldin": chosen.davies_bouldin[chosen.k],
            "stability": chosen.stability[chosen.k],
        }
        | {f"silhouette_k{k}": s for k, s in silhouettes.items()},
        settings={
            "k": chosen.k,
            "seed": settings.seed,
            "profiles": profiles,
            "reference_micros": reference_micros,
        },
        snapshot={GOLD_RFM.name: delta_version, GOLD_ACTIVATION.name: activation_version},
    )
    version = publish(lake.config, trained)
    return SegmentsSummary(
        version=version,
        profiles=profiles,
        silhouettes=silhouettes,
        davies_bouldin=chosen.davies_bouldin,
        stability=chosen.stability,
        kept=tuple(one.name for one in model.segments if one.name in before),
        model=SegmentModel.from_parameters(model.to_parameters(), version),
    )


def _reference(rows: DataFrame, profiles: int) -> int:
    """Newest order, in microseconds since 1970: what recency is counted back from."""
    if profiles < FEW:
        raise ModelError(
            f"train_segments: too few profiles with orders in {GOLD_RFM.name}, got {profiles}, expected {FEW} or more. "
            "Run again when more orders have come in"
        )
    newest = rows.agg(F.unix_micros(F.max("last_order_at"))).first()
    assert newest is not None
    return int(newest[0])


def prepare(rows: DataFrame, reference_micros: int) -> PipelineModel:
    """Log, assemble and scale, fitted: gold.rfm rows -> the same with a vector column `scaled`."""
    columns = ", ".join(f"{sql} AS {name}" for name, sql in pipeline_inputs(reference_micros).items())
    logs = SQLTransformer(statement=f"SELECT *, {columns} FROM __THIS__")
    assembler = VectorAssembler(inputCols=list(INPUTS), outputCol="logs")
    scaler = StandardScaler(inputCol="logs", outputCol="scaled", withMean=True, withStd=True)
    return PipelineModel(stages=[logs, assembler, scaler.fit(assembler.transform(logs.transform(rows)))])


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The K-means model and the figures of every k tried."""

    model: KMeansModel
    silhouettes: Mapping[int, float]
    davies_bouldin: Mapping[int, float]
    stability: Mapping[int, float]

    @property
    def k(self) -> int:
        return len(self.model.clusterCenters())


def choose(scaled: DataFrame, settings: SegmentsConfig) -> Chosen:
    """The K-means model of the best silhouette among those that are steady; else the steadiest.

    k is chosen on `sample_profiles` profiles at most; if there are more, the winner is fitted again on all.

    Raises:
        ModelError: the profiles are too alike for min_k clusters.
    """
    scaled = scaled.select("profile_id", "scaled").cache()
    # By a hash of the id: the same sample on every run, and no profile is likelier than another.
    by_hash = scaled.orderBy(F.xxhash64("profile_id"), "profile_id")
    sample = by_hash.limit(settings.sample_profiles).cache()
    try:
        distinct = scaled.select("scaled").distinct().limit(settings.max_k + 1).count()
        most = min(settings.max_k, distinct - 1)
        if most < settings.min_k:
            raise ModelError(
                f"train_segments: profiles too alike, got {distinct} different ones, expected more than "
                f"segments.min_k = {settings.min_k}. Lower segments.min_k or wait for more orders"
            )
        models = {k: _kmeans(sample, k, settings.seed) for k in range(settings.min_k, most + 1)}
        silhouettes = {k: silhouette(model.transform(sample)) for k, model in models.items()}
        points, labels = _on_driver(sample, models)
        found = {k: cluster_quality.davies_bouldin(points, labels[k]) for k in models}
        steady = {k: cluster_quality.stability(points, k, settings.seed) for k in models}
        best = best_k(silhouettes, steady, settings.min_stability)
        is_all = scaled.count() <= settings.sample_profiles
        model = models[best] if is_all else _kmeans(scaled, best, settings.seed)
        return Chosen(model=model, silhouettes=silhouettes, davies_bouldin=found, stability=steady)
    finally:
        sample.unpersist()
        scaled.unpersist()


def best_k(silhouettes: Mapping[int, float], steady: Mapping[int, float], min_stability: float) -> int:
    """The best silhouette among the steady, the smaller k if equal; where none is steady enough, the steadiest."""
    enough = [k for k in silhouettes if steady[k] >= min_stability]
    if enough:
        return max(enough, key=lambda k: (silhouettes[k], -k))
    return max(steady, key=lambda k: (steady[k], -k))


def _on_driver(
    sample: DataFrame, models: Mapping[int, KMeansModel]
) -> tuple[NDArray[np.float64], dict[int, NDArray[np.int_]]]:
    """Points of the sample, at most sample_profiles, and the cluster of each by every model: that of the nearest centre."""
    points = np.array([row["scaled"].toArray() for row in sample.orderBy("profile_id").select("scaled").collect()])
    labels = {}
    for k, model in models.items():
        centres = np.array(model.clusterCenters())
        labels[k] = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    return points, labels


def _reigning(lake: Lake) -> SegmentModel | None:
    champions = Champions(lake.config)
    champions.refresh()
    return champions.segments


def _renamed(model: SegmentModel, rows: DataFrame, reigning: SegmentModel | None) -> SegmentModel:
    """With the champion's names for segments of the same people."""
    if reigning is None:
        return model
    both = rows.select(reigning.segment().alias("old"), model.segment().alias("new")).groupBy("old", "new").count()
    numbers = {one.name: number for number, one in enumerate(model.segments)}
    shared = {(row["old"], numbers[row["new"]]): row["count"] for row in both.collect()}  # a row per pair of segments
    names = kept_names([one.name for one in model.segments], shared)
    return replace(
        model, segments=tuple(replace(one, name=name) for one, name in zip(model.segments, names, strict=True))
    )


def _kmeans(scaled: DataFrame, k: int, seed: int) -> KMeansModel:
    return KMeans(k=k, seed=seed, maxIter=20, solver="block", featuresCol="scaled", predictionCol="cluster").fit(scaled)


def silhouette(clustered: DataFrame) -> float:
    """Mean silhouette of rows (scaled, cluster) on squared Euclidean distances, -1..1."""
    evaluator = ClusteringEvaluator(featuresCol="scaled", predictionCol="cluster", distanceMeasure="squaredEuclidean")
    return float(evaluator.evaluate(clustered))


def _describe(rows: DataFrame, preparation: PipelineModel, fitted: KMeansModel, reference_micros: int) -> SegmentModel:
    """The fitted stages as plain values, with cut points, names, sizes and means."""
    scaler = preparation.stages[-1]
    assert isinstance(scaler, StandardScalerModel)
    cuts = cut_points(rows)
    sizes = _sizes(fitted.transform(preparation.transform(rows)))
    gap = _typical_gap(rows, sizes)
    names = segment_names([_behaviour(size, cuts, gap) for size in sizes])
    centres = fitted.clusterCenters()
    segments = tuple(
        Segment(name=name, centroid=tuple(centres[size["cluster"]].tolist()), **{k: size[k] for k in _SIZES})
        for name, size in zip(names, sizes, strict=True)
    )
    return SegmentModel(
        version="",
        reference_micros=reference_micros,
        cuts=cuts,
        means=tuple(scaler.mean.toArray().tolist()),
        deviations=tuple(scaler.std.toArray().tolist()),
        segments=segments,
    )


def cut_points(rows: DataFrame) -> dict[str, tuple[float, ...]]:
    """The 20, 40, 60 and 80 % points of every column of SCORED, exact, by linear interpolation as numpy's default."""
    shares = F.array(*(F.lit(share) for share in (0.2, 0.4, 0.6, 0.8)))
    found = rows.agg(*(F.percentile(comparable(name), shares).alias(name) for name in SCORED)).first()
    assert found is not None
    return {name: tuple(map(float, found[name])) for name in SCORED}


def _typical_gap(rows: DataFrame, sizes: Sequence[Mapping[str, float]]) -> float:
    """Mean days between two orders of one profile; where nobody has two days with orders, mean days since the last."""
    span = F.sum((F.unix_micros("last_order_at") - F.unix_micros("first_order_at")) / F.lit(86_400e6))
    found = rows.agg((span / F.nullif(F.sum(F.col("frequency") - 1), F.lit(0))).alias("gap")).first()
    if found is not None and found["gap"]:
        return float(found["gap"])
    since = sum(size["recency_days"] * size["profiles"] for size in sizes) / sum(size["profiles"] for size in sizes)
    return since or 1.0


def _behaviour(size: Mapping[str, float], cuts: Mapping[str, Sequence[float]], gap: float) -> Behaviour:
    score = {name: 1 + sum(size[name] > cut for cut in cuts[name]) for name in ("frequency", "monetary")}
    return Behaviour(
        recency_gaps=size["recency_days"] / gap,
        f_score=score["frequency"],
        m_score=score["monetary"],
        frequency=size["frequency"],
        monetary=size["monetary"],
    )


def _sizes(clustered: DataFrame) -> list[dict[str, Any]]:
    """Per cluster, in order: cluster, profiles, mean days since the last order, mean orders, mean net revenue."""
    means = clustered.groupBy("cluster").agg(
        F.count(F.lit(1)).alias("profiles"),
        F.avg(F.expm1("log_recency_days")).alias("recency_days"),
        F.avg(F.col("frequency").cast("double")).alias("frequency"),
        F.avg(F.col("monetary").cast("double")).alias("monetary"),
    )
    return [row.asDict() for row in means.orderBy("cluster").collect()]  # at most max_k rows
