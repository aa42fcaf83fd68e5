"""The matching step of a micro-batch: pairs that may be one person, as facts of the identity graph.

    traits of the batch -> pairs (lakehouse/matching/refresh.py) -> silver.identity_review -> edges of type `match`
                                                                     ... identity step ...
                        -> silver.match_blocks

The review is written ahead of the graph and the blocks behind it. Both are what a replay compares with: a crash in
between finds the old blocks, matches the same actors again, and comes to the same rows. Whom an actor meets is looked up in
an index of the blocks (lakehouse/matching/block_index.py), so a batch reads no table, and what is new is appended.
"""

import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.identity.index import Index
from lakehouse.identity.matches import MATCH, match_edges
from lakehouse.identity.reach import edges_of
from lakehouse.identity.touched_components import EDGE_KEY
from lakehouse.lake.delta import Lake, arrow
from lakehouse.lake.table_index import current
from lakehouse.matching.block_index import BlockIndex
from lakehouse.matching.model import MatchModel
from lakehouse.matching.refresh import PAIR, Matched, refresh, refresh_all
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS, traits_of
from lakehouse.profiles.stitching.graph_facts import Facts
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import APART_PROBABILITY, SILVER_IDENTITY_REVIEW, SILVER_MATCH_BLOCKS

log = logging.getLogger("stitchlake.matching")


def blocks_version(lake: Lake) -> str | None:
    """Version of the model whose blocks silver.match_blocks holds; None when it holds none."""
    row = lake.read(SILVER_MATCH_BLOCKS).agg(F.max("model_version")).first()
    return row[0] if row is not None else None


def with_pairs(
    lake: Lake,
    index: Index,
    model: MatchModel,
    facts: Facts,
    described: Collection[str] | None,
    *,
    now: datetime,
    is_fresh: bool,
) -> tuple[Facts, Matched | None]:
    """The batch's facts with the pairs of its actors; and what `write_blocks` is to write once the graph has taken them in.

    Args:
        lake: written: silver.identity_review.
        index: of the stored graph.
        model: the champion.
        facts: of the batch.
        described: actors whose traits the batch may have changed; None = everybody, another model speaks.
        now: time of the micro-batch.
        is_fresh: the batch before may have died between review and graph.
    """
    if described is None:
        log.warning("identity model %s is new: everybody is matched again", model.version)
        matched: Matched | None = refresh_all(lake, model, lake.read(SILVER_PERSONAL_TRAITS))
    elif described:
        matched = refresh(lake, current(lake, BlockIndex), model, partial(traits_of, lake), described)
    else:
        matched = None
    if matched is None:
        return facts, None
    edges = match_edges(matched.pairs)
    stored = _stored_pairs(index, matched.actors)
    gone = _gone(stored, edges)
    # The graph has every pair of the review, but those of a batch that died between the two.
    known = None if is_fresh else stored
    _write_review(lake, model, matched.pairs, gone, now, known)
    told = pd.concat([facts.new_edges, edges[[*EDGE_KEY, "kind", "weight"]]], ignore_index=True)
    seeds = [*facts.seeds, *matched.actors] if len(edges) or len(gone) else facts.seeds
    return replace(facts, new_edges=told, gone_edges=gone, seeds=seeds), matched


def write_blocks(lake: Lake, matched: Matched) -> None:
    """The last write of matching, see above."""
    if isinstance(matched.blocks, DataFrame):
        lake.overwrite(matched.blocks, SILVER_MATCH_BLOCKS)
        return
    index = current(lake, BlockIndex)
    rows = matched.blocks.to_pandas()
    is_known = rows["actor_id"].isin(index.rows(rows["actor_id"])["actor_id"])
    empty = pd.DataFrame({"actor_id": sorted(matched.gone), "fingerprint": "", "model_version": ""})
    empty["block_keys"] = pd.Series([[]] * len(empty), dtype=object)
    marked = [rows[is_known].assign(is_deleted=False), empty.assign(is_deleted=True)]
    lake.add(arrow(rows[~is_known], SILVER_MATCH_BLOCKS), SILVER_MATCH_BLOCKS)
    _set(lake, pd.concat([frame for frame in marked if len(frame)] or marked, ignore_index=True), SILVER_MATCH_BLOCKS)
    index.follow(lake, arrow(rows, SILVER_MATCH_BLOCKS), matched.gone)


