"""Segments of profiles by recency, frequency and monetary value: the model `segments`.

Reads gold.rfm, one row per profile with orders, of those who may be learned from (consenting.py). ln(1 + x) of recency in days, frequency and monetary, each to mean 0 and
deviation 1. Recency is counted back from the newest instant that gold is of, as it is served. segment_count.py learns from a sample of which kind the segments are, how many, and where they lie: the groups that are published are the very ones that were judged.
MLlib's own K-means would begin from one start, and end in worse groups where there are many. The same rows give the quintile cut points. A segment of the same people
keeps the name that the champion gave it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.clustering import GaussianMixtureModel, KMeansModel
from pyspark.ml.feature import SQLTransformer, StandardScaler, StandardScalerModel, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake
from lakehouse.models import aliases
from lakehouse.models.cluster_quality import Array
from lakehouse.models.grouping import MIXTURE, Group, Grouping
from lakehouse.models.kept_names import kept_names
from lakehouse.models.publish import Trained, publish, snapshot
from lakehouse.models.registry import SEGMENTS, Champions
from lakehouse.models.segment_model import INPUTS, SCORED, Segment, SegmentModel, pipeline_inputs
from lakehouse.models.segment_names import Behaviour, segment_names
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.training.consenting import consenting
from lakehouse.training.density import Density, density
from lakehouse.training.prospect_segments import LearnedProspects, learned_prospects
from lakehouse.training.segment_count import Count, choose
from lakehouse.training.segment_figures import Figures, figures

_SIZES = ("profiles", "recency_days", "frequency", "monetary")
READ = {"last_order_at": "datetime", "frequency": "long", "monetary": "double"}  # MLflow types of what is read


@dataclass(frozen=True, kw_only=True)
class SegmentsSummary:
    """What one training found. count: how many segments of buyers, and why so many. density: what lies close, beside them. prospects: of who has not ordered. kept: names of the champion's that stay.
    rejected: why the champion stays; null = it is not rejected.
    """

    version: str
    profiles: int
    count: Count
    density: Density
    prospects: LearnedProspects
    kept: tuple[str, ...]
    is_champion: bool
    rejected: str | None
    model: SegmentModel

    @property
    def _place(self) -> str:
        if self.is_champion:
            return "is champion"
        return "is challenger" if self.rejected is None else f"is challenger, and not champion, for {self.rejected}"

    def table(self) -> str:
        """For a person: k, silhouettes, and size and means of every segment."""
        lines = [
            f"segments model {self.version} {self._place}: {self.count.k} segments of {self.profiles:,} profiles",
            self.count.table(),
            self.density.line(),
            f"names kept from the champion: {', '.join(self.kept) or 'none'}",
            f"{'segment':<40} {'profiles':>9} {'share':>6} {'days since order':>17} {'orders':>7} {'net revenue':>12}",
        ]
        for one in sorted(self.model.segments, key=lambda segment: -segment.profiles):
            share = one.profiles / self.profiles
            lines.append(
                f"{one.name:<40} {one.profiles:>9,} {share:>6.1%} {one.recency_days:>17.1f} "
                f"{one.frequency:>7.2f} {one.monetary:>12,.2f}"
            )
        return "\n".join([*lines, self.prospects.table()])


@dataclass(frozen=True, kw_only=True)
class _Learned:
    """model: without a version yet. pipeline: MLlib's stages of the segments of buyers."""

    known: Figures
    count: Count
    density: Density
    prospects: LearnedProspects
    model: SegmentModel
    pipeline: PipelineModel


def train(lake: Lake) -> SegmentsSummary:
    """Train on gold.rfm as it stands and register; champion where none reigns or the segments are steady, and gate.promotes.

    Raises:
        ModelError: too few profiles with orders, or all of them alike.
    """
    settings = lake.config.segments
    rfm, rfm_version = snapshot(lake, GOLD_RFM)
    activation, activation_version = snapshot(lake, GOLD_ACTIVATION)
    willing = consenting(rfm, activation, lake.config.training.segments, lake.config)
    reigning = Champions.now(lake.config).segments
    of_prospects = consenting(activation, activation, lake.config.training.segments, lake.config)
    learned = _learned(lake, willing, of_prospects, reigning)
    rejected = None if reigning is None else learned.count.unsteady(settings.min_stability)
    is_champion = rejected is None and lake.config.gate.promotes
    versions = {GOLD_RFM.name: rfm_version, GOLD_ACTIVATION.name: activation_version}
    version = publish(lake.config, _trained(learned, settings.seed, rejected, versions), is_champion=is_champion)
    before = {one.name for one in reigning.every} if reigning else set()
    return SegmentsSummary(
        version=version,
        profiles=learned.known.profiles,
        count=learned.count,
        density=learned.density,
        prospects=learned.prospects,
        kept=tuple(one.name for one in learned.model.every if one.name in before),
        is_champion=is_champion,
        rejected=rejected,
        model=replace(learned.model, version=version),
    )


