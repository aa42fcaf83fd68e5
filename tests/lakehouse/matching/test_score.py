import dataclasses
import math

import duckdb
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

from lakehouse.events.tokens import token
from lakehouse.matching.levels import distance, levels
from lakehouse.matching.model import CAUTION, FREQUENCY, Sharing
from lakehouse.matching.score import (
    bits_sql,
    distances_sql,
    household_sql,
    is_told,
    probability,
    scored,
    weight_sql,
    with_frequencies,
)
from tests.lakehouse.matching.labelled import scored_pairs
from tests.lakehouse.matching.match_models import PEOPLE, model_of

PRIOR = math.log2(0.01 / 0.99)
RECORDS = "actor_id string, v0 string, v1 string, v2 string"


def _scores(spark, config, model, people, *pairs):
    """Pair -> (weight, evidence); `people`: actor id, given name, family name, birthday."""
    records = with_frequencies(spark.createDataFrame(people, RECORDS), model, config.privacy)
    asked = spark.createDataFrame(list(pairs), "actor_l string, actor_r string")
    rows = scored(asked, records, model).collect()
    return {(row["actor_l"], row["actor_r"]): (row["weight"], row["evidence"]) for row in rows}


def test_a_pair_scores_the_bits_of_its_levels_and_the_prior(spark, config):
    people = [("a", "ann", "lee", "19850105"), ("b", "ann", "leigh", "19850106"), ("c", "bob", "kay", "19701231")]
    found = _scores(spark, config, model_of(PEOPLE), people, ("a", "b"), ("a", "c"))
    # Bits of a level are 9 less two for every level before it; lee and leigh are three letters apart.
    assert found["a", "b"] == (pytest.approx(PRIOR + 9 - 5 + 7), pytest.approx([9.0, -5.0, 7.0]))
    assert found["a", "c"] == (pytest.approx(PRIOR - 5 - 5 - 1), pytest.approx([-5.0, -5.0, -1.0]))


def test_a_missing_value_on_either_side_says_nothing(spark, config):
    people = [("a", "ann", None, "19850105"), ("b", None, "lee", "19850105"), ("c", None, None, None)]
    found = _scores(spark, config, model_of(PEOPLE), people, ("a", "b"), ("a", "c"), ("b", "c"))
    assert found["a", "b"] == (pytest.approx(PRIOR + 9), [0.0, 0.0, pytest.approx(9.0)])
    assert found["a", "c"] == (pytest.approx(PRIOR), [0.0, 0.0, 0.0])
    assert found["b", "c"] == (pytest.approx(PRIOR), [0.0, 0.0, 0.0])


def test_swapped_names_are_evidence_for_both(spark, config):
    people = [("a", "ann", "smith", None), ("b", "smith", "ann", None)]
    assert _scores(spark, config, model_of(PEOPLE), people, ("a", "b"))["a", "b"][1] == pytest.approx([7.0, 7.0, 0.0])


def test_agreeing_on_a_frequent_value_says_less_than_on_a_rare_one(spark, config):
    frequent = {0: {token(config.privacy, FREQUENCY, "ann"): -3.0}}
    model = model_of(PEOPLE, frequent=frequent, rare_bits=2.0)
    people = [("a", "ann", "ann", None), ("b", "ann", "ann", None), ("c", "zoe", None, None), ("d", "zoe", None, None)]
    found = _scores(spark, config, model, people, ("a", "b"), ("c", "d"))
    assert found["a", "b"][1] == pytest.approx([9 - 3, 9 + 2, 0])  # frequent as a given name only
    assert found["c", "d"][1] == pytest.approx([9 + 2, 0, 0])


HOUSEHOLDS = (
    Sharing(name="household", prior=0.02, shared=(0.0, 1.0, 0.01)),
    Sharing(name="door", prior=0.01, shared=(0.0, 0.0, 0.0)),
)


def test_two_people_of_one_household_are_told_from_one_person(spark, config):
    model = model_of(PEOPLE, sharing=HOUSEHOLDS)
    people = [("a", "ann", "lee", "19850105"), ("b", "bob", "lee", "19961231"), ("c", "ann", "lee", "19850105")]
    found = _scores(spark, config, model, people, ("a", "b"), ("a", "c"))
    # Of the pairs of two people, 0.02 / 0.99 are of a household, of whom all share the family name: 9 bits; the birthday
    # agrees by chance, once in a hundred for another reason. Of those behind one door all is chance.
    share, door = CAUTION * 0.02 / 0.99, 0.01 / 0.99
    couple = share * 2**9 * (0.99 + 0.01 * 2**-1)
    same = share * 2**9 * (0.99 + 0.01 * 2**9)
    for pair, fields_bits, household in ((("a", "b"), [-5, 9, -1], couple), (("a", "c"), [9, 9, 9], same)):
        weight, evidence = found[pair]
        assert evidence == pytest.approx([*fields_bits, -math.log2(1 + door + household)])
        assert weight == pytest.approx(PRIOR + sum(evidence))
    assert found["a", "b"][0] < PRIOR < found["a", "c"][0]


def test_probability_is_two_to_the_weight(spark):
    rows = spark.createDataFrame([(0.0,), (2.0,), (-2.0,), (5000.0,), (-5000.0,)], "weight double")
    found = [row[0] for row in rows.select(probability(F.col("weight"))).collect()]
    assert found == pytest.approx([0.5, 0.8, 0.2, 1.0, 0.0])


