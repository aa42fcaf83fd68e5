"""What to show next: the champion `recommender`, gold.products, and the folder that serving reads.

    ./spark-submit.sh ml/train_recommender.py [--as-of 2026-01-31T00:00:00Z]
    ./spark-submit.sh ml/train_recommender.py --use VERSION      serve an earlier version again

Reads silver.events, silver.orders and silver.identity_map, bronze.events for categories, and gold.segments, of those who may be
learned from (consenting.py). Item-item similarity and implicit ALS, alone and blended, are tuned on one slice of time and judged on the
next (lakehouse/recommend/contest.py), as the lists people would have seen (served_lists.py), beside popularity and the champion in force
(promotion.py); the winner is trained again on everything. Every version is registered and exported, so that --use can serve it;
whether it is the one served is the verdict's. Streams may run meanwhile: nothing else writes gold.products.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from delta.tables import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.config.paths import serving_folder
from lakehouse.errors import LakeError, ModelError
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import PRODUCTS, writer
from lakehouse.machine import account
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.models.aliases import promote
from lakehouse.models.publish import Trained, publish, snapshot
from lakehouse.models.registry import RECOMMENDER
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.recommend import files
from lakehouse.recommend.contest import Contest
from lakehouse.recommend.history import collected, interactions
from lakehouse.recommend.model import RecommenderModel
from lakehouse.recommend.products import GOLD_PRODUCTS, products
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.training.consenting import consenting
from lakehouse.training.judged_model import JudgedModel, judged_model
from lakehouse.training.promotion import STAYS, Verdict, judged_files, reigning
from lakehouse.training.served_lists import POPULAR, SERVED, ListFigures


@dataclass(frozen=True, kw_only=True)
class RecommenderSummary:
    """What one training found. `found`, `lists`, `ruled`: null where there was too little to judge by, and `refusal` says it.

    `outcome`: see promotion.py. `folder`: what serving can read; null = not exported, and the table says why. NDCG is that of the
    served list and of popularity's.
    """

    version: str
    kind: str
    outcome: str
    products: int
    profiles: int
    interactions: int
    ndcg: float | None
    baseline_ndcg: float | None
    found: Contest | None
    lists: ListFigures | None
    ruled: Verdict | None
    refusal: str | None
    folder: str | None

    def table(self) -> str:
        """For a person: what serves now, and what it was judged by."""
        is_champion = "is not made champion" if self.outcome == STAYS else "is champion"
        lines = [
            f"recommender model {self.version} {is_champion}: {self.kind}, from {self.interactions:,} interactions of "
            f"{self.profiles:,} profiles with {self.products:,} products"
        ]
        lines += [one.table() for one in (self.found, self.lists) if one is not None]
        lines += [f"{self.outcome}: {self.ruled.reason}"] if self.ruled else []
        then = "The champion stays" if self.outcome == STAYS else "Popularity serves"
        lines += [f"refused: {self.refusal}. {then}"] if self.refusal else []
        lines += [
            f"serving {'can read' if self.outcome == STAYS else 'reads'} {self.folder}"
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
    tables = (SILVER_EVENTS, BRONZE_EVENTS, SILVER_ORDERS, SILVER_IDENTITY_MAP, GOLD_ACTIVATION)
    (events, bronze, orders, identity_map, activation), versions = zip(
        *(snapshot(lake, table) for table in tables), strict=True
    )
    as_of = as_of or _newest(events)
    catalogue = products(events, bronze, rates=lake.config.money.rates, as_of=as_of, gone_days=settings.gone_days)
    with writer(lake.config, lake.spark, part=PRODUCTS):
        lake.create(GOLD_PRODUCTS)
        lake.overwrite(catalogue, GOLD_PRODUCTS)
        Upkeep(lake, [GOLD_PRODUCTS]).all(is_bounded=True)
    willing = consenting(identity_map, activation, lake.config.training.recommender, lake.config)
    done = interactions(events, orders, willing, as_of=as_of, max_profiles=settings.max_profiles)
    segments, of_segments = _segments(lake)
    rows, known = collected(done.toPandas(), _known_products(lake), segments.toPandas())
    if len(rows) == 0:
        raise ModelError(
            f"train_recommender: nothing to learn from, got no look, add or order of a product up to {as_of}, expected some. "
            "Run ./spark-submit.sh streaming, or a later --as-of"
        )
    as_of_ms = int(as_of.timestamp() * 1000)
    judged = judged_model(rows, known, settings, reigning(lake.config), as_of_ms)
    counts = {"interactions": len(rows), "profiles": rows.profiles, "products": rows.products}
    read = {table.name: version for table, version in zip(tables, versions, strict=True)} | of_segments
    return _publish(lake, judged, counts, read, as_of)


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


def _segments(lake: Lake) -> tuple[DataFrame, dict[str, int]]:
    """Who is in which segment now, and the version that says so by the table's name; nobody where there are no segments yet."""
    if not DeltaTable.isDeltaTable(lake.spark, lake.path(GOLD_SEGMENTS)):
        return lake.spark.createDataFrame([], "profile bigint, segment string"), {}
    segments, version = snapshot(lake, GOLD_SEGMENTS)
    now = segments.where("valid_to IS NULL").select(F.xxhash64("profile_id").alias("profile"), "segment")
    return now, {GOLD_SEGMENTS.name: version}