def _learned(lake: Lake, willing: DataFrame, of_prospects: DataFrame, reigning: SegmentModel | None) -> _Learned:
    """willing: rows of gold.rfm. of_prospects: of gold.activation."""
    settings = lake.config.segments
    newest = of_prospects.agg(F.unix_micros(F.max("as_of"))).first()
    as_of_micros = (newest and newest[0]) or 0
    # Hashed and sorted, so that the same rows give the same model however the table's files are cut.
    hashed = willing.select("profile_id", "first_order_at", *SCORED).repartition("profile_id")
    rows = hashed.sortWithinPartitions("profile_id").cache()
    try:
        known = figures(rows, as_of_micros)
        preparation = prepare(rows, known.reference_micros)
        scaled = preparation.transform(rows)
        points = on_driver(scaled, settings.sample_profiles)
        count = choose(points, settings)
        fitted = stage(lake.spark, count.grouping)
        model = _described(fitted.transform(scaled), preparation, count, known)
        prospects = learned_prospects(
            of_prospects, settings, reigning.prospects if reigning else None, known.reference_micros
        )
        return _Learned(
            known=known,
            count=count,
            density=density(points, count.grouping.labels(points)),
            prospects=prospects,
            model=replace(_renamed(model, rows, reigning), prospects=prospects.segments),
            pipeline=PipelineModel(stages=[*preparation.stages, fitted]),
        )
    finally:
        rows.unpersist()


def _trained(learned: _Learned, seed: int, rejected: str | None, versions: Mapping[str, int]) -> Trained:
    return Trained(
        name=SEGMENTS,
        pipeline=learned.pipeline,
        parameters=learned.model.to_parameters(),
        inputs=READ,
        metrics=learned.count.metrics() | learned.density.metrics(),
        tags={aliases.GATE: aliases.REJECTED, aliases.WHY: rejected} if rejected else {aliases.GATE: aliases.PASSED},
        settings={
            "kind": learned.count.grouping.kind,
            "k": learned.count.k,
            "seed": seed,
            "profiles": learned.known.profiles,
            "reference_micros": learned.known.reference_micros,
        },
        snapshot=versions,
    )


def prepare(rows: DataFrame, reference_micros: int) -> PipelineModel:
    """Log, assemble and scale, fitted: gold.rfm rows -> the same with a vector column `scaled`."""
    columns = ", ".join(f"{sql} AS {name}" for name, sql in pipeline_inputs(reference_micros).items())
    logs = SQLTransformer(statement=f"SELECT *, {columns} FROM __THIS__")
    assembler = VectorAssembler(inputCols=list(INPUTS), outputCol="logs")
    scaler = StandardScaler(inputCol="logs", outputCol="scaled", withMean=True, withStd=True)
    return PipelineModel(stages=[logs, assembler, scaler.fit(assembler.transform(logs.transform(rows)))])


def on_driver(scaled: DataFrame, most: int) -> Array:
    """`most` profiles by a hash of the id: the same ones on every run, and none likelier than another."""
    sample = scaled.orderBy(F.xxhash64("profile_id"), "profile_id").limit(most)
    return np.array(sample.select(vector_to_array(F.col("scaled")).alias("scaled")).toPandas()["scaled"].tolist())


