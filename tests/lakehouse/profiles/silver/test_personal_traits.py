"""silver.personal_traits: the latest value wins, whoever writes it, in whatever order and batches it comes."""

import random
from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from lakehouse.lake.delta import Lake
from lakehouse.profiles.silver import personal_traits
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS, traits_of
from tests.accepted import once

Fact = tuple[str, str, str, int, str | None]
"""actor_id, trait, value, minute it was seen, source."""


@pytest.fixture(params=["delta-rs", "spark"])
def either(request: pytest.FixtureRequest, lake: Lake) -> Lake:
    """The lake with each of its two writers."""
    lake.uses_delta_rs = request.param == "delta-rs"
    lake.create(SILVER_PERSONAL_TRAITS)
    return lake


def latest(facts: list[Fact]) -> list[Fact]:
    best: dict[tuple[str, str], Fact] = {}
    for fact in facts:
        best[fact[:2]] = max(best.get(fact[:2], fact), fact, key=lambda one: (one[3], one[2], one[4] or ""))
    return sorted(best.values())


def merge(lake: Lake, facts: list[Fact]) -> None:
    began = datetime(2026, 1, 5, 0, 0, 0, 1)
    leaves = [
        (actor, [(began + timedelta(minutes=at), {trait: value}, source)]) for actor, trait, value, at, source in facts
    ]
    schema = (
        "actor_id string, traits array<struct<occurred_at: timestamp, traits: map<string, string>, source: string>>"
    )
    personal_traits.merge(lake, lake.spark.createDataFrame(leaves, schema), once(0))


def told(rows: list) -> list[Fact]:
    found = [(row["actor_id"], row["trait"], row["value"], row["seen_at"].minute, row["source"]) for row in rows]
    return sorted(found)


def rows_of(lake: Lake, actors: set[str]) -> list:
    found = traits_of(lake, actors)
    return (lake.frame(found) if isinstance(found, pa.Table) else found).collect()


def test_the_latest_value_wins_and_of_one_moment_the_greater_in_any_order_and_batching(either: Lake) -> None:
    chance = random.Random(7)
    values = ["a", "b", "ä", "\U0001f600", "zz"]
    facts = [
        (
            chance.choice(["ann", "bob", "cat"]),
            chance.choice(["email", "city"]),
            chance.choice(values),
            chance.randrange(5),
            chance.choice(["crm", "shop", None]),
        )
        for _ in range(40)
    ]
    for first in range(0, len(facts), 10):
        merge(either, facts[first : first + 10])
    merge(either, facts[10:20])  # a replay
    assert told(either.read(SILVER_PERSONAL_TRAITS).collect()) == latest(facts)
    of_two = [fact for fact in latest(facts) if fact[0] != "cat"]
    assert told(rows_of(either, {"ann", "bob", "nobody"})) == of_two


def test_what_is_known_already_is_no_commit(lake: Lake) -> None:
    lake.create(SILVER_PERSONAL_TRAITS)
    merge(lake, [("ann", "email", "a", 3, "crm")])
    version = lake.version(SILVER_PERSONAL_TRAITS)
    merge(lake, [("ann", "email", "a", 3, "crm"), ("ann", "email", "z", 2, "shop")])
    assert lake.version(SILVER_PERSONAL_TRAITS) == version
