import random

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.matching.fields import KINDS, fields
from lakehouse.matching.levels import ELSE, EXACT, distance, levels
from tests.lakehouse.matching.match_models import spark_examples

ALONE = {
    "given_name": [
        ("ann", "ann", "exact"),
        ("ann", "anne", "1 letter"),
        ("ann", "bnn", "1 letter"),
        ("rob", "robert", "short form"),
        ("bob", "robert", "short form"),
        ("william", "bill", "short form"),
        ("peg", "margaret", "short form"),
        ("robert", "roberta", "1 letter"),
        ("robert", "william", "else"),
        ("smith", "smtih", "2 letters"),
        ("ann", "abb", "else"),  # two of three letters
        ("j", "john", "initial"),
        ("j", "jo", "initial"),
        ("j", "m", "else"),
        ("jonathan", "johnahtn", "alike"),
        ("ann", "bea", "else"),
    ],
    "date": [
        ("19850105", "19850105", "exact"),
        ("19850105", "19850106", "1 digit"),
        ("19850105", "19850501", "1 digit"),  # day and month changed places
        ("19850105", "19860501", "3 digits"),
        ("19850105", "19850116", "2 digits"),
        ("19850105", "19860116", "3 digits"),
        ("19850105", "19961231", "else"),
        ("19650820", "19950820", "1 digit"),  # a slip, or father and son born on one day of the year
        ("19580309", "19990309", "generation"),  # apart as parent and child, and no slip of one key
        ("19850105", "19980105", "2 digits"),
        ("19850105t", "19850105", "exact"),  # a time of day
        ("19850105t", "19850105t", "exact"),
        ("19841231t", "19850101", "1 digit"),  # the day beside
        ("19840229t", "19840301t", "1 digit"),
        ("19841231", "19850101", "else"),
        ("19850230t", "19850301", "2 digits"),  # no day at all
        ("19841230t", "19850101", "else"),
    ],
    "email": [
        ("ann@x.com", "ann@x.com", "exact"),
        ("ann@x.com", "amn@x.con", "2 letters"),
        ("ann@x.com", "ann@example.org", "user"),
        ("@x.com", "@example.org", "else"),
        ("ann.lee1985@x.com", "anlee1985@z.co", "alike"),
        ("ann@x.com", "bob@yahoo.de", "else"),
    ],
    "phone": [
        ("+12065550123", "+12065550123", "exact"),
        ("+12065550123", "+12065550124", "1 digit"),
        ("+12065550123", "+12065550214", "else"),
        ("+12065550123", "+12065550144", "2 digits"),
    ],
    "code": [
        ("98101", "98101", "exact"),
        ("98101", "98102", "1 letter"),
        ("98101", "98122", "2 letters"),
        ("98101", "98199999", "beginning"),
        ("7", "8", "else"),
        ("7", "78", "else"),
        ("38", "39", "1 letter"),
        ("98101", "12345", "else"),
    ],
    "category": [
        ("f", "f", "exact"),
        ("f", "m", "else"),
        ("queensland", "quensland", "alike"),
        ("nsw", "nsv", "else"),
    ],
    "address": [
        ("12mainst", "12mainst", "exact"),
        ("12mainst", "13mainst", "1 letter"),
        ("12mainstreet", "13mainstret", "1 in 5"),
        ("mainst", "12mainstreet", "within"),
        ("12mainstxy", "34mainstzz", "2 in 5"),
        ("12mainst", "wallabyplace", "else"),
    ],
}
EVERY = fields({kind: kind for kind in KINDS if kind != "full_name"} | {"last": "family_name", "line": "address"})


def _case(compared, index):
    conditions = [f"WHEN {condition} THEN '{label}'" for label, condition in levels(compared, index)]
    return f"CASE {' '.join(conditions)} ELSE '{ELSE}' END AS g{index}"


def _table(compared, rows):
    """Rows of (values on the left, values on the right)."""
    columns = {"n": pa.array(range(len(rows)))}
    for index in range(len(compared)):
        columns[f"v{index}_l"] = pa.array([left[index] for left, _ in rows], pa.string())
        columns[f"v{index}_r"] = pa.array([right[index] for _, right in rows], pa.string())
    return pa.table(columns)


