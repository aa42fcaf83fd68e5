from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakehouse.config import load
from lakehouse.spark.properties import properties
from lakehouse.spark.session import STATE_STORES, _from_config


def test_defaults_are_read_without_comments_and_blanks(tmp_path: Path) -> None:
    path = tmp_path / "spark-defaults.conf"
    path.write_text("# a comment\n\nspark.a 1\n  spark.b   two words  \nspark.c=d e=f\nspark.g = h\nspark.i\n")
    assert properties(path) == {
        "spark.a": "1",
        "spark.b": "two words",
        "spark.c": "d e=f",
        "spark.g": "h",
        "spark.i": "",
    }


@pytest.mark.parametrize("store", sorted(STATE_STORES))
def test_the_state_store_of_the_configuration_is_the_one_spark_uses(store: str) -> None:
    config = load(environ={"STITCHLAKE__SPARK__STATE_STORE": store})
    assert _from_config(config)["spark.sql.streaming.stateStore.providerClass"] == STATE_STORES[store]


def test_a_session_runs_in_utc_with_delta_and_the_configured_partitions(spark: SparkSession) -> None:
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert spark.conf.get("spark.sql.extensions") == "io.delta.sql.DeltaSparkSessionExtension"
    assert _from_config(load(environ={}))["spark.sql.shuffle.partitions"] == "2"


def test_a_session_has_no_web_page(spark: SparkSession) -> None:
    assert spark.sparkContext.uiWebUrl is None


def test_secrets_are_redacted_from_what_spark_shows(spark: SparkSession) -> None:
    assert "hmac" in str(spark.conf.get("spark.redaction.regex"))
