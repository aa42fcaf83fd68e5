"""Documents written at one instant and read at later ones, against DuckDB's brute force over the raw events: no difference."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from pyspark.sql import SparkSession

from lakehouse.features.definition import Features
from lakehouse.features.online_sums import carried, online_sums
from lakehouse.features.online_values import OnlineFeatures, Sums
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.silver import feature_days
from tests import feature_oracle as oracle
from tests.accepted import SCHEMA

SEED, FEATURES, EVENTS, ACTORS, DAYS = 23, 44, 250, 6, 24
PROFILE_OF = {f"a{n}": f"merged-{n % 2}" for n in range(ACTORS)}
LATER = [
    timedelta(0),
    timedelta(minutes=31),
    timedelta(hours=7),
    timedelta(days=1),
    timedelta(days=6, hours=3),
    timedelta(days=40),
]
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE, DAY = 60_000_000, 86_400_000_000


def read(sums: Mapping[str, Sums]) -> dict[str, Sums]:
    """As a document has them."""
    return dict(orjson.loads(orjson.dumps(sums)))


def test_what_a_document_says_later_is_what_brute_force_says_then(spark: SparkSession, tmp_path: Path) -> None:
    entries = oracle.online(oracle.random_declarations(SEED, FEATURES))
    features = oracle.declared(tmp_path, entries)
    rows = oracle.random_events(SEED, EVENTS, ACTORS, DAYS)
    names = list(rows[0])
    raw = spark.createDataFrame([tuple(row[name] for name in names) for row in rows], f"{SCHEMA}, {oracle.EXTRA}")
    days = feature_days.transform(leaf(with_day(raw), rates={}, features=features)).toArrow()

    newest: datetime = max(row["occurred_at"] for row in rows)
    as_of = dict.fromkeys([*PROFILE_OF.values(), "nobody"], newest)
    documents = read(online_sums(days, PROFILE_OF, as_of, carried(features)))
    moments = [(profile, newest + later) for profile in documents for later in LATER]
    expected = oracle.brute_force(raw.toArrow(), list(PROFILE_OF.items()), moments, entries)
    told = {at: OnlineFeatures(features, partial(documents.__getitem__, at[0]), at[1]) for at in moments}
    differing = [
        (moment, name, value, expected[moment][name])
        for moment, values in told.items()
        for name, value in values.items()
        if not oracle.are_same(value, expected[moment][name])
    ]
    assert differing == []
    assert len(features.online) > 0.7 * FEATURES
    assert sum(value is not None for values in told.values() for value in values.values()) > 250
    changed = [one.name for one in features.online if len({str(values[one.name]) for values in told.values()}) > 2]
    assert len(changed) > 8, "many are another figure for others, and later"


def declared(folder: Path, *entries: dict[str, Any]) -> Features:
    return oracle.declared(folder, [{"description": "d", "online": True, **entry} for entry in entries])


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Features:
    return declared(
        tmp_path_factory.mktemp("few"),
        {"name": "week", "aggregation": "count", "window": "7 d"},
        {"name": "ever", "aggregation": "sum", "value": "amount"},
        {"name": "share", "aggregation": "ratio", "numerator": "ever", "denominator": "week"},
        {"name": "run", "aggregation": "streak", "default": 0},
    )


def sums(features: Features, **entries: dict[str, Any]) -> Sums:
    """By the name of a feature."""
    named = {str(features.by_name[name].partial): entry for name, entry in entries.items()}
    return {partial.name: named.get(partial.name, {}) for partial in features.partials}


def test_a_window_closes_with_the_clock_alone(few: Features) -> None:
    today = NOON.timestamp() * 1_000_000 // DAY
    held = sums(few, week={"n": 7, "at": [today - 7, today - 3, today], "events": [100, 2, 1]})
    at = [OnlineFeatures(few, lambda: held, NOON + timedelta(days=days))["week"] for days in (0, 3, 4, 6, 7)]
    assert at == [3, 3, 1, 1, 0]


def test_nothing_is_zero_and_what_a_document_does_not_carry_is_null(few: Features) -> None:
    assert dict(OnlineFeatures(few, lambda: sums(few), NOON)) == {"week": 0, "ever": None, "share": None, "run": 0}
    assert dict(OnlineFeatures(few, dict, NOON)) == dict.fromkeys(("week", "ever", "share", "run"))
    shorter = sums(few, week={"n": 3, "at": [1], "events": [9]})
    assert OnlineFeatures(few, lambda: shorter, NOON)["week"] is None, "written when the longest window was 3 days"
    of_another = sums(few, ever={"n": 0, "at": [1], "values": [9]})
    assert OnlineFeatures(few, lambda: of_another, NOON)["ever"] is None, "written when nobody asked for the sum"


def test_sums_are_exact_beyond_64_bits_and_a_ratio_divides_them(few: Features) -> None:
    held = sums(
        few, ever={"n": 0, "at": [1, 2], "total": [str(10**19), 5 * 10**9]}, week={"n": 7, "at": [20458], "events": [2]}
    )
    told = OnlineFeatures(few, lambda: held, NOON)
    assert (told["ever"], told["share"]) == (10**9 + 0.5, (10**9 + 0.5) / 2)


def test_a_feature_that_is_not_online_is_none_of_these(tmp_path: Path) -> None:
    features = declared(
        tmp_path, {"name": "a", "aggregation": "count"}, {"name": "b", "aggregation": "count", "online": False}
    )
    told = OnlineFeatures(features, dict, NOON)
    assert list(told) == ["a"]
    with pytest.raises(KeyError):
        told["b"]
