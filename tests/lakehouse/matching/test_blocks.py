from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from lakehouse.errors import ModelError
from lakehouse.events.tokens import token
from lakehouse.matching.blocks import block_keys, candidates
from lakehouse.matching.records import atoms
from tests.lakehouse.matching.match_models import PEOPLE, spark_examples

RECORDS = "actor_id string, v0 string, v1 string, v2 string"
KEYS = "actor_id string, block_key string"


def _key(config, rule, *values):
    return token(config.privacy, f"block {'+'.join(rule)}", "|".join(values)).split(":")[1][:16]


def test_a_key_is_a_token_of_the_rule_and_its_atoms(spark, config):
    rules = [("0.value",), ("0.sound", "2.year"), ("names.value",)]
    rows = spark.createDataFrame(
        [("a", "ann", "lee", "19850105"), ("b", "ann", None, None), ("c", None, "lee", None)], RECORDS
    )
    found = rows.select("actor_id", block_keys(rules, atoms(PEOPLE), config.privacy).alias("keys")).orderBy("actor_id")
    ann = _key(config, rules[0], "ann")
    assert [tuple(row) for row in found.collect()] == [
        ("a", [ann, _key(config, rules[1], "A500", "1985"), _key(config, rules[2], "ann~lee")]),
        ("b", [ann]),
        ("c", []),
    ]


def test_equal_values_under_two_rules_share_no_key_and_a_rule_twice_gives_one(spark, config):
    row = spark.createDataFrame([("a", "lee", "lee", None)], RECORDS)
    rules = [("0.value",), ("1.value",), ("0.value",)]
    found = row.select(F.size(block_keys(rules, atoms(PEOPLE), config.privacy))).first()
    assert found is not None
    assert found[0] == 2


def test_no_rules_give_no_keys(spark, config):
    row = spark.createDataFrame([("a", "ann", "lee", None)], RECORDS)
    assert row.select(block_keys([], atoms(PEOPLE), config.privacy)).collect()[0][0] == []


@pytest.mark.usefixtures("spark")
def test_a_rule_of_unknown_atoms_is_an_error(config):
    with pytest.raises(
        ModelError, match=r"blocking rules, got '0.colour', expected some of .*'0.sound'.*train_identity"
    ):
        block_keys([("0.value", "0.colour")], atoms(PEOPLE), config.privacy)


def _pairs(spark, asking, members, sizes, most):
    frames = (spark.createDataFrame(rows, KEYS) for rows in (asking, members))
    counted = spark.createDataFrame(sizes, "block_key string, records long")
    found = candidates(*frames, counted, max_block=most).collect()
    assert len(found) == len(set(found))
    return {tuple(row) for row in found}


def test_a_block_at_the_most_pairs_and_one_over_it_does_not(spark):
    rows = [("a", "x"), ("b", "x"), ("c", "x")]
    assert _pairs(spark, rows, rows, [("x", 3)], 3) == {("a", "b"), ("a", "c"), ("b", "c")}
    assert _pairs(spark, rows, rows, [("x", 4)], 3) == set()


@spark_examples(8)
@given(
    keys=st.dictionaries(st.sampled_from("abcdefghij"), st.sets(st.integers(0, 5), max_size=3), min_size=2),
    asks=st.sets(st.sampled_from("abcdefghij")),
    most=st.integers(1, 5),
)
def test_candidates_are_the_pairs_of_one_who_asks_that_share_a_small_block(spark, keys, asks, most):
    members = [(actor, f"k{key}") for actor, held in keys.items() for key in held]
    blocks = {key: {actor for actor, own in members if own == key} for _, key in members}
    expected = {
        (one, other)
        for one, other in combinations(sorted(keys), 2)
        if {one, other} & asks and any(len(block) <= most for block in blocks.values() if {one, other} <= block)
    }
    asking = [(actor, key) for actor, key in members if actor in asks]
    sizes = [(key, len(block)) for key, block in blocks.items()]
    assert _pairs(spark, asking, members, sizes, most) == expected
