"""Matching of one micro-batch: the actors described anew, or otherwise than before, compared with old and new.

Which pairs are kept is a function of all traits and the model, never of the order of arrival: an actor whose values
changed has all its pairs replaced, and so have the members of a block that grew past `max_block`, or shrank below it.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import PrivacyConfig
from lakehouse.events.tokens import token_of
from lakehouse.lake.delta import Lake
from lakehouse.matching.block_index import BlockIndex
from lakehouse.matching.blocks import block_keys, candidates
from lakehouse.matching.model import MatchModel
from lakehouse.matching.records import atoms, records
from lakehouse.matching.score import frequencies, is_told, scored, with_frequencies
from lakehouse.tables.identity import SILVER_MATCH_BLOCKS

log = logging.getLogger("stitchlake.matching")

PAIR = ["actor_l", "actor_r"]
FEW_PAIRS = 20_000  # that are compared by a plan that is kept, see lakehouse/lake/few_rows.py
TraitsOf = Callable[[Collection[str]], DataFrame | pa.Table]
"""Actors -> their rows of silver.personal_traits; few are on the driver."""

_RECORD = "record"


@dataclass(frozen=True, kw_only=True)
class Matched:
    """What matching found. `actors`: whose pairs are all in `pairs`, whatever was kept of theirs before.

    pairs: [actor_l, actor_r, weight, evidence], from least_probability on, and those told apart. blocks: rows of
    silver.match_blocks to set, to be written after everything else: a replay must find the sizes of blocks as they were.
    gone: actors that have no usable value any more.
    """

    actors: Collection[str]
    pairs: pd.DataFrame
    blocks: DataFrame | pa.Table
    gone: Collection[str] = ()


def described(traits: DataFrame, model: MatchModel) -> DataFrame:
    """Rows of silver.personal_traits -> records (actor_id, v0, ...)."""
    return records(traits, model.fields, region=model.region)


def blocked(of_actors: DataFrame, model: MatchModel, privacy: PrivacyConfig) -> DataFrame:
    """Records -> rows of silver.match_blocks."""
    values = (F.coalesce(F.col(f"v{index}"), F.lit("")) for index in range(len(model.fields)))
    return of_actors.select(
        "actor_id",
        block_keys(model.rules, atoms(model.fields), privacy).alias("block_keys"),
        token_of(privacy, _RECORD, F.concat_ws("\x1f", *values)).alias("fingerprint"),
        F.lit(model.version).alias("model_version"),
    )


def refresh_all(lake: Lake, model: MatchModel, traits: DataFrame) -> Matched:
    """Match everybody anew: another model speaks, or the tables are checked. traits: silver.personal_traits, whole."""
    privacy = lake.config.privacy
    everyone = with_frequencies(described(traits, model), model, privacy).persist()
    blocks = blocked(everyone, model, privacy).persist()
    keys = blocks.select("actor_id", F.explode("block_keys").alias("block_key"))
    sizes = keys.groupBy("block_key").agg(F.count(F.lit(1)).alias("records"))
    full = sizes.where(F.col("records") > model.max_block).count()
    log.info("%d blocks of more than %d records pair nobody", full, model.max_block)
    pairs = _likely(candidates(keys, keys, sizes, max_block=model.max_block), everyone, model).toPandas()
    stored = lake.read(SILVER_MATCH_BLOCKS).select("actor_id")
    known = stored.union(blocks.select("actor_id")).distinct().toArrow()["actor_id"].to_pylist()
    return Matched(actors=known, pairs=_in_order(pairs), blocks=blocks)


def refresh(
    lake: Lake, index: BlockIndex, model: MatchModel, traits_of: TraitsOf, actors: Collection[str]
) -> Matched | None:
    """Match these actors, whose traits may have changed, with everybody; None when nothing comparable changed.

    Reads what of the index, which stands for silver.match_blocks, the actors' blocks reach, and the traits of whom they meet.
    """
    rows = _blocked(lake, model, traits_of(actors)).to_pandas()
    stored = index.rows(actors)
    old, new = _by_actor(stored), _by_actor(rows)
    changed = {actor for actor in old.keys() | new.keys() if old.get(actor) != new.get(actor)}
    if not changed:
        return None
    before, after = (_exploded(frame, changed) for frame in (stored, rows))
    others, common = index.members({*before["block_key"], *after["block_key"]}, changed, model.max_block)
    flipped = _flipped(others, before, after, model.max_block)
    asking = after
    if flipped:  # members of a block that came to pair, or ceased to: their other blocks count, too
        log.info(
            "%d actors matched again: a block of theirs grew past %d records or below", len(flipped), model.max_block
        )
        asking = pd.concat([after, _exploded(index.rows(flipped), flipped)], ignore_index=True)
        others, common = index.members(set(asking["block_key"]), changed, model.max_block)
    if common:
        log.info("%d blocks of more than %d records pair nobody", len(common), model.max_block)
    members = pd.concat([others, after], ignore_index=True)
    pairs = _pairs(asking, members[~members["block_key"].isin(common)], model.max_block)
    table = pa.Table.from_pandas(rows[rows["actor_id"].isin(changed)], preserve_index=False)
    gone = [actor for actor in changed if actor not in new]
    return Matched(actors=changed | flipped, pairs=_compare(lake, model, traits_of, pairs), blocks=table, gone=gone)


def _by_actor(blocks: pd.DataFrame) -> dict[str, tuple[str, str]]:
    columns = (blocks[name].tolist() for name in ("actor_id", "fingerprint", "model_version"))
    return {actor: (fingerprint, version) for actor, fingerprint, version in zip(*columns, strict=True)}


def _exploded(blocks: pd.DataFrame, actors: Collection[str]) -> pd.DataFrame:
    rows = blocks.loc[blocks["actor_id"].isin(actors), ["actor_id", "block_keys"]].explode("block_keys")
    return rows.dropna().rename(columns={"block_keys": "block_key"}).astype("str").reset_index(drop=True)


def _flipped(others: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame, max_block: int) -> set[str]:
    """Members of the blocks that pair now and did not before, or the other way round."""
    sizes = others["block_key"].value_counts()
    was = sizes.add(before["block_key"].value_counts(), fill_value=0)
    now = sizes.add(after["block_key"].value_counts(), fill_value=0)
    both = pd.DataFrame({"was": was, "now": now}).fillna(0)
    keys = both.index[(both["was"] > max_block) != (both["now"] > max_block)]
    return set(others.loc[others["block_key"].isin(keys), "actor_id"])


def _pairs(asking: pd.DataFrame, members: pd.DataFrame, max_block: int) -> pd.DataFrame:
    """actor_l < actor_r, distinct: pairs that share a key of at most `max_block` members; one of each pair asks."""
    members = members.drop_duplicates()
    sizes = members["block_key"].value_counts()
    small = members[members["block_key"].isin(sizes.index[sizes <= max_block])]
    met = asking.merge(small, on="block_key", suffixes=("_asking", ""))
    one, other = met["actor_id_asking"], met["actor_id"]
    pairs = pd.DataFrame({"actor_l": one.where(one < other, other), "actor_r": other.where(one < other, one)})
    return pairs[one != other].drop_duplicates(ignore_index=True)


def _compare(lake: Lake, model: MatchModel, traits_of: TraitsOf, pairs: pd.DataFrame) -> pd.DataFrame:
    if pairs.empty:
        return pd.DataFrame(columns=[*PAIR, "weight", "evidence"])
    # Scoring names the records four times: computed once, and in one partition, so that nothing is shuffled.
    involved = _described(lake, model, traits_of({*pairs["actor_l"], *pairs["actor_r"]}))
    asked = pa.table({name: pa.array(pairs[name].tolist(), pa.string()) for name in PAIR})
    if lake.uses_delta_rs and asked.num_rows <= FEW_PAIRS:

        def build(pairs: DataFrame, records: DataFrame, known: DataFrame) -> DataFrame:
            return _likely(pairs, with_frequencies(records, model, lake.config.privacy, known), model)

        known = frequencies(model)
        found = lake.few_rows.run("match_pairs", build, version=model, pairs=asked, records=involved, known=known)
    else:
        few_pairs, few_records = (lake.frame(rows).coalesce(1) for rows in (asked, involved))
        found = _likely(few_pairs, with_frequencies(few_records, model, lake.config.privacy), model).toArrow()
    return _in_order(found.to_pandas())


def _described(lake: Lake, model: MatchModel, traits: DataFrame | pa.Table) -> pa.Table:
    """`described`, on the driver."""
    if isinstance(traits, DataFrame):
        return described(traits, model).toArrow()
    return lake.few_rows.run("match_records", partial(described, model=model), version=model, traits=traits)


def _blocked(lake: Lake, model: MatchModel, traits: DataFrame | pa.Table) -> pa.Table:
    """`blocked` of whom the traits describe, on the driver."""
    build = partial(blocked, model=model, privacy=lake.config.privacy)
    if isinstance(traits, DataFrame):
        return build(described(traits, model)).toArrow()
    records = _described(lake, model, traits)
    return lake.few_rows.run("match_blocks", build, version=model, of_actors=records)


def _likely(pairs: DataFrame, of_actors: DataFrame, model: MatchModel) -> DataFrame:
    """The pairs that are kept. of_actors: as `with_frequencies` gives them."""
    return scored(pairs, of_actors, model).where(is_told(model))


def _in_order(pairs: pd.DataFrame) -> pd.DataFrame:
    """One order, so that sums over them come out the same to the last bit."""
    return pairs.sort_values(PAIR, ignore_index=True)
