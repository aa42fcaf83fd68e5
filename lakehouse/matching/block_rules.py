"""Blocking rules, learned: every pair of atoms is a rule to begin with; those that find the likely matches stay."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import duckdb
import numpy as np
import numpy.typing as npt

_MOST_KEYS = 12_000_000  # of one training: beyond, fewer rules are tried
_LIKELY = 0.3  # probability from which a rule earns something for finding a pair
_ENOUGH = 5e-5  # share of all likely matches that one more rule must still find
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class PairsByRule:
    """Rules, and which of them finds which pair. `rule`, `pair`: one entry per find; pairs are 0..pair_count-1."""

    rules: tuple[tuple[str, ...], ...]
    rule: Ints
    pair: Ints
    pair_count: int


def all_rules(atoms: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """One atom, and two of different fields; the two names together are of no single field."""
    yield from ((atom,) for atom in atoms)
    for one, other in combinations(atoms, 2):
        owners = {one.split(".")[0], other.split(".")[0]}
        if len(owners) == 2:
            yield one, other


def all_pairs(
    connection: duckdb.DuckDBPyConnection, atoms: Sequence[str], records: int, *, max_block: int
) -> PairsByRule:
    """Make table `pairs` (pair, l, r: ids of `records`, l < r) of all that share the atoms of some rule.

    Args:
        connection: with table `records`: id and the atoms.
        atoms: columns of `records`.
        records: how many there are.
        max_block: atoms that more records share pair nobody.
    """
    rules = tuple(all_rules(atoms))[: max(_MOST_KEYS // records, len(atoms))]
    connection.execute("CREATE TABLE finds (rule INTEGER, l BIGINT, r BIGINT)")
    for number, rule in enumerate(rules):
        key = ", ".join(f'"{atom}"' for atom in rule)
        present = " AND ".join(f'"{atom}" IS NOT NULL' for atom in rule)
        connection.execute(f"""
            INSERT INTO finds WITH blocks AS (
                SELECT id, hash({key}) AS block FROM records WHERE {present}
                QUALIFY count(*) OVER (PARTITION BY hash({key})) BETWEEN 2 AND {max_block})
            SELECT {number}, one.id, other.id FROM blocks AS one JOIN blocks AS other USING (block) WHERE one.id < other.id""")
    connection.execute("""
        CREATE TABLE pairs AS SELECT row_number() OVER (ORDER BY l, r) - 1 AS pair, l, r
        FROM (SELECT DISTINCT l, r FROM finds)""")
    found = connection.sql("SELECT rule, pair FROM finds JOIN pairs USING (l, r) ORDER BY ALL").fetchnumpy()
    return PairsByRule(
        rules=rules,
        rule=np.asarray(found["rule"], dtype=np.int64),
        pair=np.asarray(found["pair"], dtype=np.int64),
        pair_count=int(np.max(found["pair"], initial=-1)) + 1,
    )


def choose(finds: PairsByRule, probability: Floats, *, max_rules: int, records: int) -> tuple[tuple[str, ...], ...]:
    """Greedily, the rule that finds most of what is still to be found for its pairs (set cover, Chvatal 1979).

    Stops when another rule would find next to nothing, or at `max_rules`. Where no pair is likely, all count: without
    rules nobody who comes later would ever be compared.
    """
    is_likely = probability >= _LIKELY
    if not is_likely.any():
        is_likely = probability > 0
    left = np.where(is_likely, probability, 0.0)
    total = left.sum()
    cost = np.sqrt(np.bincount(finds.rule, minlength=len(finds.rules)) + 0.2 * records)
    useful = is_likely[finds.pair]
    rule, pair = finds.rule[useful], finds.pair[useful]
    chosen: list[int] = []
    while len(chosen) < max_rules:
        gain = np.bincount(rule, weights=left[pair], minlength=len(finds.rules))
        best = int(np.argmax(gain / cost))
        if gain[best] <= _ENOUGH * total:
            break
        chosen.append(best)
        left[pair[rule == best]] = 0.0
    return tuple(finds.rules[number] for number in chosen)