def _by_duckdb(data, pairs):
    """The same pairs scored by DuckDB, the frequencies looked up in Python."""
    values, model = data.values, data.model
    records = pd.DataFrame({"actor_id": [f"{number:06d}" for number in range(len(values))]})
    for index, comparison in enumerate(model.comparisons):
        texts = [value if isinstance(value, str) else None for value in values[f"v{index}"]]
        records[f"v{index}"] = pd.Series(texts, dtype="str")
        tokens = {text: token(data.config.privacy, FREQUENCY, text) for text in set(texts) if text is not None}
        records[f"t{index}"] = [comparison.frequent.get(tokens.get(text, ""), comparison.rare_bits) for text in texts]
    count = range(len(model.comparisons))
    sides = ", ".join(f"{side}.{kind}{i} AS {kind}{i}_{side}" for side in "lr" for kind in "vt" for i in count)
    apart = ", ".join(f"{sql} AS {name}" for name, sql in distances_sql(model).items())
    bits = ", ".join(f"{sql} AS b{i}" for i, sql in enumerate(bits_sql(model)))
    asked = pairs[["actor_l", "actor_r"]]
    with duckdb.connect() as connection:
        connection.register("asked", asked)
        connection.register("records", records)
        return connection.sql(f"""
            WITH sides AS (SELECT actor_l, actor_r, {sides} FROM asked
                JOIN records AS l ON l.actor_id = actor_l JOIN records AS r ON r.actor_id = actor_r),
            apart AS (SELECT *, {apart} FROM sides),
            fields AS (SELECT actor_l, actor_r, {bits} FROM apart),
            evidence AS (SELECT *, {household_sql(model)} AS b{len(model.comparisons)} FROM fields)
            SELECT *, {weight_sql(model)} AS weight FROM evidence ORDER BY ALL""").df()


@pytest.mark.parametrize("name", ["fake_1000", "febrl3"])
def test_duckdb_and_spark_agree_on_every_candidate_pair_and_evidence_adds_up(trained_on, scored_on, name):
    data = trained_on(name)
    pairs = scored_on(name).sort_values(["actor_l", "actor_r"], ignore_index=True)
    assert len(pairs) > 1000
    ours = _by_duckdb(data, pairs).sort_values(["actor_l", "actor_r"], ignore_index=True)
    evidence = np.array(pairs["evidence"].tolist())
    assert np.abs(pairs["weight"] - ours["weight"]).max() < 1e-6
    assert np.abs(evidence - ours[[f"b{i}" for i in range(evidence.shape[1])]].to_numpy()).max() < 1e-6
    prior = math.log2(data.model.prior / (1 - data.model.prior))
    assert np.abs(evidence.sum(axis=1) + prior - pairs["weight"]).max() < 1e-9


def _without_frequencies(model):
    """Nor households: splink knows of neither."""
    comparisons = (dataclasses.replace(one, frequent={}, rare_bits=0.0) for one in model.comparisons)
    return dataclasses.replace(model, comparisons=tuple(comparisons), sharing=())


def _by_splink(model, values):
    """splink's own prediction with the same m, u and prior, of all pairs of records."""
    from splink import DuckDBAPI, Linker, SettingsCreator
    from splink.comparison_level_library import CustomLevel, ElseLevel, NullLevel
    from splink.comparison_library import CustomComparison

    comparisons = []
    for index, comparison in enumerate(model.comparisons):
        told = levels(model.fields, index, f"({distance(index)})")
        creators = [CustomLevel(condition, label_for_charts=label) for label, condition in told] + [ElseLevel()]
        known = [
            creator.configure(m_probability=level.m, u_probability=level.u)
            for creator, level in zip(creators, comparison.levels, strict=True)
        ]
        comparisons.append(CustomComparison([NullLevel(f"v{index}"), *known], output_column_name=f"v{index}"))
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="id",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=["1=1"],
        probability_two_random_records_match=model.prior,
    )
    columns = [f"v{index}" for index in range(len(model.comparisons))]
    linker = Linker(DuckDBAPI().register(values[columns].assign(id=np.arange(len(values)))), settings)
    return linker.inference.predict().as_pandas_dataframe()


def test_splink_gives_the_same_weights(spark, trained_on):
    data = trained_on("fake_1000")
    model = _without_frequencies(data.model)
    pairs = scored_pairs(spark, data, model)
    theirs = _by_splink(model, data.values).set_index(["id_l", "id_r"])["match_weight"]
    asked = pd.MultiIndex.from_arrays([pairs["actor_l"].astype(int), pairs["actor_r"].astype(int)])
    assert np.abs(theirs.reindex(asked).to_numpy() - pairs["weight"].to_numpy()).max() < 1e-6


def test_likely_pairs_and_two_people_whom_a_third_record_may_be_like_are_told(spark):
    rows = [
        ("likely", 1.0, [2.0, 0.0, 0.0, -1.5]),
        ("between", -2.9, [2.0, 0.0, 0.0, -9.0]),
        ("apart", -9.0, [2.0, 0.0, 0.0, -9.0]),
        ("namesakes", -9.1, [9.0, 9.0, -20.0, -0.9]),  # one full name, and two birthdays
        ("relatives", -9.0, [-9.0, 9.0, -20.0, -0.9]),
        ("strangers", -9.0, [2.0, 0.0, 0.0, -0.9]),
    ]
    pairs = spark.createDataFrame(rows, "name string, weight double, evidence array<double>")

    def told(model):
        return [row["name"] for row in pairs.where(is_told(model)).orderBy("weight", "name").collect()]

    assert told(dataclasses.replace(model_of(PEOPLE, sharing=HOUSEHOLDS), least_probability=0.5)) == [
        "namesakes",
        "apart",
        "likely",
    ]
    assert told(model_of(PEOPLE, sharing=HOUSEHOLDS)) == ["namesakes", "apart", "between", "likely"]
    assert told(model_of(PEOPLE)) == ["between", "likely"]
