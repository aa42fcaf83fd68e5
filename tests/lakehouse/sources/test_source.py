"""A source by its name, and one message of a topic that is bound to it."""

from pathlib import Path

import orjson
import pytest

from lakehouse.config import load
from lakehouse.config.paths import SOURCES
from lakehouse.errors import ConfigError
from lakehouse.events.event_row import EventReader
from lakehouse.sources.record import canonical
from lakehouse.sources.source import Source, event_document

CONFIG = load("dev", environ={})
NOW = 1_780_000_000_000_000
SAMPLES = Path(__file__).with_name("samples")


def named(name: str) -> Source:
    return Source.named(name, SOURCES, CONFIG)


def verdict(document: object) -> str | None:
    return EventReader(CONFIG).read(orjson.dumps(document), NOW, NOW).verdict


def test_a_name_that_is_none_says_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no source 'shopify'; did you mean 'shopify-orders'"):
        named("shopify")
    with pytest.raises(ConfigError, match="Write it"):
        Source.named("shop", tmp_path, CONFIG)
    (tmp_path / "My Shop.yaml").write_text("is_event: true")
    with pytest.raises(ConfigError, match="Rename the file"):
        Source.named("shop", tmp_path, CONFIG)


def test_a_message_of_a_topic_becomes_an_event() -> None:
    document = event_document(
        named("simple-events"), b'{"event":"search","customer_id":"c","timestamp":1751364120,"query":"desk"}'
    )
    assert (document["event"], document["userId"], document["properties"]) == (
        "Products Searched",
        "c",
        {"query": "desk"},
    )
    assert verdict(document) is None


def test_a_line_of_a_table_is_a_message_too() -> None:
    line = (SAMPLES / "snowplow.tsv").read_bytes().splitlines()[0]
    document = event_document(named("snowplow"), line)
    assert (document["type"], document["anonymousId"]) == ("page", "d-1")


@pytest.mark.parametrize(
    "sent", [b"", b"\xff\xfe", b"no json", b"[]", b'{"a":1,"a":2}', b'{"event":"search"}', b'{"event":' + b"9" * 5000]
)
def test_what_is_no_event_goes_to_quarantine_under_its_source(sent: bytes) -> None:
    document = event_document(named("simple-events"), sent)
    assert str(verdict(document)).startswith("unmapped|simple-events: ")


def test_what_is_declared_to_be_no_event_is_in_quarantine_with_that_word() -> None:
    document = event_document(named("shopify-orders"), b'{"id":1,"test":true}')
    assert verdict(document) == "unmapped|shopify-orders: skip: the source says that it is no event"


@pytest.mark.parametrize("levels", [40, 90, 110, 1000, 1020])
def test_json_in_a_text_nests_as_deep_as_it_likes(levels: int) -> None:
    packed = '{"a":' * levels + "1" + "}" * levels
    sent = orjson.dumps({"event": "view", "customer_id": "c", "timestamp": "2025-01-01", "properties": packed})
    document = event_document(named("simple-events"), sent)
    told = EventReader(CONFIG).read(canonical(document), NOW, NOW).verdict
    assert told == (None if levels > 100 else "too_deep|at most 32 levels expected")
