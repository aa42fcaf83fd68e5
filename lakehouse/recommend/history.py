"""The lake -> Interactions and the ProductCatalogue, what training learns from. Needs Spark; rows pass through the driver.

Looks, adds and removals come from silver.events, orders from the lines of silver.orders, each rolled up from actor to profile
by the identity map as it is read. Bots are left out. A session is what the sender says is one; else 30 minutes without
anything end it.
"""

from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.recommend.interaction_table import Interactions, ProductCatalogue
from lakehouse.recommend.interactions import KIND_OF_EVENT, KINDS, ORDER

MOST_ROWS = 500  # newest, of one profile: more is a shop's own terminal rather than a shopper
GAP_MS = 30 * 60 * 1000


def interactions(
    events: DataFrame, orders: DataFrame, identity_map: DataFrame, *, as_of: datetime, max_profiles: int
) -> DataFrame:
    """Columns profile (a hash), product_id, kind (place in KINDS), at_ms, session (a hash, null = none said), order_id."""
    # Orders are those of silver.orders: an order is told twice, by the browser and by the back office.
    numbers = {name: KINDS.index(kind) for name, kind in KIND_OF_EVENT.items() if kind != ORDER}
    kind = F.create_map(*(F.lit(part) for pair in numbers.items() for part in pair))
    is_of_person = ~F.col("is_bot") & (F.col("type") == "track") & F.col("product_id").isNotNull()
    done = events.where(is_of_person).select(
        "actor_id", "product_id", kind[F.col("event")].alias("kind"), F.col("occurred_at").alias("at"),
        F.when(F.col("session_id").isNotNull(), F.xxhash64("session_id")).alias("session"),
        F.lit(None).cast("string").alias("order_id"),
    )  # fmt: skip
    bought = orders.where(F.col("ordered_at").isNotNull()).select(
        "actor_id", F.explode("lines.product_id").alias("product_id"), F.lit(KINDS.index(ORDER)).alias("kind"),
        F.col("ordered_at").alias("at"), F.lit(None).cast("bigint").alias("session"), "order_id",
    )  # fmt: skip
    hashed = identity_map.select("actor_id", F.xxhash64("profile_id").alias("profile"))
    chosen = hashed.select("profile").distinct().orderBy("profile").limit(max_profiles)
    members = hashed.join(chosen, on="profile", how="left_semi")
    newest = Window.partitionBy("profile").orderBy(F.desc("at"), "product_id", "kind")
    return (
        done.unionByName(bought)
        .where(F.col("kind").isNotNull() & (F.trim("product_id") != "") & (F.col("at") <= F.lit(as_of)))
        .join(members, on="actor_id", how="inner")
        .withColumn("number", F.row_number().over(newest))
        .where(F.col("number") <= MOST_ROWS)
        .select("profile", "product_id", "kind", F.unix_millis("at").alias("at_ms"), "session", "order_id")
    )


def collected(
    rows: pd.DataFrame, products: pd.DataFrame, segments: pd.DataFrame
) -> tuple[Interactions, ProductCatalogue]:
    """Numbers in place of names; products without a row are left out.

    `rows`: as `interactions` gives them. `products`: product_id, category, first_seen_ms, is_available. `segments`: profile,
    segment; a profile that is not listed is in none.
    """
    rows = rows.sort_values(["at_ms", "profile", "product_id", "kind"], ignore_index=True)
    numbers, profile = np.unique(rows["profile"].to_numpy(dtype=np.int64), return_inverse=True)
    ids, product = np.unique(rows["product_id"].to_numpy(dtype=object), return_inverse=True)
    at_ms = rows["at_ms"].to_numpy(dtype=np.int64)
    said, _ = pd.factorize(rows["session"])
    order, _ = pd.factorize(rows["order_id"])
    found = Interactions(
        profile=profile.astype(np.int64),
        product=product.astype(np.int64),
        session=_sessions(profile, at_ms, said.astype(np.int64)),
        order=order.astype(np.int64),
        kind=rows["kind"].to_numpy(dtype=np.int8),
        at_ms=at_ms,
        profiles=len(numbers),
        products=len(ids),
    )
    known = products.set_index("product_id").reindex(ids)
    segment_of = segments.drop_duplicates("profile").set_index("profile")["segment"].reindex(numbers)
    catalogue = ProductCatalogue(
        product_ids=tuple(map(str, ids)),
        categories=tuple(_or_none(known["category"])),
        first_seen_ms=known["first_seen_ms"].to_numpy(dtype=np.int64, na_value=0),
        is_available=known["is_available"].fillna(True).to_numpy(dtype=np.bool_),
        segment_of=tuple(_or_none(segment_of)),
    )
    return found, catalogue


def _or_none(texts: pd.Series) -> list[str | None]:
    return [None if pd.isna(text) else str(text) for text in texts]


def _sessions(profile: NDArray[np.integer], at_ms: NDArray[np.int64], said: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number per session. `said`: number of the session the sender told, below 0 = none."""
    order = np.lexsort((at_ms, profile))
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = (np.diff(profile[order]) != 0) | (np.diff(at_ms[order]) > GAP_MS)
    by_gap = np.empty(len(order), dtype=np.int64)
    by_gap[order] = np.cumsum(is_first)
    return np.where(said >= 0, said, by_gap + said.max(initial=-1))