def stage(spark: SparkSession, grouping: Grouping) -> KMeansModel | GaussianMixtureModel:
    """MLlib's model of the grouping, `scaled` -> `cluster`, for the pipeline in the registry. Python has no constructor of it, the JVM has."""
    gateway = spark.sparkContext._gateway
    assert gateway is not None
    jvm = gateway.jvm

    def doubles(values: Sequence[float]) -> Any:
        array = gateway.new_array(jvm.double, len(values))
        for place, value in enumerate(values):
            array[place] = value
        return array

    if grouping.kind == MIXTURE:
        gaussians = gateway.new_array(
            jvm.org.apache.spark.ml.stat.distribution.MultivariateGaussian, len(grouping.groups)
        )
        for place, one in enumerate(grouping.groups):
            covariance = np.linalg.inv(np.array(one.factor).T @ np.array(one.factor))
            size = len(one.centre)
            matrix = jvm.org.apache.spark.ml.linalg.DenseMatrix(size, size, doubles(covariance.ravel().tolist()))
            mean = jvm.org.apache.spark.ml.linalg.DenseVector(doubles(one.centre))
            gaussians[place] = jvm.org.apache.spark.ml.stat.distribution.MultivariateGaussian(mean, matrix)
        mixture = GaussianMixtureModel(
            jvm.org.apache.spark.ml.clustering.GaussianMixtureModel("segments", doubles(grouping.weights), gaussians)
        )
        return mixture.setFeaturesCol("scaled").setPredictionCol("cluster")
    rows = jvm.java.util.ArrayList()
    for one in grouping.groups:
        rows.add(jvm.org.apache.spark.mllib.linalg.DenseVector(doubles(one.centre)))
    plain = jvm.org.apache.spark.mllib.clustering.KMeansModel(rows)
    model = KMeansModel(jvm.org.apache.spark.ml.clustering.KMeansModel("segments", plain))
    return model.setFeaturesCol("scaled").setPredictionCol("cluster")


def _described(clustered: DataFrame, preparation: PipelineModel, count: Count, known: Figures) -> SegmentModel:
    """Scaler and centres as plain values, with cut points, names, sizes and means."""
    scaler = preparation.stages[-1]
    assert isinstance(scaler, StandardScalerModel)
    sizes = _sizes(clustered)
    names = segment_names([_behaviour(size, known) for size in sizes])
    segments = tuple(
        _segment(name, count.grouping.groups[size["cluster"]], size) for name, size in zip(names, sizes, strict=True)
    )
    return SegmentModel(
        version="",
        reference_micros=known.reference_micros,
        cuts=known.cuts,
        means=tuple(scaler.mean.toArray().tolist()),
        deviations=tuple(scaler.std.toArray().tolist()),
        segments=segments,
    )


def _segment(name: str, group: Group, size: Mapping[str, Any]) -> Segment:
    own = {name: size[name] for name in _SIZES}
    return Segment(name=name, centroid=group.centre, factor=group.factor, offset=group.offset, **own)


def _sizes(clustered: DataFrame) -> list[dict[str, Any]]:
    """Per cluster, in order: cluster, profiles, mean days since the last order, mean orders, mean net revenue."""
    means = clustered.groupBy("cluster").agg(
        F.count(F.lit(1)).alias("profiles"),
        F.avg(F.expm1("log_recency_days")).alias("recency_days"),
        F.avg(F.col("frequency").cast("double")).alias("frequency"),
        F.avg(F.col("monetary").cast("double")).alias("monetary"),
    )
    return [row.asDict() for row in means.orderBy("cluster").collect()]  # at most max_k rows


def _behaviour(size: Mapping[str, float], known: Figures) -> Behaviour:
    score = {name: 1 + sum(size[name] > cut for cut in known.cuts[name]) for name in ("frequency", "monetary")}
    return Behaviour(
        recency_gaps=size["recency_days"] / known.gap_days,
        f_score=score["frequency"],
        m_score=score["monetary"],
        frequency=size["frequency"],
        monetary=size["monetary"],
    )


def _renamed(model: SegmentModel, rows: DataFrame, reigning: SegmentModel | None) -> SegmentModel:
    """With the champion's names for segments of the same people."""
    if reigning is None:
        return model
    dated = rows.withColumn("as_of", F.timestamp_micros(F.lit(model.reference_micros)))
    placed = dated.select(
        reigning.place()["segment"].alias("old"),
        model.place()["segment"].alias("new"),
    )
    both = placed.groupBy("old", "new").count()
    numbers = {one.name: number for number, one in enumerate(model.segments)}
    shared = {(row["old"], numbers[row["new"]]): row["count"] for row in both.collect()}  # a row per pair of segments
    names = kept_names([one.name for one in model.segments], shared)
    return replace(
        model, segments=tuple(replace(one, name=name) for one, name in zip(model.segments, names, strict=True))
    )
