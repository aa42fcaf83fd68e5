"""Online features as words of rules and offers: read alike by Spark and by Python, and by nobody where they are not online."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession

from lakehouse.config import load
from lakehouse.decisions.offers import read_catalogue
from lakehouse.errors import ConfigError
from lakehouse.feature_book.book import declared_features
from lakehouse.feature_book.rule_words import rule_words
from lakehouse.features.definition import Features
from lakehouse.lane.lane_rules import lane_rules
from lakehouse.rules.book import read_rules
from lakehouse.rules.column import to_column
from lakehouse.rules.evaluate import compile_predicate
from lakehouse.rules.frame import frame_of
from lakehouse.rules.vocabulary import VOCABULARY, prepared
from tests import feature_oracle as oracle

FEATURES: list[dict[str, Any]] = [
    {"name": "views_7d", "description": "views", "aggregation": "count", "window": "7 d"},
    {"name": "last_coupon", "description": "coupon", "aggregation": "last", "value": "coupon"},
    {"name": "first_at", "description": "first", "aggregation": "min", "value": "occurred_at"},
    {"name": "spent", "description": "spent", "aggregation": "sum", "value": "amount"},
]
OFFLINE = {"name": "kept_back", "description": "d", "aggregation": "count"}
RULE = {"owner": "crm", "effect": "force", "offer": "x", "name": "keen", "events": ["Product Viewed"]}
WHEN = (
    "views_7d >= 3 and price > 10 and (last_coupon = 'tea' or datediff(now, first_at) < 2) and coalesce(spent, 0) = 0"
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
GIVEN: list[dict[str, object]] = [
    {"views_7d": 3, "price": 11, "last_coupon": "tea"},
    {"views_7d": 3, "price": 11, "last_coupon": "mug", "first_at": datetime(2026, 2, 28, tzinfo=UTC), "now": NOW},
    {"views_7d": 2, "price": 11, "last_coupon": "tea"},
    {"views_7d": 4, "price": 11, "last_coupon": "tea", "spent": 0.5},
    {"price": 11, "last_coupon": "tea"},
]


@pytest.fixture
def features(tmp_path: Path) -> Features:
    return oracle.declared(tmp_path, [*oracle.online(FEATURES), OFFLINE])


def rules(folder: Path, **changes: Any) -> Path:
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"rules": [RULE | {"when": WHEN} | changes]}))
    return path


def test_a_rule_over_features_says_the_same_in_spark_and_in_python(
    spark: SparkSession, tmp_path: Path, features: Features
) -> None:
    words = rule_words(features)
    (expression,) = read_rules(rules(tmp_path), words=words).expressions.values()
    by_spark = frame_of(spark, GIVEN, words).orderBy("row").select(to_column(expression).alias("said")).collect()
    says = compile_predicate(expression)
    assert [row["said"] for row in by_spark] == [says(prepared(given, words)) for given in GIVEN]
    assert [row["said"] for row in by_spark] == [True, True, False, False, None]


def test_the_lane_asks_only_what_the_event_says(spark: SparkSession, tmp_path: Path, features: Features) -> None:
    (rule,) = lane_rules(rules(tmp_path), rule_words(features)).rules
    held = frame_of(
        spark, [{"event_name": "Product Viewed", "price": 11.0}, {"event_name": "Product Viewed", "price": 9.0}]
    )
    assert [row["said"] for row in held.orderBy("row").select(rule.condition().alias("said")).collect()] == [
        True,
        False,
    ]


def test_what_is_not_online_is_no_word(tmp_path: Path, features: Features) -> None:
    with pytest.raises(ConfigError, match="unknown column 'kept_back'"):
        read_rules(rules(tmp_path, when="kept_back = 1"), words=rule_words(features))
    with pytest.raises(ConfigError, match="unknown column 'views_7d'"):
        read_rules(rules(tmp_path))
    assert rule_words(features).keys() - VOCABULARY.keys() == {one["name"] for one in FEATURES}


def test_an_offer_is_for_whoever_a_feature_says(tmp_path: Path, features: Features) -> None:
    offer = {"name": "tea", "title": "Tea", "owner": "crm", "purpose": "marketing", "channels": ["web"], "value": 1}
    path = tmp_path / "offers.yaml"
    path.write_text(yaml.safe_dump({"offers": [offer | {"when": "views_7d > 2"}]}))
    catalogue = read_catalogue(path, rule_words(features))
    answers = [catalogue.is_for(catalogue.offers["tea"], {"views_7d": views}) for views in (3.0, 2.0, None)]
    assert answers == [True, False, False]


def test_shipped_features_are_words_of_rules() -> None:
    words = rule_words(declared_features(load()))
    assert words["views_30d"].type == "number"
    assert words["views_30d"].group == "feature"
