"""conf/audiences.yaml: what is in it, and one clear line for whatever is wrong."""

import re
from pathlib import Path
from typing import Any

import pytest

from lakehouse.audiences.book import AudienceBook
from lakehouse.audiences.vocabulary import words
from lakehouse.config.paths import AUDIENCES, FEATURES
from lakehouse.errors import ConfigError
from lakehouse.feature_book.book import read_features
from lakehouse.features.definition import Features
from lakehouse.profiles.gold.audiences import IS_KNOWN
from tests import audience_oracle, feature_oracle

FIGURES: list[dict[str, Any]] = [
    {"name": "views_7d", "description": "d", "aggregation": "count", "where": "event_name = 'Product Viewed'", "window": "7 d"},
    {"name": "since_order", "description": "d", "aggregation": "days_since"},
    {"name": "growing", "description": "d", "aggregation": "ratio", "numerator": "views_7d", "denominator": "since_order"},
    {"name": "top", "description": "d", "aggregation": "top_k", "value": "product_id"},
    {"name": "first_at", "description": "d", "aggregation": "min", "value": "occurred_at"},
    {"name": "last_coupon", "description": "d", "aggregation": "last", "value": "coupon"},
    {"name": "segment", "description": "d", "aggregation": "count"},
]  # fmt: skip


def entry(name: str = "one", where: str = "TRUE", **own: Any) -> dict[str, Any]:
    return {"name": name, "owner": "o", "description": "d", "where": where, "purpose": "marketing"} | own


@pytest.fixture
def features(tmp_path: Path) -> Features:
    return feature_oracle.declared(tmp_path, FIGURES)


def test_the_shipped_file_is_sound() -> None:
    book = audience_oracle.read_audiences(AUDIENCES, read_features(FEATURES, ()))
    assert 3 <= len(book.declared) <= 10
    assert all(purpose.use != "profile" for purpose in book.declared.values())


def test_an_audience_comes_after_those_it_reads_wherever_it_stands(tmp_path: Path, features: Features) -> None:
    book = read(tmp_path, features, entry("c", "a AND NOT b AND views_7d > 0"), entry("b", "a"), entry("a", "is_known"))
    assert list(book.declared) == [one.name for one in book.audiences.all]
    assert [[one.name for one in level] for level in book.audiences.levels] == [["a"], ["b"], ["c"]]
    assert book.audiences.features == ("views_7d",)


def test_a_version_follows_all_that_decides_and_no_word_beside_it(tmp_path: Path, features: Features) -> None:
    def versions(*entries: dict[str, Any], figures: Features = features) -> dict[str, str]:
        return read(tmp_path, figures, *entries).audiences.versions

    first = versions(entry("a", "views_7d > 1"), entry("b", "a AND is_known"))
    again = versions(entry("a", " views_7d  > 1.0", description="other", owner="x"), entry("b", "a AND is_known"))
    nested = versions(entry("a", "views_7d > 2"), entry("b", "a AND is_known"))
    longer = feature_oracle.declared(tmp_path, [FIGURES[0] | {"window": "8 d"}, *FIGURES[1:]])
    window = versions(entry("a", "views_7d > 1"), entry("b", "a AND is_known"), figures=longer)
    assert first == again
    assert len({first["b"], nested["b"], window["b"]}) == 3


def test_every_word_is_of_its_type(features: Features) -> None:
    known = {name: term.type for name, term in words(features).items()}
    assert known["views_7d"] == known["monetary"] == known["frequency"] == "number"
    assert (known["first_at"], known["last_coupon"], known["segment"]) == ("time", "text", "text")
    assert (known[IS_KNOWN], known["consent_marketing"]) == ("boolean", "boolean")
    assert not {"profile_id", "user_ids", "as_of", "updated_at", "is_suppressed", "now", "product_id"} & known.keys()


WRONG = [
    ([entry(where="monetay > 1")], r"audiences\[0\] one.where: unknown column 'monetay'; did you mean 'monetary'"),
    ([entry("vip", "frequency > 3"), entry(where="vipp")], "unknown column 'vipp'; did you mean 'vip'"),
    ([entry(where="occurred_at IS NULL")], "unknown column 'occurred_at'"),
    ([entry(where="now IS NULL")], "unknown column 'now'"),
    ([entry(where="frequency")], "got a number, expected true or false"),
    ([entry(where="frequency = 'three'")], "=: cannot take"),
    ([entry(where="rand() > 0.5")], "function 'rand' is not allowed"),
    ([entry(where="frequency IN (SELECT 1)")], "IN: got"),
    ([entry(where="frequency / 0 > 1")], "got a division by zero"),
    ([entry(where="since_order > 30")], "'since_order': grows with the clock"),
    ([entry(where="growing > 30")], "'growing': grows with the clock"),
    ([entry(where="segment = 'loyal'")], "'segment': both a feature and a column"),
    ([entry(where="top IS NULL")], "'top': a list of values and counts"),
    ([entry("frequency")], "'frequency' is a column or a feature already"),
    ([entry("views_7d")], "'views_7d' is a column or a feature already"),
    ([entry("Loyal")], "name: String should match pattern"),
    ([entry(), entry()], "'one' is there already"),
    ([entry(purpose="sales")], "purpose: got 'sales', expected 'analytics' or"),
    ([entry(wher="x")], "unknown key 'wher'; did you mean 'where'"),
    ([entry(where="one")], "audiences in a cycle, got one -> one, expected an audience of others"),
    (
        [entry("a", "b"), entry("b", "NOT c"), entry("c", "a OR is_known")],
        r"audiences in a cycle, got (a -> c -> b -> a|b -> a -> c -> b|c -> b -> a -> c), expected",
    ),
]


@pytest.mark.parametrize(("entries", "words_"), WRONG)
def test_what_is_wrong_is_told_in_one_line(
    tmp_path: Path, features: Features, entries: list[dict[str, Any]], words_: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, features, *entries)
    (line,) = str(refused.value).splitlines()
    assert line.startswith("audiences.yaml: audiences")
    assert re.search(words_, line), line


def read(folder: Path, features: Features, *entries: dict[str, Any]) -> AudienceBook:
    return audience_oracle.declared(folder, entries, features)
