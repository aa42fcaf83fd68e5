"""The tables of facts: whatever the order, the pieces and the repeats, they hold what one look at all of it gives."""

import random

import pytest

from lakehouse.events.fact_tables import FACT_TABLES
from lakehouse.events.facts import Availability, ExperimentStart, Fact, written
from lakehouse.lake.delta import Lake
from lakehouse.queries.silver_writes import keep_facts
from lakehouse.tables.facts import SILVER_EXPERIMENT_STARTS, SILVER_PRODUCT_AVAILABILITY
from tests.told_facts import expected, random_facts


@pytest.fixture(params=["delta-rs", "spark"])
def either(request: pytest.FixtureRequest, lake: Lake) -> Lake:
    """The lake with each of its two writers."""
    lake.uses_delta_rs = request.param == "delta-rs"
    return lake


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


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_the_pieces_and_repeats_of_facts_do_not_matter(either: Lake, seed: int) -> None:
    either.create_missing(FACT_TABLES)
    told = random_facts(seed, 40)
    pieces = [told[:7], told[7:8], told[8:30], told[:7], told[30:]]
    random.Random(seed).shuffle(pieces)
    for piece in pieces:
        keep_facts(either, either.spark.createDataFrame([(written(fact),) for fact in piece], "fact string"))
    assert held(either) == expected(told)
