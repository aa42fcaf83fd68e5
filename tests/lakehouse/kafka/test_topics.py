"""Which topics are read: names are names, whatever letters they hold; a pattern is of a whole name."""

import dataclasses

import pytest

from lakehouse.config import KafkaConfig, load
from lakehouse.errors import ConfigError
from lakehouse.kafka.topics import Topics, document_topics, event_topics


def kafka(*also_from: str, pattern: str = "") -> KafkaConfig:
    base = load("dev", environ={}).kafka
    return dataclasses.replace(base, events_topic="web", events_also_from=also_from, events_pattern=pattern)


def test_names_alone_are_subscribed_by_name_each_once() -> None:
    topics = event_topics(kafka("till.1", "web"))
    assert topics.of_spark() == {"subscribe": "web,till.1"}
    assert topics.among(["web", "till.1", "till-1", "webs", "a-web"]) == ("till.1", "web")


def test_a_pattern_joins_the_names_and_matches_whole_names() -> None:
    topics = event_topics(kafka("till.1", pattern="app-.+|shop"))
    assert set(topics.of_spark()) == {"subscribePattern"}
    existing = ["web", "till.1", "till-1", "app-x", "my-app-x", "shop", "shops", "app-", "__app-x"]
    assert topics.among(existing) == ("app-x", "shop", "till.1", "web")


def test_topics_that_are_bound_to_a_source_are_read_but_hold_no_documents() -> None:
    bound = dataclasses.replace(kafka("app"), sources={"till.1": "crm", "app": "crm"})
    assert event_topics(bound).of_spark() == {"subscribe": "web,app,till.1"}
    assert document_topics(bound).of_spark() == {"subscribe": "web"}
    like = document_topics(dataclasses.replace(bound, events_pattern="till.+|app"))
    assert like.among(["web", "app", "till.1", "till.12", "till-1"]) == ("till-1", "till.12", "web")


def test_kafkas_own_topics_are_never_read() -> None:
    assert Topics(("a",), ".*").among(["a", "b", "__consumer_offsets", "__transaction_state"]) == ("a", "b")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("EVENTS_PATTERN", "(", "[kafka] events_pattern: got '(', expected a regular expression"),
        ("EVENTS_PATTERN", ".*", "events_pattern: got '.*', expected topics of events alone: decisions.topic is 'decisions'"),
        ("EVENTS_ALSO_FROM", "web,actions", "events_also_from: got 'actions', expected topics of events alone: actions.topic"),
        ("SOURCES__ACTIONS", "crm", "[kafka.sources] actions: got 'crm', expected topics of events alone: actions.topic"),
        ("EVENTS_ALSO_FROM", "a b", "[kafka] events_also_from: got 'a b', expected letters"),
    ],
)  # fmt: skip
def test_topics_that_cannot_be_read_are_refused(variable: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ={f"STITCHLAKE__KAFKA__{variable}": value})
    assert expected in str(caught.value)
