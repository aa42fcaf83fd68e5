"""The decisions topic: which rules an event may set off, within milliseconds of it. Its own driver; it writes no table.

    ./spark-submit.sh --driver-memory 1g streaming/decisions.py

Real-Time Mode holds one task per partition of the events topic for as long as it runs, so it shares no driver with the
queries of the durable path. conf/rules.yaml and conf/features.yaml are looked at every second; a change restarts the query where it was.
"""

import os
from datetime import UTC, datetime

from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.config import Config, load
from lakehouse.config.paths import FEATURES, RULES
from lakehouse.feature_book.book import declared_features
from lakehouse.feature_book.rule_words import rule_words
from lakehouse.job import READY, flags, run
from lakehouse.kafka import admin
from lakehouse.kafka.broker import reachable
from lakehouse.kafka.topics import document_topics
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import open_lake
from lakehouse.lane import query
from lakehouse.lane.lane_rules import lane_rules, text_version
from lakehouse.lane.query import LaneRules
from lakehouse.lane.query_keeper import QueryKeeper
from lakehouse.monitoring.exporter import exposed
from lakehouse.monitoring.query_listener import QueryListener
from lakehouse.monitoring.stream_meters import StreamMeters
from lakehouse.spark.session import get_session


def open_lane(config: Config, meters: StreamMeters) -> QueryKeeper:
    """The running lane of a reachable broker; both topics are made when they are not there. `meters`: are kept."""
    kafka = config.kafka
    events = document_topics(kafka)
    for topic in (*events.names, config.decisions.topic):
        admin.create_topic(kafka, topic, kafka.partitions)
    partitions = admin.partitions(kafka, events)
    lake = Lake(get_session(config, query.NAME, _master(config, partitions)), config)
    open_lake(config, lake.spark)  # tokens of another key would find nobody
    lake.spark.streams.addListener(QueryListener(meters))

    def start(rules: LaneRules) -> StreamingQuery:
        now = datetime.now(UTC)
        return query.start(lake.spark, config, lake.checkpoint(query.NAME), rules, now=now, partitions=partitions)

    return QueryKeeper(
        version=lambda: text_version(RULES) + text_version(FEATURES),
        read=lambda: lane_rules(RULES, rule_words(declared_features(config))),
        start=start,
    )


def _master(config: Config, partitions: int) -> dict[str, str]:
    """Task slots are no cores: a task of the lane mostly waits. A master the caller named stays."""
    named = os.environ.get("PYSPARK_SUBMIT_ARGS", "")
    if "--master" in named or "spark.master" in named:
        return {}
    return {"spark.master": f"local[{config.decisions.cores or partitions}]"}


def main(argv: list[str]) -> None:
    flags(argv)
    config, meters = reachable(load()), StreamMeters()
    lane = open_lane(config, meters)
    with exposed(meters.registry, config.metrics.decisions_port, key="metrics.decisions_port"):
        print(READY, flush=True)
        lane.run()


if __name__ == "__main__":
    run(main)