def _publish(
    lake: Lake, judged: JudgedModel, counts: Mapping[str, int], read: Mapping[str, int], as_of: datetime
) -> RecommenderSummary:
    """Register and export; make champion and let serving follow, unless what served before stays."""
    model, is_champion = judged.model, judged.outcome != STAYS
    metrics = judged.metrics()
    about = {
        "trained_at": datetime.now(UTC).isoformat(),
        "as_of": as_of.isoformat(),
        "snapshot": dict(read),
        "metrics": metrics,
        "outcome": judged.outcome,
        "refusal": judged.refusal,
        **counts,
    }
    blend = dataclasses.asdict(model.blend)
    trained = Trained(
        name=RECOMMENDER,
        parameters={**about, "kind": model.kind, "blend": blend, "judged_until_ms": judged.until_ms},
        metrics=metrics,
        settings={"kind": model.kind, "as_of": as_of.isoformat(), "seed": lake.config.recommender.seed, **counts},
        snapshot=read,
        files={files.ARRAYS: files.packed(model), **judged_files(judged.as_judged)},
    )
    version = publish(lake.config, trained, is_champion=is_champion)
    figures = judged.lists.figures if judged.lists else {}
    return RecommenderSummary(
        version=version,
        kind=model.kind,
        outcome=judged.outcome,
        ndcg=figures[SERVED]["ndcg"].value if figures else None,
        baseline_ndcg=figures[POPULAR]["ndcg"].value if figures else None,
        found=judged.found,
        lists=judged.lists,
        ruled=judged.ruled,
        refusal=judged.refusal,
        folder=_export(lake, version, model, about, is_champion=is_champion),
        **counts,
    )


def _export(
    lake: Lake, version: str, model: RecommenderModel, about: Mapping[str, object], *, is_champion: bool
) -> str | None:
    """The folder serving can read, and the champion's is read from now on; None where the lake is not on this machine."""
    try:
        base = serving_folder(lake.config) / RECOMMENDER
    except LakeError:
        return None
    folder = files.write(base, version, model, about)
    if is_champion:
        files.point(base, version)
    return str(folder)


def use(config: Config, version: str) -> Path:
    """Serve an earlier version from now on, and make it champion; its folder.

    Raises:
        ModelError: it is not in the registry, or no longer in the folder.
        LakeError: the lake is not on this machine.
    """
    folder = point_serving(config, version)
    promote(config, RECOMMENDER, version, by=account(), why="--use")
    return folder


def point_serving(config: Config, version: str) -> Path:
    """Let the service read that version from now on; its folder.

    Raises:
        ModelError: it is no longer in the folder.
        LakeError: the lake is not on this machine.
    """
    base = serving_folder(config) / RECOMMENDER
    files.read(base / version)
    files.point(base, version)
    return base / version