def _stored_pairs(index: Index, actors: Collection[str]) -> pd.Series:
    """Tokens of the pairs of these actors that the graph has."""
    stored = edges_of(index, actors)
    return stored.loc[stored["identifier_type"] == MATCH, "identifier_token"].drop_duplicates()


def _gone(stored: pd.Series, edges: pd.DataFrame) -> pd.DataFrame:
    """Keys of the stored edges of pairs that are pairs no longer, both sides of each."""
    tokens = stored[~stored.isin(edges["identifier_token"])]
    sides = tokens.str.split(":", expand=True, n=1)
    if sides.empty:
        return pd.DataFrame(columns=EDGE_KEY, dtype="str")
    rows = [
        pd.DataFrame({"actor_id": sides[side], "identifier_type": MATCH, "identifier_token": tokens}) for side in (0, 1)
    ]
    return pd.concat(rows, ignore_index=True)[EDGE_KEY]


def review_rows(pairs: pd.DataFrame, model: MatchModel, match_probability: float, now: datetime) -> pd.DataFrame:
    """Pairs -> rows of silver.identity_review."""
    names = model.evidence_names
    probability = 1 / (1 + 2.0 ** -pairs["weight"].astype("float64").clip(-500, 500))
    verdict = np.where(probability >= match_probability, "match", "review")
    told = [
        [{"field": name, "bits": float(bits)} for name, bits in zip(names, evidence, strict=True)]
        for evidence in pairs["evidence"]
    ]
    return pairs[[*PAIR, "weight"]].assign(
        probability=probability,
        verdict=pd.Series(np.where(probability < APART_PROBABILITY, "apart", verdict), index=pairs.index, dtype=object),
        evidence=pd.Series(told, index=pairs.index, dtype=object),
        model_version=model.version,
        computed_at=pd.Timestamp(now.astimezone(UTC).replace(tzinfo=None)),
    )


def _write_review(
    lake: Lake, model: MatchModel, pairs: pd.DataFrame, gone: pd.DataFrame, now: datetime, known: pd.Series | None
) -> None:
    """`known`: tokens of the pairs that have a row; None = not known, look for all of them."""
    rows = review_rows(pairs, model, lake.config.matching.match_probability, now).assign(is_deleted=False)
    if known is not None:
        is_new = ~(rows["actor_l"] + ":" + rows["actor_r"]).isin(known)
        lake.add(arrow(rows[is_new], SILVER_IDENTITY_REVIEW), SILVER_IDENTITY_REVIEW)
        rows = rows[~is_new]
    sides = gone["identifier_token"].drop_duplicates().str.split(":", expand=True, n=1)
    if len(sides):
        taken_back = review_rows(
            pd.DataFrame({"actor_l": sides[0], "actor_r": sides[1], "weight": 0.0, "evidence": [[]] * len(sides)}),
            replace(model, comparisons=(), sharing=()),
            1.0,
            now,
        )
        rows = pd.concat([rows, taken_back.assign(is_deleted=True)], ignore_index=True)
    _set(lake, rows, SILVER_IDENTITY_REVIEW)


def _set(lake: Lake, rows: pd.DataFrame, table: Table) -> None:
    """Set rows by key; those marked `is_deleted` are removed."""
    if len(rows):
        flags = pa.array(rows["is_deleted"].tolist(), pa.bool_())
        lake.upsert(arrow(rows, table).append_column("is_deleted", flags), table, deletes=True)
