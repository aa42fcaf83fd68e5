from itertools import combinations

import duckdb
import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.matching.block_rules import PairsByRule, all_pairs, all_rules, choose
from tests.lakehouse.identity.identity_graphs import examples

ATOMS = ["0.value", "0.sound", "1.value"]


def test_rules_are_single_atoms_and_two_of_different_fields():
    assert list(all_rules([*ATOMS, "names.value"])) == [
        ("0.value",),
        ("0.sound",),
        ("1.value",),
        ("names.value",),
        ("0.value", "1.value"),
        ("0.value", "names.value"),
        ("0.sound", "1.value"),
        ("0.sound", "names.value"),
        ("1.value", "names.value"),
    ]


def _found(records, max_block):
    """(rule, l, r) of every find, and the table of pairs."""
    frame = pd.DataFrame(records, columns=ATOMS, dtype="str").assign(id=range(len(records)))
    with duckdb.connect() as connection:
        connection.register("given", frame)
        connection.execute("CREATE TABLE records AS SELECT * FROM given")
        finds = all_pairs(connection, ATOMS, len(records), max_block=max_block)
        pairs = connection.sql("SELECT pair, l, r FROM pairs ORDER BY pair").fetchall()
    assert [number for number, _, _ in pairs] == list(range(finds.pair_count))
    of_pair = {number: (left, right) for number, left, right in pairs}
    return {(finds.rules[r], *of_pair[p]) for r, p in zip(finds.rule.tolist(), finds.pair.tolist(), strict=True)}, pairs


def _slow(records, max_block):
    found = set()
    for rule in all_rules(ATOMS):
        keys = [tuple(record[ATOMS.index(atom)] for atom in rule) for record in records]
        for left, right in combinations(range(len(records)), 2):
            if keys[left] == keys[right] and None not in keys[left] and keys.count(keys[left]) <= max_block:
                found.add((rule, left, right))
    return found


@examples(60)
@given(
    records=st.lists(
        st.tuples(*[st.none() | st.sampled_from("abc")] * 2, st.none() | st.sampled_from("abcdef")),
        min_size=1,
        max_size=12,
    ),
    max_block=st.integers(1, 6),
)
def test_pairs_are_those_of_every_rule_whose_block_is_small_enough(records, max_block):
    found, pairs = _found(records, max_block)
    assert found == _slow(records, max_block)
    assert [pair[1:] for pair in pairs] == sorted({entry[1:] for entry in found})


def _finds(*pairs_of_rules):
    """Rules r0, r1, ... by the pairs each finds."""
    return PairsByRule(
        rules=tuple((f"r{number}",) for number in range(len(pairs_of_rules))),
        rule=np.array([number for number, pairs in enumerate(pairs_of_rules) for _ in pairs], dtype=np.int64),
        pair=np.array([pair for pairs in pairs_of_rules for pair in pairs], dtype=np.int64),
        pair_count=1 + max(pair for pairs in pairs_of_rules for pair in pairs),
    )


def test_the_rule_that_finds_most_goes_first_and_one_that_adds_nothing_is_left_out():
    finds = _finds([0, 1], [0, 1, 2], [3])
    assert choose(finds, np.array([0.9, 0.9, 0.9, 0.9]), max_rules=9, records=100) == (("r1",), ("r2",))


def test_of_two_rules_that_find_the_same_matches_the_cheaper_is_taken():
    finds = _finds([0, 1, *range(3, 60)], [0, 1, 2])
    probability = np.array([0.9, 0.9, *[0.0] * 58])
    assert choose(finds, probability, max_rules=9, records=10) == (("r1",),)


def test_no_more_rules_than_asked_for():
    assert choose(_finds([0], [1], [2, 3]), np.full(4, 0.9), max_rules=2, records=10) == (("r2",), ("r0",))


def test_where_no_pair_is_likely_rules_find_what_there_is_the_likeliest_first():
    assert choose(_finds([0], [1], [2]), np.array([1e-9, 1e-6, 1e-9]), max_rules=9, records=10) == (
        ("r1",),
        ("r0",),
        ("r2",),
    )


def test_pairs_of_no_probability_need_no_rule():
    assert choose(_finds([0], [1]), np.zeros(2), max_rules=9, records=10) == ()
