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
    consent = dataclasses.replace(
        config.consent,
        never_asked=never_asked,
        purposes=(*config.consent.purposes, "sale"),
        jurisdictions={"US": ("sale",)},
    )
    config = dataclasses.replace(config, consent=consent)
    said = {f"p{n}": words for n, words in enumerate(itertools.product(WORDS, WORDS, WORDS))}
    columns = "profile_id string, consent_analytics boolean, also_refused array<string>, also_allowed array<string>, is_suppressed boolean, jurisdictions array<string>"
    activation = spark.createDataFrame(
        [
            (name, words[0], _named(words[1], False), _named(words[1], True), words[2], _place(name))
            for name, words in said.items()
        ],
        columns,
    )
    rows = spark.createDataFrame(
        [(name, f"a-{name}") for name in (*said, "not in gold", None)], "profile_id string, actor string"
    )
    for place, purpose in enumerate(("analytics", "sale")):
        expected = {
            f"a-{name}"
            for name, words in said.items()
            if (words[place] if words[place] is not None else _assumed(name, purpose, never_asked))
            and words[2] is not True
        } | ({"a-not in gold", "a-None"} if never_asked == "granted" else set())
        found = consenting(rows, activation, purpose, config)
        assert found.columns == rows.columns
        assert {row["actor"] for row in found.collect()} == expected


def _named(word: bool | None, is_allowed: bool) -> list[str] | None:
    return ["sale"] if word is is_allowed else None


def _place(name: str) -> list[str] | None:
    return ["US-NY"] if int(name[1:]) % 2 else None


def _assumed(name: str, purpose: str, never_asked: str) -> bool:
    return never_asked == "granted" if _place(name) is None else purpose == "sale"
