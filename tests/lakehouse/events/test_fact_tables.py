"""The tables of facts: whatever the order, the pieces and the repeats, they hold what one look at all of it gives."""

import random
from itertools import pairwise

import pytest

from lakehouse.events.fact_tables import FACT_TABLES
from lakehouse.events.facts import Availability, ExperimentStart, Fact, written
from lakehouse.lake.delta import Lake
from lakehouse.queries.silver_writes import keep_facts
from lakehouse.tables.facts import SILVER_EXPERIMENT_STARTS, SILVER_PRODUCT_AVAILABILITY
from tests.told_facts import expected, random_facts


def held(lake: Lake) -> dict[str, Fact]:
    """The rows of both tables, as facts."""
    found: dict[str, Fact] = {}
    for row in lake.read(SILVER_PRODUCT_AVAILABILITY).selectExpr("*", "unix_millis(stated_at) AS at_ms").collect():
        found[row["product_id"]] = Availability(
            product_id=row["product_id"], is_available=row["is_available"], at_ms=row["at_ms"]
        )
    for row in lake.read(SILVER_EXPERIMENT_STARTS).selectExpr("*", "unix_millis(started_at) AS at_ms").collect():
        fact = ExperimentStart(
            experiment=row["experiment"],
            layer=row["layer"],
            buckets=tuple(row["buckets"]),
            salt=row["salt"],
            arms=tuple((arm["name"], arm["weight"]) for arm in row["arms"]),
            at_ms=row["at_ms"],
        )
        assert fact.fingerprint == row["fingerprint"]
        found[row["experiment"]] = fact
    return found


# Each piece that Spark merges costs a second: it is given fewer, by the same rule.
@pytest.mark.parametrize(
    ("writer", "seed", "cuts"), [("delta-rs", 1, (7, 8, 30)), ("delta-rs", 2, (7, 8, 30)), ("spark", 3, (15,))]
)
def test_the_order_the_pieces_and_repeats_of_facts_do_not_matter(
    lake: Lake, writer: str, seed: int, cuts: tuple[int, ...]
) -> None:
    lake.create_missing(FACT_TABLES)
    lake.uses_delta_rs = writer == "delta-rs"
    told = random_facts(seed, 40)
    pieces = [told[first:last] for first, last in pairwise((0, *cuts, len(told)))]
    pieces.append(pieces[0])
    random.Random(seed).shuffle(pieces)
    for piece in pieces:
        keep_facts(lake, lake.spark.createDataFrame([(written(fact),) for fact in piece], "fact string"))
    assert held(lake) == expected(told)
