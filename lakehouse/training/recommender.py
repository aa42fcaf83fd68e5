"""What to show next: the champion `recommender`, gold.products, and the folder that serving reads.

    ./spark-submit.sh ml/train_recommender.py [--as-of 2026-01-31T00:00:00Z]
    ./spark-submit.sh ml/train_recommender.py --use VERSION      serve an earlier version again

Reads silver.events, silver.orders and silver.identity_map, bronze.events for categories, and gold.segments. Item-item
similarity and implicit ALS, alone and blended, are tuned on one slice of time and judged on the next beside popularity
(lakehouse/recommend/contest.py); the winner is trained again on everything. Where it is not better than popularity with its whole
95 % interval it is refused: popularity serves, and says so. Streams may run meanwhile: nothing else writes gold.products.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from delta.tables import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config, RecommenderConfig
from lakehouse.config.paths import serving_folder
from lakehouse.errors import LakeError, ModelError
from lakehouse.lake.delta import Lake
from lakehouse.models.publish import Trained, publish, snapshot
from lakehouse.models.registry import RECOMMENDER, set_champion
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.recommend import files
from lakehouse.recommend.als import AlsSettings
from lakehouse.recommend.contest import CHAMPION, POPULAR, Contest, contest
from lakehouse.recommend.history import collected, interactions
from lakehouse.recommend.interaction_table import Interactions, ProductCatalogue
from lakehouse.recommend.model import POPULARITY, Blend, RecommenderModel
from lakehouse.recommend.products import GOLD_PRODUCTS, products
from lakehouse.recommend.training import FitSettings, fit
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP


@dataclass(frozen=True, kw_only=True)
class RecommenderSummary:
    """What one training found. `found`: null where there was too little to judge by, and `refusal` says it.

    `folder`: what serving reads; null = not exported, and `refusal` or the table says why.
    """

    version: str
    kind: str
    products: int
    profiles: int
    interactions: int
    ndcg: float | None
    baseline_ndcg: float | None
    found: Contest | None
    refusal: str | None
    folder: str | None

    def table(self) -> str:
        """For a person: what serves now, and what it was judged by."""
        lines = [
            f"recommender model {self.version} is champion: {self.kind}, from {self.interactions:,} interactions of "
            f"{self.profiles:,} profiles with {self.products:,} products"
        ]
        lines += [self.found.table()] if self.found else []
        lines += [f"refused: {self.refusal}. Popularity serves"] if self.refusal else []
        lines += [
            f"serving reads {self.folder}"
            if self.folder
            else "not exported for serving: lake.root is not on this machine. Run the training where serving's lake is"
        ]
        return "\n".join(lines)


def train(lake: Lake, as_of: datetime | None = None) -> RecommenderSummary:
    """Write gold.products, train on the lake as it stood at `as_of` (default: its newest event), register, export.

    Raises:
        ModelError: no table, or nobody touched a product.
    """
    settings = lake.config.recommender
    tables = (SILVER_EVENTS, BRONZE_EVENTS, SILVER_ORDERS, SILVER_IDENTITY_MAP)
    (events, bronze, orders, identity_map), versions = zip(*(snapshot(lake, table) for table in tables), strict=True)
    as_of = as_of or _newest(events)
    catalogue = products(events, bronze, rates=lake.config.money.rates, as_of=as_of, gone_days=settings.gone_days)
    lake.create(GOLD_PRODUCTS)
    lake.overwrite(catalogue, GOLD_PRODUCTS)
    done = interactions(events, orders, identity_map, as_of=as_of, max_profiles=settings.max_profiles)
    rows, known = collected(done.toPandas(), _known_products(lake), _segments(lake).toPandas())
    if len(rows) == 0:
        raise ModelError(
            f"train_recommender: nothing to learn from, got no look, add or order of a product up to {as_of}, expected some. "
            "Run ./spark-submit.sh streaming, or a later --as-of"
        )
    as_of_ms = int(as_of.timestamp() * 1000)
    model, found, refusal = _model(rows, known, _base(settings), as_of_ms)
    counts = {"interactions": len(rows), "profiles": rows.profiles, "products": rows.products}
    read = {table.name: version for table, version in zip(tables, versions, strict=True)}
    return _publish(lake, model, found, refusal, counts, read, as_of)


def _newest(events: DataFrame) -> datetime:
    found = events.agg(F.unix_micros(F.max("occurred_at"))).first()
    if found is None or found[0] is None:
        raise ModelError(
            f"train_recommender: nothing to learn from, got an empty {SILVER_EVENTS.name}, expected events. "
            "Run ./spark-submit.sh streaming"
        )
    return datetime.fromtimestamp(found[0] / 1e6, UTC)


def _known_products(lake: Lake) -> pd.DataFrame:
    columns = ("product_id", "category", F.unix_millis("first_seen_at").alias("first_seen_ms"), "is_available")
    return lake.read(GOLD_PRODUCTS).select(*columns).toPandas()


def _segments(lake: Lake) -> DataFrame:
    """Who is in which segment now; nobody where there are no segments yet."""
    if not DeltaTable.isDeltaTable(lake.spark, lake.path(GOLD_SEGMENTS)):
        return lake.spark.createDataFrame([], "profile bigint, segment string")
    now = lake.read(GOLD_SEGMENTS).where("valid_to IS NULL")
    return now.select(F.xxhash64("profile_id").alias("profile"), "segment")


def _base(settings: RecommenderConfig) -> FitSettings:
    return FitSettings(
        als=AlsSettings(rank=settings.rank, seed=settings.seed),
        blend=Blend(half_life_days=float(settings.half_life_days)),
        new_days=settings.new_days,
        gone_days=settings.gone_days,
        again_days=settings.again_days,
    )


def _model(
    rows: Interactions, known: ProductCatalogue, base: FitSettings, as_of_ms: int
) -> tuple[RecommenderModel, Contest | None, str | None]:
    """The model that is to serve, what the contest found, and why the winner is refused, if it is."""
    try:
        found = contest(rows, known, base, as_of_ms=as_of_ms)
    except ModelError as error:  # too little to judge by: what everybody likes is known all the same
        return replace(fit(rows, known, base, as_of_ms=as_of_ms), kind=POPULARITY), None, str(error)
    model = fit(rows, known, found.settings, as_of_ms=as_of_ms)
    if found.beats_popularity:
        return model, found, None
    return replace(model, kind=POPULARITY), found, f"not better than popularity, NDCG gain {found.gain}"


def _publish(
    lake: Lake,
    model: RecommenderModel,
    found: Contest | None,
    refusal: str | None,
    counts: Mapping[str, int],
    read: Mapping[str, int],
    as_of: datetime,
) -> RecommenderSummary:
    """Register and make champion, then export and let serving follow."""
    figures = found.figures if found else {}
    metrics = {f"test_{name}_{who.split()[0]}": one.value for who, of in figures.items() for name, one in of.items()}
    if found:
        metrics |= {"test_ndcg_gain": found.gain.value, "test_ndcg_gain_low": found.gain.low}
    about = {
        "trained_at": datetime.now(UTC).isoformat(),
        "as_of": as_of.isoformat(),
        "snapshot": dict(read),
        "metrics": metrics,
        "refusal": refusal,
        **counts,
    }
    trained = Trained(
        name=RECOMMENDER,
        parameters={**about, "kind": model.kind, "blend": dataclasses.asdict(model.blend)},
        metrics=metrics,
        settings={"kind": model.kind, "as_of": as_of.isoformat(), "seed": lake.config.recommender.seed, **counts},
        snapshot=read,
        files={files.ARRAYS: files.packed(model)},
    )
    version = publish(lake.config, trained)
    folder = _export(lake, version, model, about)
    return RecommenderSummary(
        version=version,
        kind=model.kind,
        ndcg=figures[CHAMPION]["ndcg"].value if found else None,
        baseline_ndcg=figures[POPULAR]["ndcg"].value if found else None,
        found=found,
        refusal=refusal,
        folder=folder,
        **counts,
    )


def _export(lake: Lake, version: str, model: RecommenderModel, about: Mapping[str, object]) -> str | None:
    """The folder serving reads from now on; None where the lake is not on this machine."""
    try:
        base = serving_folder(lake.config) / RECOMMENDER
    except LakeError:
        return None
    folder = files.write(base, version, model, about)
    files.point(base, version)
    return str(folder)


def use(config: Config, version: str) -> Path:
    """Serve an earlier version from now on, and make it champion; its folder.

    Raises:
        ModelError: it is not in the registry, or no longer in the folder.
        LakeError: the lake is not on this machine.
    """
    base = serving_folder(config) / RECOMMENDER
    files.read(base / version)
    set_champion(config, RECOMMENDER, version)
    files.point(base, version)
    return base / version
