"""Person records whose truth is known, through the product's own steps: read, guess, normalise, train, block, score, link."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.identity.linkage import link
from lakehouse.identity.matches import counted
from lakehouse.matching.accuracy import Scores, pairwise
from lakehouse.matching.blocks import block_keys, candidates
from lakehouse.matching.fields import Field, fields
from lakehouse.matching.model import CAUTION, HOUSEHOLD, MatchModel
from lakehouse.matching.person_file import PersonRecords, read_people
from lakehouse.matching.records import atoms, records
from lakehouse.matching.score import HOUSEHOLD_BITS, scored, with_frequencies
from lakehouse.matching.training import TrainedMatcher, train
from lakehouse.tables.identity import APART_PROBABILITY

DATA = Path(__file__).parents[4] / "shared" / "data" / "identity"
FEBRL_TRUTH = r"rec_id=rec-(\d+)-"
FILES = {
    "fake_1000": (["fake_1000.csv"], "unique_id", "cluster"),
    "febrl3": (["dataset3.csv"], "rec_id", FEBRL_TRUTH),
    "febrl4": (["dataset4a.csv", "dataset4b.csv"], "rec_id", FEBRL_TRUTH),
}


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """values: what training takes, one row per record, in the order of `people`; actor ids are positions, as text."""

    people: PersonRecords
    fields: tuple[Field, ...]
    values: pd.DataFrame
    trained: TrainedMatcher
    config: Config

    @property
    def model(self) -> MatchModel:
        return self.trained.model


def missing(name: str) -> str:
    """Why data cannot be read; empty when it can."""
    absent = [file for file in FILES[name][0] if not (DATA / file).is_file()]
    return f"{DATA}: no {', '.join(absent)}" if absent else ""


def labelled(spark: SparkSession, config: Config, name: str) -> Labelled:
    files, id_column, truth = FILES[name]
    people = read_people([DATA / file for file in files], id_column, truth, [])
    compared = fields(people.kinds)
    values = values_of(spark, people.traits, compared)
    trained = train(values, compared, config.matching, config.privacy, region="US")
    return Labelled(people=people, fields=compared, values=values, trained=trained, config=config)


def values_of(spark: SparkSession, traits, compared: Sequence[Field]) -> pd.DataFrame:
    rows = [
        (f"{number:06d}", trait, value)
        for trait, column in traits.items()
        for number, value in enumerate(column)
        if value is not None
    ]
    long = pa.table({name: [row[i] for row in rows] for i, name in enumerate(("actor_id", "trait", "value"))})
    parts = [part.alias(name) for name, (_, part) in atoms(compared).items()]
    described = records(spark.createDataFrame(long), compared, region="US")
    values = [f"v{index}" for index in range(len(compared))]
    found = described.select("actor_id", *values, *parts).toPandas().set_index("actor_id")
    count = max(map(len, traits.values()))
    # Of whom nothing is told there is no record: theirs are empty here.
    told = found.reindex([f"{number:06d}" for number in range(count)]).reset_index(drop=True)
    return told.astype(object).where(told.notna(), None)


def frame(spark: SparkSession, values: pd.DataFrame) -> DataFrame:
    """Values -> records as Spark has them: actor_id, v0, v1, ..."""
    names = [name for name in values.columns if "." not in name]
    texts = {name: pa.array([v if isinstance(v, str) else None for v in values[name]], pa.string()) for name in names}
    ids = [f"{number:06d}" for number in range(len(values))]
    return spark.createDataFrame(pa.table({"actor_id": ids} | texts))


def scored_pairs(spark: SparkSession, data: Labelled, model: MatchModel | None = None) -> pd.DataFrame:
    """Every candidate pair: actor_l, actor_r, weight, evidence."""
    model, described = model or data.model, frame(spark, data.values)
    keys = block_keys(model.rules, atoms(model.fields), data.config.privacy)
    keyed = described.select("actor_id", F.explode(keys).alias("block_key"))
    sizes = keyed.groupBy("block_key").agg(F.count(F.lit(1)).alias("records"))
    pairs = candidates(keyed, keyed, sizes, max_block=model.max_block)
    return scored(pairs, with_frequencies(described, model, data.config.privacy), model).toPandas()


def linked(pairs: pd.DataFrame, count: int, *, least: float) -> list[int]:
    """The person of every record, as the product would have it; pairs: those that `kept_pairs` keeps."""
    left, right = (pairs[side].astype("int64").to_numpy() for side in ("actor_l", "actor_r"))
    probability = counted(left, right, 1 / (1 + np.exp2(-pairs["weight"].to_numpy(dtype="float64"))))
    likely = list(zip(left.tolist(), right.tolist(), probability.tolist(), strict=True))
    return link([1] * count, likely, [], [], least=least)


def kept_pairs(pairs: pd.DataFrame, model: MatchModel) -> pd.DataFrame:
    """Of the pairs of `scored_pairs` those that are kept; the others count as never compared."""
    probability = 1 / (1 + np.exp2(-pairs["weight"]))
    is_told = probability >= model.least_probability
    if model.sharing:
        bits = np.array(pairs["evidence"].tolist()).reshape(len(pairs), -1)
        agreeing = np.maximum(bits[:, :-1], 0)
        are_alike = agreeing.sum(axis=1) + np.log2(model.prior / (1 - model.prior)) >= _of_sharing(model, agreeing)
        is_told |= (probability < APART_PROBABILITY) & ((bits[:, -1] <= HOUSEHOLD_BITS) | are_alike)
    return pairs[is_told]


def _of_sharing(model: MatchModel, bits: np.ndarray) -> np.ndarray:
    """The bits that speak for two people who share something, where their fields have these bits."""
    together = np.ones(len(bits))
    for one in model.sharing:
        shares = np.array(one.shared)
        caution = CAUTION if one.name == HOUSEHOLD else 1.0
        together += caution * one.prior / (1 - model.prior) * (1 - shares + shares * np.exp2(bits)).prod(axis=1)
    return np.log2(together)


def accuracy(pairs: pd.DataFrame, data: Labelled) -> Scores:
    """pairs: as `scored_pairs` gives them."""
    matching = data.config.matching
    groups = linked(kept_pairs(pairs, data.model), len(data.people.ids), least=matching.match_probability)
    assert data.people.truth is not None
    return pairwise(groups, data.people.truth)
