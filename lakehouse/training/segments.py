"""Segments of profiles by recency, frequency and monetary value: K-means, the model `segments`.

Reads gold.rfm, one row per profile with orders, of those who may be learned from (consenting.py). ln(1 + x) of recency in days, frequency and monetary, each to mean 0 and
deviation 1. segment_count.py learns from a sample how many segments there are, and their centres: the groups that are published are the very ones that were judged.
MLlib's own K-means would begin from one start, and end in worse groups where there are many. The same rows give the quintile cut points. A segment of the same people
keeps the name that the champion gave it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.clustering import KMeansModel
from pyspark.ml.feature import SQLTransformer, StandardScaler, StandardScalerModel, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.errors import ModelError
from lakehouse.lake.delta import Lake
from lakehouse.models import aliases
from lakehouse.models.cluster_quality import Array
from lakehouse.models.kept_names import kept_names
from lakehouse.models.publish import Trained, publish, snapshot
from lakehouse.models.registry import SEGMENTS, Champions
from lakehouse.models.segment_model import INPUTS, SCORED, Segment, SegmentModel, comparable, pipeline_inputs
from lakehouse.models.segment_names import Behaviour, segment_names
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.training.consenting import consenting
from lakehouse.training.segment_count import Count, choose

_SIZES = ("profiles", "recency_days", "frequency", "monetary")
_DAY_MICROS = 86_400e6
FEW = 10  # profiles; below, quintiles and clusters say nothing
READ = {"last_order_at": "datetime", "frequency": "long", "monetary": "double"}  # MLflow types of what is read


@dataclass(frozen=True, kw_only=True)
class SegmentsSummary:
    """What one training found. count: how many segments, and why so many. kept: names of the champion's that stay. rejected: why the champion stays;
    null = it is not rejected.
    """

    version: str
    profiles: int
    count: Count
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
    """Train on gold.rfm as it stands and register; champion where none reigns or the segments are steady, and gate.promotes.

    Raises:
        ModelError: too few profiles with orders, or all of them alike.
    """
    settings = lake.config.segments
    rfm, rfm_version = snapshot(lake, GOLD_RFM)
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
        known = figures(rows)
        preparation = prepare(rows, known.reference_micros)
        scaled = preparation.transform(rows)
        count = choose(on_driver(scaled, settings.sample_profiles), settings)
        fitted = stage(lake.spark, count.centres)
        reigning = Champions.now(lake.config).segments
        model = _renamed(_described(fitted.transform(scaled), preparation, count, known), rows, reigning)
    finally:
        rows.unpersist()
    rejected = None if reigning is None else count.unsteady(settings.min_stability)
    is_champion = rejected is None and lake.config.gate.promotes
    trained = Trained(
        name=SEGMENTS,
        pipeline=PipelineModel(stages=[*preparation.stages, fitted]),
        parameters=model.to_parameters(),
        inputs=READ,
        metrics=count.metrics(),
        tags={aliases.GATE: aliases.REJECTED, aliases.WHY: rejected} if rejected else {aliases.GATE: aliases.PASSED},
        settings={
            "k": count.k,
            "seed": settings.seed,
            "profiles": known.profiles,
            "reference_micros": known.reference_micros,
        },
        snapshot={GOLD_RFM.name: rfm_version, GOLD_ACTIVATION.name: activation_version},
    )
    version = publish(lake.config, trained, is_champion=is_champion)
    before = {one.name for one in reigning.segments} if reigning else set()
    return SegmentsSummary(
        version=version,
        profiles=known.profiles,
        count=count,
        kept=tuple(one.name for one in model.segments if one.name in before),
        is_champion=is_champion,
        rejected=rejected,
        model=SegmentModel.from_parameters(model.to_parameters(), version),
    )


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of all profiles. reference_micros: the newest order, in microseconds since 1970, which recency is counted back from. cuts: the 20, 40, 60 and 80 %
    points of every column of SCORED, exact, by linear interpolation as numpy's default. gap_days: mean between two orders of one profile; where nobody has
    two days with orders, since the last.
    """

    profiles: int
    reference_micros: int
    cuts: Mapping[str, tuple[float, ...]]
    gap_days: float


def figures(rows: DataFrame) -> Figures:
    """`rows`: profile_id, first_order_at and SCORED.

    Raises:
        ModelError: fewer than FEW.
    """
    shares = F.array(*(F.lit(share) for share in (0.2, 0.4, 0.6, 0.8)))
    first, last = (F.unix_micros(name).cast("double") for name in ("first_order_at", "last_order_at"))
    found = rows.agg(
        F.count(F.lit(1)).alias("profiles"),
        F.unix_micros(F.max("last_order_at")).alias("newest"),
        F.avg(last).alias("mean_last"),
        (F.sum(last - first) / F.nullif(F.sum(F.col("frequency") - 1), F.lit(0))).alias("gap"),
        *(F.percentile(comparable(name), shares).alias(name) for name in SCORED),
    ).first()
    assert found is not None
    if found["profiles"] < FEW:
        raise ModelError(
            f"train_segments: too few profiles with orders in {GOLD_RFM.name}, got {found['profiles']}, expected {FEW} or more. "
            "Run again when more orders have come in"
        )
    return Figures(
        profiles=found["profiles"],
        reference_micros=found["newest"],
        cuts={name: tuple(map(float, found[name])) for name in SCORED},
        gap_days=(found["gap"] or found["newest"] - found["mean_last"]) / _DAY_MICROS or 1.0,
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


def stage(spark: SparkSession, centres: Sequence[Sequence[float]]) -> KMeansModel:
    """MLlib's model of these centres, `scaled` -> `cluster`, for the pipeline in the registry. Python has no constructor of it, the JVM has."""
    gateway = spark.sparkContext._gateway
    assert gateway is not None
    jvm, rows = gateway.jvm, gateway.jvm.java.util.ArrayList()
    for centre in centres:
        values = gateway.new_array(jvm.double, len(centre))
        for place, value in enumerate(centre):
            values[place] = value
        rows.add(jvm.org.apache.spark.mllib.linalg.DenseVector(values))
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
        Segment(name=name, centroid=count.centres[size["cluster"]], **{k: size[k] for k in _SIZES})
        for name, size in zip(names, sizes, strict=True)
    )
    return SegmentModel(
        version="",
        reference_micros=known.reference_micros,
        cuts=known.cuts,
        means=tuple(scaler.mean.toArray().tolist()),
        deviations=tuple(scaler.std.toArray().tolist()),
        segments=segments,
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
    both = rows.select(reigning.segment().alias("old"), model.segment().alias("new")).groupBy("old", "new").count()
    numbers = {one.name: number for number, one in enumerate(model.segments)}
    shared = {(row["old"], numbers[row["new"]]): row["count"] for row in both.collect()}  # a row per pair of segments
    names = kept_names([one.name for one in model.segments], shared)
    return replace(
        model, segments=tuple(replace(one, name=name) for one, name in zip(model.segments, names, strict=True))
    )
