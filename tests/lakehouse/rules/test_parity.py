"""One rule text, two evaluators: whatever Spark says of a context, Python says too. Thousands of random pairs in one job."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from lakehouse.rules.column import event_part, to_column
from lakehouse.rules.evaluate import compile_predicate
from lakehouse.rules.frame import frame_of as frame
from lakehouse.rules.parse import parse
from lakehouse.rules.vocabulary import VOCABULARY, prepared
from tests.lakehouse.rules.expressions import contexts, texts

RULES, CONTEXTS = 160, 60


def drawn(strategy: st.SearchStrategy[object], count: int, number: int) -> list[object]:
    """`count` examples, the same ones every time."""
    found: list[object] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: object) -> None:
        found.append(example)

    collect()
    return found


@pytest.fixture(scope="module")
def rows() -> list[dict[str, object]]:
    return drawn(contexts(), CONTEXTS, 3)


def test_spark_and_python_agree_on_every_rule_and_context(spark: SparkSession, rows: list[dict[str, object]]) -> None:
    rules = sorted(set(drawn(texts("boolean"), RULES, 7)))
    checked = [parse(text) for text in rules]
    contexts_ = frame(spark, rows).coalesce(1)
    by_spark: list[tuple[object, ...]] = [()] * len(rows)
    for start in range(0, len(checked), 60):
        columns = [to_column(rule).alias(f"r{n}") for n, rule in enumerate(checked[start : start + 60])]
        answered = contexts_.select(*columns).collect()
        by_spark = [before + tuple(after) for before, after in zip(by_spark, answered, strict=True)]
    predicates = [compile_predicate(rule) for rule in checked]
    differing = [
        (rules[n], row, spark_says, python_says)
        for row, answers in zip(rows, by_spark, strict=True)
        for n, spark_says in enumerate(answers)
        if (python_says := predicates[n](prepared(row))) is not spark_says
    ]
    assert not differing, differing[:3]
    assert len({answer for answers in by_spark for answer in answers}) == 3  # true, false and null were all there


def test_where_a_rule_holds_its_event_part_holds(spark: SparkSession, rows: list[dict[str, object]]) -> None:
    parts = drawn(st.tuples(texts("boolean", 1), texts("boolean", 1), texts("boolean", 2)), 80, 11)
    rules = [parse(f"{a} and {b} and ({c})") for a, b, c in parts]
    with_part = [(rule, part) for rule in rules if (part := event_part(rule)) is not None]
    assert len(with_part) > 5
    broken = [(to_column(rule) & ~part.eqNullSafe(True)) for rule, part in with_part]
    flagged = frame(spark, rows).select(*(column.alias(f"r{n}") for n, column in enumerate(broken))).collect()
    assert not any(flag for row in flagged for flag in row)


def test_the_clock_on_the_wall_changes_with_the_season(spark: SparkSession) -> None:
    rule = parse("hour(from_utc_timestamp(now, 'Europe/Berlin')) = 3")
    for now, expected in (
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), True),
    ):
        row = {**dict.fromkeys(VOCABULARY), "now": now}
        assert compile_predicate(rule)(prepared(row)) is expected
        assert frame(spark, [row]).select(to_column(rule)).first()[0] is expected


def test_numbers_are_those_of_the_vocabulary() -> None:
    context = {"price": math.nan, "frequency": 3, "is_known": "yes", "viewed_1h": ["a", None, 3]}
    found = prepared(context)
    assert (found["frequency"], found["is_known"], found["viewed_1h"]) == (3.0, None, ("a",))
    assert compile_predicate(parse("price = price and price > 1e300"))(found) is True
