"""A pair of records -> bits of evidence: one SQL text for Spark and DuckDB, from the model's numbers.

A pair has the columns `v<i>_l`, `v<i>_r`, and `t<i>_l`: the bits that exact agreement on this value adds. No value and no
name of a trait is ever part of the text.
"""

import math
from collections.abc import Callable

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config import PrivacyConfig
from lakehouse.events.tokens import token_of
from lakehouse.matching.levels import EXACT, distance, levels
from lakehouse.matching.model import CAUTION, FREQUENCY, HOUSEHOLD, MatchModel
from lakehouse.tables.identity import APART_PROBABILITY

HOUSEHOLD_BITS = -1.0  # from here on two people who live together are likelier than two strangers
FREQUENCIES = pa.schema([("field", pa.int32()), ("token", pa.string()), ("bits", pa.float64())])


def distances_sql(model: MatchModel) -> dict[str, str]:
    """Column -> SQL of the distances that `bits_sql` reads. A column of its own, so that it is computed once."""
    return {f"d{index}": distance(index) for index in range(len(model.comparisons))}


def bits_sql(model: MatchModel) -> list[str]:
    """One SQL expression per field, in order: its bits of evidence, 0 where one side has no value."""
    return [_field(model, index) for index in range(len(model.comparisons))]


def household_sql(model: MatchModel, bits: Callable[[int], str] = "b{}".format) -> str:
    """The evidence, in bits, never above 0, that no field gives: the two may be people who live together.

    bits: SQL of the bits of a field, by its index. See lakehouse/matching/model.py for the formula.
    """
    terms = [_number(1.0)]
    for one in model.sharing:
        caution = CAUTION if one.name == HOUSEHOLD else 1.0
        share = caution * one.prior / (1 - model.prior)
        fields = [
            f"({_number(1 - s)} + {_number(s)} * pow(2.0E0, {bits(index)}))" for index, s in enumerate(one.shared)
        ]
        terms.append(" * ".join([_number(share), *fields]))
    return f"-log2({' + '.join(terms)})"


def weight_sql(model: MatchModel) -> str:
    """All the evidence of a pair, in bits, prior included. Reads the columns `b<i>`, one for each of `evidence_names`."""
    prior = math.log2(model.prior / (1 - model.prior))
    return " + ".join([_number(prior), *(f"b{index}" for index in range(len(model.evidence_names)))])


def in_common_sql(model: MatchModel) -> str:
    """What the weight would be if the pair had told nothing that disagrees. Reads `evidence`, of a model that knows of households."""

    def agreeing(index: int) -> str:
        return f"greatest(element_at(evidence, {index + 1}), {_number(0.0)})"

    prior = math.log2(model.prior / (1 - model.prior))
    fields = (agreeing(index) for index in range(len(model.comparisons)))
    return " + ".join([_number(prior), *fields, household_sql(model, agreeing)])


def _field(model: MatchModel, index: int) -> str:
    comparison = model.comparisons[index]
    bits = {level.label: _number(level.bits) for level in comparison.levels}
    cases = [f"WHEN v{index}_l IS NULL OR v{index}_r IS NULL THEN {_number(0.0)}"]
    for label, condition in levels(model.fields, index):
        adjusted = f"{bits[label]} + t{index}_l" if label == EXACT else bits[label]
        cases.append(f"WHEN {condition} THEN {adjusted}")
    return f"CASE {' '.join(cases)} ELSE {_number(comparison.levels[-1].bits)} END"


def _number(value: float) -> str:
    """A literal that both engines read as a double: without the exponent it would be a decimal."""
    return f"({value:.17e})"


def frequencies(model: MatchModel) -> pa.Table:
    """The bits that agreement on each frequent value adds, as FREQUENCIES."""
    rows = [(index, token, bits) for index, one in enumerate(model.comparisons) for token, bits in one.frequent.items()]
    columns = list(zip(*rows, strict=True)) or [()] * len(FREQUENCIES)
    return pa.Table.from_arrays([pa.array(column) for column in columns], FREQUENCIES.names).cast(FREQUENCIES)


def with_frequencies(
    records: DataFrame, model: MatchModel, privacy: PrivacyConfig, known: DataFrame | None = None
) -> DataFrame:
    """Records (actor_id, v0, ...) -> the same with t0, t1, ...: the bits exact agreement on the value adds.

    `known`: the rows of `frequencies`, where they are a frame already.
    """
    known = records.sparkSession.createDataFrame(frequencies(model)) if known is None else known
    count = len(model.comparisons)
    values = F.posexplode(F.array(*(f"v{index}" for index in range(count)))).alias("field", "value")
    hidden = token_of(privacy, FREQUENCY, F.col("value")).alias("token")
    long = records.select("actor_id", values).select("actor_id", "field", hidden)
    long = long.join(F.broadcast(known), on=["field", "token"], how="left")
    bits = [F.max(F.when(F.col("field") == index, F.col("bits"))).alias(f"t{index}") for index in range(count)]
    adjusted = long.groupBy("actor_id").agg(*bits)
    rare = [F.coalesce(f"t{i}", F.lit(one.rare_bits)).alias(f"t{i}") for i, one in enumerate(model.comparisons)]
    return records.join(adjusted.select("actor_id", *rare), on="actor_id")


def scored(pairs: DataFrame, records: DataFrame, model: MatchModel) -> DataFrame:
    """actor_l, actor_r -> the same with `weight` (bits) and `evidence` (array of bits, one for each of `evidence_names`).

    `records`: as `with_frequencies` gives them, at least those of the pairs.
    """
    count = range(len(model.comparisons))
    left = records.select(
        F.col("actor_id").alias("actor_l"),
        *(F.col(f"v{i}").alias(f"v{i}_l") for i in count),
        *(F.col(f"t{i}").alias(f"t{i}_l") for i in count),
    )
    right = records.select(F.col("actor_id").alias("actor_r"), *(F.col(f"v{i}").alias(f"v{i}_r") for i in count))
    both = pairs.join(left, on="actor_l").join(right, on="actor_r")
    apart = both.selectExpr("*", *(f"{sql} AS {name}" for name, sql in distances_sql(model).items()))
    fields = apart.selectExpr("actor_l", "actor_r", *(f"{sql} AS b{i}" for i, sql in enumerate(bits_sql(model))))
    if model.sharing:
        fields = fields.selectExpr("*", f"{household_sql(model)} AS b{len(model.comparisons)}")
    evidence = F.array(*(f"b{i}" for i in range(len(model.evidence_names)))).alias("evidence")
    return fields.select("actor_l", "actor_r", F.expr(weight_sql(model)).alias("weight"), evidence)


def is_told(model: MatchModel) -> Column:
    """Whether a scored pair is kept: it may be one person, or two people whom a third record may be like.

    Those are two of one household; and two of anywhere who have so much in common, such as a full name, that they would be taken for
    one person if nothing told them apart. Of somebody else's record that lacks just this, nobody can say whose it is.
    """
    likely = probability(F.col("weight"))
    if not model.sharing:
        return likely >= model.least_probability
    shares_household = F.element_at("evidence", -1) <= HOUSEHOLD_BITS
    are_alike = F.expr(in_common_sql(model)) >= 0
    return (likely >= model.least_probability) | ((likely < APART_PROBABILITY) & (shares_household | are_alike))


def probability(weight: Column) -> Column:
    """Bits -> probability that the pair is one person."""
    return F.lit(1.0) / (F.lit(1.0) + F.pow(F.lit(2.0), -weight))
