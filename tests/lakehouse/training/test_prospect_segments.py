"""Planted prospects are found and named; names are kept; where nothing can be learned what was there stays."""

import dataclasses
from datetime import UTC, datetime
from functools import cache

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.config import SegmentsConfig
from lakehouse.models.prospect_segments import ProspectSegments
from lakehouse.models.segment_path import DAY_MICROS
from lakehouse.training.prospect_segments import LearnedProspects, learned, learned_prospects

AS_OF = round(datetime(2026, 6, 30, tzinfo=UTC).timestamp() * 1e6)
SETTINGS = SegmentsConfig(min_k=3, max_k=3, sample_profiles=1_000, min_stability=0.8, seed=7)
# Planted: (profiles, days since the last event, looks, carts)
GROUPS = {
    "recent cart abandoners": (30, 2, 12, 3),
    "lapsing browsers": (40, 20, 3, 0),
    "lost passers-by": (50, 120, 0, 0),
}


def planted() -> tuple[np.ndarray, list[np.ndarray]]:
    random = np.random.default_rng(1)
    columns = [np.repeat(column, [one[0] for one in GROUPS.values()]) for column in zip(*GROUPS.values(), strict=True)]
    days = columns[1] * random.uniform(0.8, 1.2, len(columns[1]))
    return AS_OF - (days * DAY_MICROS).astype(np.int64), [column.astype(float) for column in columns[2:]]


@cache
def known() -> LearnedProspects:
    return learned(*planted(), SETTINGS, None, AS_OF)


def segments() -> ProspectSegments:
    found = known().segments
    assert found is not None
    return found


def described(found: ProspectSegments) -> dict[str, tuple[int, int, int]]:
    return {one.name: (one.profiles, round(one.views), round(one.carts)) for one in found.segments}


def test_planted_prospects_are_found_named_and_counted() -> None:
    assert described(segments()) == {name: (count, *counts) for name, (count, _, *counts) in GROUPS.items()}
    assert known().sampled == 120
    assert all(name in known().table() for name in GROUPS)
    days = {one.name: one.days for one in segments().segments}
    assert all(0.9 < days[name] / told[1] < 1.1 for name, told in GROUPS.items())


def test_the_same_prospects_keep_the_names_of_the_champion_which_stays_where_others_are_not_steady() -> None:
    odd = tuple(dataclasses.replace(one, name=f"group {number}") for number, one in enumerate(segments().segments))
    reigning = dataclasses.replace(segments(), segments=odd)
    assert learned(*planted(), SETTINGS, reigning, AS_OF).segments == reigning
    since, counts = planted()
    unsteady = dataclasses.replace(SETTINGS, min_stability=1.1)
    again = learned(since[5:], [one[5:] for one in counts], unsteady, reigning, AS_OF)
    assert (again.segments, again.sampled) == (reigning, 115)
    assert "expected 1.1 or more" in again.table()


def test_too_few_or_too_much_alike_is_said_and_what_was_there_stays() -> None:
    since, counts = planted()
    few = learned(since[:9], [one[:9] for one in counts], SETTINGS, segments(), AS_OF)
    assert (few.segments, few.sampled) == (segments(), 9)
    assert "expected 10 or more" in few.table()
    told = learned(np.full(20, AS_OF), [np.ones(20), np.zeros(20)], SETTINGS, None, AS_OF)
    assert told.segments is None
    assert "too much alike" in told.table()


def test_who_has_ordered_is_no_prospect(spark: SparkSession) -> None:
    since, counts = planted()
    rows = [
        (f"p{row:03}", at, int(views), int(carts), orders)
        for row, (at, views, carts) in enumerate(zip(since.tolist(), *counts, strict=True))
        for orders in ((0,) if row % 2 else (0, 4))
    ]
    frame = spark.createDataFrame(
        rows, "profile_id string, at bigint, view_count bigint, cart_count bigint, frequency bigint"
    )
    told = learned_prospects(frame.withColumn("last_seen_at", F.timestamp_micros("at")), SETTINGS, None, AS_OF)
    assert told.segments is not None
    assert (told.sampled, described(told.segments)) == (120, described(segments()))
