"""Topics that are bound to a source: its mapping reads their records inside the one parse, every other topic's are read as they are."""

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import orjson
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakehouse.config import Config, load
from lakehouse.config.paths import SOURCES
from lakehouse.errors import ConfigError
from lakehouse.events.event_rows import Declarations
from lakehouse.events.parse import parse
from lakehouse.queries.declarations import declarations
from lakehouse.sources.topic_sources import TopicSources, topic_sources
from lakehouse.spark import streams
from tests.avro_records import framed
from tests.rows import records

CONFIG = load("dev", environ={})
SEARCH = b'{"event":"search","customer_id":"c-1","timestamp":1738317600,"query":"desk"}'


def bound(**sources: str) -> Config:
    return dataclasses.replace(CONFIG, kafka=dataclasses.replace(CONFIG.kafka, sources=sources))


def documents(**sources: str) -> TopicSources:
    return topic_sources(bound(**sources), SOURCES)


def test_a_record_is_read_by_the_source_of_its_topic_and_else_as_it_is() -> None:
    made = documents(app="simple-events")
    document: dict[str, Any] = orjson.loads(made.document("app", SEARCH) or b"")
    assert (document["event"], document["userId"]) == ("Products Searched", "c-1")
    assert made.document("web", SEARCH) == SEARCH
    assert made.document("app", None) is None


def test_a_configuration_that_binds_nothing_costs_the_parse_nothing() -> None:
    assert declarations(CONFIG).documents is None
    assert declarations(bound(app="simple-events")).documents is not None


def test_it_is_the_same_in_a_worker_that_has_no_files() -> None:
    made = documents(app="simple-events", till="crm")
    assert pickle.loads(pickle.dumps(made)).document("app", SEARCH) == made.document("app", SEARCH)


def test_a_number_beyond_64_bits_is_sent_on_in_every_digit() -> None:
    sent = b'{"event":"search","customer_id":%d,"timestamp":1738317600}' % 10**30
    assert orjson.loads(documents(app="simple-events").document("app", sent) or b"")["userId"] == str(10**30)


def test_a_source_that_is_not_declared_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"kafka.sources: topic 'app' got the source 'till', expected one of .*crm.*Write"
    ):
        documents(app="till")
    (tmp_path / "crm.yaml").write_text("type: order")
    with pytest.raises(ConfigError, match=r"crm.yaml"):
        topic_sources(bound(app="crm"), tmp_path)


SALES = "format: json_schema\nfields: {sale: text, at: time}\ntype: track\nname: sale\ntime: at\nidentifiers: {user_id: sale}\n"


def with_registry(url: str, root: str = "lake") -> Config:
    registry = dataclasses.replace(CONFIG.schema_registry, url=url, password="geheim", username="shop")
    lake = dataclasses.replace(CONFIG.lake, root=root)
    return dataclasses.replace(bound(sales="sales"), schema_registry=registry, lake=lake)


def test_a_topic_of_registered_records_needs_the_address_of_their_registry(tmp_path: Path) -> None:
    (tmp_path / "sales.yaml").write_text(SALES)
    with pytest.raises(
        ConfigError, match=r"schema_registry.url: got nothing, .*'sales' of topic 'sales' is of json_schema. Set"
    ):
        topic_sources(with_registry(""), tmp_path)


def test_a_registry_that_is_away_ends_the_batch_with_one_line_and_may_come_back(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "sales.yaml").write_text(SALES)
    config = with_registry("http://127.0.0.1:1", str(tmp_path / "lake"))
    sent = (
        records(spark, [framed(5, b"{}")])
        .selectExpr("*", "'sales' AS of")
        .drop("topic")
        .withColumnRenamed("of", "topic")
    )
    with pytest.raises(PySparkException) as told:
        parse(sent, config, Declarations(documents=topic_sources(config, tmp_path))).select("reason").collect()
    why = streams.cause(str(told.value))
    assert why.startswith(
        "lakehouse.errors.RegistryError: schema_registry.url: http://127.0.0.1:1 was asked for schemas/ids/5, got ConnectionError"
    )
    assert streams._may_pass(why)
    assert "geheim" not in str(told.value)


def test_the_parse_reads_each_topic_its_way_and_loses_no_record(spark: SparkSession) -> None:
    event = b'{"type":"track","event":"Search","messageId":"m-1","userId":"c-1","timestamp":"2025-01-31T10:00:00Z"}'
    sent = records(spark, [SEARCH, event, b"no json", b'{"event":"search"}', None])
    of_app = sent.selectExpr("*", "'app' AS of").drop("topic").withColumnRenamed("of", "topic")
    declared = Declarations(documents=documents(app="simple-events"))
    both = parse(sent.unionByName(of_app), CONFIG, declared).select("topic", "offset", "event", "user_id", "reason")
    rows = {
        (row["topic"] == "app", row["offset"]): (row["event"], row["user_id"], row["reason"]) for row in both.collect()
    }
    assert rows == {
        (False, 0): (None, None, "missing_field"),
        (False, 1): ("Search", "c-1", None),
        (False, 2): (None, None, "malformed_json"),
        (False, 3): (None, None, "missing_field"),
        (False, 4): (None, None, "null_value"),
        (True, 0): ("Products Searched", "c-1", None),
        (True, 1): ("Products Searched", "c-1", None),
        (True, 2): (None, None, "unmapped"),
        (True, 3): (None, None, "unmapped"),
        (True, 4): (None, None, "null_value"),
    }  # fmt: skip
