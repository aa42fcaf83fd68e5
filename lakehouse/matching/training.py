"""A matcher from records alone, without labels, in DuckDB: Spark takes a hundred times as long for it.

1. Candidates: every pair of records with two atoms in common (or one), where not too many have them.
2. splink estimates u from random pairs and starts m by expectation maximisation within blocks (Dempster et al. 1977).
3. The same EM goes on over all candidates at once (lakehouse/matching/expectation.py), and gives the prior with it: blocks see a
   part of the pairs each, and how many pairs are matches follows from none of them. It tells households from people, too.
4. Blocking rules: the fewest, and cheapest, that find the pairs the model believes in.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from lakehouse.config import MatchingConfig, PrivacyConfig
from lakehouse.errors import ModelError
from lakehouse.events.tokens import token
from lakehouse.matching.block_rules import all_pairs, choose
from lakehouse.matching.expectation import PERSONAL, Patterns, fit
from lakehouse.matching.fields import ADDRESS, FAMILY_NAME, Field
from lakehouse.matching.levels import ELSE, EXACT, distance, levels
from lakehouse.matching.model import FREQUENCY, Comparison, Level, MatchModel
from lakehouse.matching.records import owners_of_names
from lakehouse.matching.splink_start import start

log = logging.getLogger("stitchlake.matching")

FEW = 20  # records
_FREQUENT = 5  # records that share a value
_SURE = 0.95  # probability
_MOST_UNCERTAIN = (
    0.5  # of the expected matches: 0.00 to 0.45 on data with truth, 0.79 on names and what is made of them
)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TrainedMatcher:
    """A model and what its training saw: records, pairs compared, and the pairs it expects to be one person.

    `expected_together`: pairs it expects to be two people who share what a household shares.
    """

    model: MatchModel
    records: int
    candidates: int
    expected_matches: float
    expected_together: float


def train(
    records: pd.DataFrame, fields: Sequence[Field], matching: MatchingConfig, privacy: PrivacyConfig, *, region: str
) -> TrainedMatcher:
    """Train on records.

    Args:
        fields: what is compared; a field without two different values is left out of the model.
        matching: its `traits` are not read, `fields` stands for them.
        privacy: the key of the tokens.
        region: how dates and phones were read; the model carries it.
        records: v0, v1, ... (values of `fields`, null where absent) and one column per atom, named as in
            lakehouse/matching/records.py. One row per record; the order decides nothing but must not be by person.

    Raises:
        ModelError: too few records, nothing that tells them apart, or no two of them have anything in common.
    """
    fields, records = _filled(fields, records)
    _refuse_households(fields)
    with duckdb.connect() as connection:
        connection.register("given", records)
        connection.execute("CREATE TABLE records AS SELECT row_number() OVER () - 1 AS id, * FROM given")
        names = [name for name in records.columns if "." in name]
        by_rule = all_pairs(connection, names, len(records), max_block=matching.max_block)
        if not by_rule.pair_count:
            raise ModelError(
                f"train_identity: of {len(records)} records no two have two values in common, expected some. "
                "See [matching.traits] in conf/base.toml"
            )
        begun = start(records, fields, seed=matching.seed)
        patterns = _patterns(connection, fields)
        fitted = fit(patterns, begun, fields, len(records))
    _refuse_guesswork(fitted.probability)
    model = MatchModel(
        version="",
        prior=fitted.prior,
        sharing=fitted.sharing,
        comparisons=tuple(
            _comparison(fields, index, begun.u[index], fitted.m[index], records[f"v{index}"], privacy)
            for index in range(len(fields))
        ),
        rules=choose(by_rule, fitted.probability, max_rules=matching.max_rules, records=len(records)),
        max_block=matching.max_block,
        least_probability=matching.review_probability,
        region=region,
    )
    return TrainedMatcher(
        model=model,
        records=len(records),
        candidates=by_rule.pair_count,
        expected_matches=float(fitted.probability.sum()),
        expected_together=fitted.together,
    )


def _refuse_households(fields: Sequence[Field]) -> None:
    """Names of families and addresses say who lives together; alone they do not say who is one person.

    Raises:
        ModelError: there are such fields, and none that tells two people of one household apart.
    """
    together = [field.name for field in fields if field.kind in (FAMILY_NAME, ADDRESS)]
    if together and not any(field.kind in PERSONAL for field in fields):
        raise ModelError(
            f"train_identity: two people of one household cannot be told apart, got {', '.join(together)} and no trait of kind "
            f"{' or '.join(PERSONAL)} with values, expected one. Send given names or birthdays"
        )


def _refuse_guesswork(probability: Floats) -> None:
    """A matcher that is sure of little speaks of resemblance, not of people: no champion is better than that one.

    Raises:
        ModelError: most of the matches it expects are pairs it is not sure of.
    """
    expected = probability.sum()
    uncertain = probability[probability < _SURE].sum()
    if expected >= 1 and uncertain > _MOST_UNCERTAIN * expected:
        raise ModelError(
            f"train_identity: these traits do not tell people apart, got {uncertain / expected:.0%} of the expected matches "
            f"uncertain, expected at most {_MOST_UNCERTAIN:.0%}. Send traits that do, such as birthday or address"
        )


def _filled(fields: Sequence[Field], records: pd.DataFrame) -> tuple[Sequence[Field], pd.DataFrame]:
    """Without the fields that tell nothing apart: no value, or one and the same in every record."""
    if len(records) < FEW:
        raise ModelError(
            f"train_identity: described actors, got {len(records)}, expected {FEW} or more. Send identify events"
        )
    told = [index for index in range(len(fields)) if records[f"v{index}"].nunique() > 1]
    for index in sorted(set(range(len(fields))) - set(told)):
        log.warning("field %s: no two different values, left out", fields[index].name)
    if not told:
        raise ModelError(
            f"train_identity: {', '.join(field.name for field in fields)}: no two different values in {len(records)} "
            "records, expected some. See [matching.traits] in conf/base.toml"
        )
    if len(told) == len(fields):
        return fields, records
    renamed = {f"v{old}": f"v{new}" for new, old in enumerate(told)}
    owners = {str(old): str(new) for new, old in enumerate(told)}
    if owners_of_names(fields) <= set(told):  # else the model would read other names than these atoms were made of
        owners["names"] = "names"
    kept = [name for name in records.columns if name in renamed or name.split(".")[0] in owners]
    atom_names = {name: f"{owners[name.split('.')[0]]}.{name.split('.')[1]}" for name in kept if "." in name}
    return [fields[index] for index in told], records[kept].rename(columns=renamed | atom_names)


def _patterns(connection: duckdb.DuckDBPyConnection, fields: Sequence[Field]) -> Patterns:
    """Every candidate pair's level of agreement per field; -1 where a side has no value."""
    count = range(len(fields))
    sides = [f"{side}.v{i} AS v{i}_{side}" for side in "lr" for i in count]
    apart = [f"{distance(i)} AS d{i}" for i in count]
    level = []
    for i in count:
        cases = [f"WHEN {condition} THEN {code}" for code, (_, condition) in enumerate(levels(fields, i))]
        none = f"WHEN v{i}_l IS NULL OR v{i}_r IS NULL THEN -1"
        level.append(f"CASE {none} {' '.join(cases)} ELSE {len(cases)} END AS g{i}")
    connection.execute(f"""
        CREATE TABLE compared AS
        WITH both_sides AS (SELECT pair, {", ".join(sides)} FROM pairs
            JOIN records AS l ON l.id = pairs.l JOIN records AS r ON r.id = pairs.r),
        apart AS (SELECT *, {", ".join(apart)} FROM both_sides)
        SELECT pair, {", ".join(level)} FROM apart""")
    names = ", ".join(f"g{i}" for i in count)
    connection.execute(f"""
        CREATE TABLE patterns AS
        SELECT row_number() OVER (ORDER BY {names}) - 1 AS pattern, * FROM (
            SELECT {names}, count(*) AS pairs FROM compared GROUP BY ALL)""")
    found = connection.sql("SELECT * FROM patterns ORDER BY pattern").df()
    of_pair = connection.sql(f"SELECT pattern FROM compared JOIN patterns USING ({names}) ORDER BY pair").fetchnumpy()
    return Patterns(
        levels=found[[f"g{i}" for i in count]].to_numpy(dtype=np.int64),
        pairs=found["pairs"].to_numpy(dtype=np.float64),
        of_pair=np.asarray(of_pair["pattern"], dtype=np.int64),
    )


def _comparison(
    fields: Sequence[Field], index: int, u: Floats, m: Floats, values: pd.Series, privacy: PrivacyConfig
) -> Comparison:
    labels = [label for label, _ in levels(fields, index)] + [ELSE]
    assert labels[0] == EXACT
    counts = values.value_counts()
    share = counts / counts.sum()
    is_frequent = counts >= _FREQUENT
    rest = share[~is_frequent]
    return Comparison(
        field=fields[index],
        levels=tuple(Level(label=label, m=float(a), u=float(b)) for label, a, b in zip(labels, m, u, strict=True)),
        frequent={
            token(privacy, FREQUENCY, str(value)): float(np.log2(u[0] / frequency))
            for value, frequency in share[is_frequent].items()
        },
        rare_bits=float(np.log2(u[0] / rest.mean())) if len(rest) else 0.0,
    )