def by_duckdb(compared, rows):
    pairs = _table(compared, rows)
    count = range(len(compared))
    with duckdb.connect() as connection:
        connection.register("pairs", pairs)
        query = (
            f"SELECT n, {', '.join(_case(compared, i) for i in count)} FROM ("
            f"SELECT *, {', '.join(f'{distance(i)} AS d{i}' for i in count)} FROM pairs) ORDER BY n"
        )
        return connection.sql(query).df().drop(columns="n")


def by_spark(spark, compared, rows):
    count = range(len(compared))
    pairs = spark.createDataFrame(_table(compared, rows))
    apart = pairs.selectExpr("*", *(f"{distance(i)} AS d{i}" for i in count))
    return apart.selectExpr("n", *(_case(compared, i) for i in count)).orderBy("n").toPandas().drop(columns="n")


@pytest.mark.parametrize("kind", ALONE)
def test_levels_of_a_kind_in_both_engines_and_both_ways_round(spark, kind):
    compared = fields({"x": kind})
    expected = [label for _, _, label in ALONE[kind]]
    rows = [((left,), (right,)) for left, right, _ in ALONE[kind]]
    turned = [(right, left) for left, right in rows]
    assert by_duckdb(compared, rows)["g0"].tolist() == expected
    assert by_duckdb(compared, turned)["g0"].tolist() == expected
    assert by_spark(spark, compared, rows)["g0"].tolist() == expected


@pytest.mark.parametrize("index", range(len(EVERY)))
def test_exact_agreement_is_the_first_level_and_labels_are_distinct(index):
    labels = [label for label, _ in levels(EVERY, index)]
    assert labels[0] == EXACT
    assert len({*labels, ELSE}) == len(labels) + 1


def test_every_level_but_the_last_is_met_by_a_literal_pair():
    for kind, rows in ALONE.items():
        assert {label for _, _, label in rows} == {label for label, _ in levels(fields({"x": kind}), 0)} | {ELSE}


def test_names_and_lines_that_changed_places_are_elsewhere():
    compared = fields({"first": "given_name", "last": "family_name", "line_1": "address", "line_2": "address"})
    rows = [
        (("ann", "lee", "12mainst", "redmond"), ("lee", "ann", "redmond", "12mainst")),
        (("anna", "lee", "12mainst", None), ("lee", "ann", None, "12mainst")),
        (("ann", "lee", None, None), ("lee", "bob", None, None)),  # what they have in common is a family name
        (("lee", None, None, None), ("bob", "lee", None, None)),
        (("ann", "redmond", "smith", "lee"), ("bob", "kay", "ann", "redmond")),  # a name is no address
    ]
    found = by_duckdb(compared, rows)
    assert found.loc[0].tolist() == ["elsewhere"] * 4
    assert found.loc[1, ["g0", "g1"]].tolist() == ["elsewhere", "elsewhere"]
    assert found.loc[2, ["g0", "g1"]].tolist() == ["else", "elsewhere"]
    assert found.loc[3, "g0"] == "elsewhere"
    assert found.loc[4].tolist() == ["else"] * 4


def test_a_distance_of_its_own_takes_the_place_of_the_column():
    for label, condition in levels(EVERY, 0, "(7)"):
        assert "d0" not in condition, label


def _typo(chance: random.Random, word: str, alphabet: str) -> str:
    place = chance.randrange(len(word) + 1)
    return word[:place] + chance.choice(alphabet) * chance.randrange(2) + word[place + chance.randrange(2) :] or "a"


def _sides(chance: random.Random) -> tuple[tuple[str | None, ...], tuple[str | None, ...]]:
    """Values that agree more or less; some of them absent, some in each other's places, some of odd characters."""
    alphabet = chance.choice(["ab", "abc@.", "0123456789", "".join(map(chr, range(1, 128)))])
    left, right = [], []
    for _ in EVERY:
        word = "".join(chance.choice(alphabet) for _ in range(chance.randrange(1, 13)))
        other = word
        for _ in range(chance.randrange(4)):
            other = _typo(chance, other, alphabet)
        left.append(None if chance.random() < 0.05 else word)
        right.append(chance.choice(left) if chance.random() < 0.1 else other)
    return tuple(left), tuple(right)


@spark_examples(12)
@given(seed=st.integers(0, 10**9))
def test_both_engines_give_the_same_level(spark, seed):
    chance = random.Random(seed)
    rows = [_sides(chance) for _ in range(300)]
    pd.testing.assert_frame_equal(
        by_duckdb(EVERY, rows).astype(object), by_spark(spark, EVERY, rows).astype(object), check_dtype=False
    )
