"""Whom a training learns from: every word of consent, suppression and assumption, against the rule in plain Python."""

import dataclasses
import itertools

import pytest
from pyspark.sql import SparkSession

from lakehouse.config import Config
from lakehouse.training.consenting import consenting

WORDS = (True, False, None)


@pytest.mark.parametrize("never_asked", ["granted", "denied"])
def test_a_row_needs_consent_to_its_own_purpose_and_nobody_who_is_left_alone(
    spark: SparkSession, config: Config, never_asked: str
) -> None:
    config = dataclasses.replace(config, consent=dataclasses.replace(config.consent, never_asked=never_asked))
    said = {f"p{n}": words for n, words in enumerate(itertools.product(WORDS, WORDS, WORDS))}
    columns = "profile_id string, consent_analytics boolean, consent_personalization boolean, is_suppressed boolean"
    activation = spark.createDataFrame([(name, *words) for name, words in said.items()], columns)
    rows = spark.createDataFrame(
        [(name, f"a-{name}") for name in (*said, "not in gold", None)], "profile_id string, actor string"
    )
    for place, purpose in enumerate(("analytics", "personalization")):
        expected = {
            f"a-{name}"
            for name, words in said.items()
            if (words[place] if words[place] is not None else never_asked == "granted") and words[2] is not True
        } | ({"a-not in gold", "a-None"} if never_asked == "granted" else set())
        found = consenting(rows, activation, purpose, config)
        assert found.columns == rows.columns
        assert {row["actor"] for row in found.collect()} == expected
