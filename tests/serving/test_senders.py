"""The libraries that shops really use, as they are, against the served collector: every call is in Kafka, once.

Mixed calls as they are in silver, and the library of Node: tests/serving/test_libraries_in_silver.py. Others that need Node or a browser are in tests/benchmarks/senders.py.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient

from lakehouse.config import Config
from lakehouse.kafka import admin
from tests.benchmarks.senders import shop
from tests.chromium import Page, browsing
from tests.serving.served import serving, until
from tests.serving.topic_values import values

CALLS = 1000
SNIPPET = """<!doctype html><title>Cups</title>
<script async src="ADDRESS/stitchlake.js" data-write-key="dev"></script>
<script>window.stitchlake = window.stitchlake || []; stitchlake.push(["page", "Shop"]);</script>"""
MIXED = """for (let number = 0; number < 50; number++) {
  stitchlake.track("Product Viewed", { number }); stitchlake.page(`p${number}`);
  stitchlake.identify("u-1", { number }); stitchlake.consent({ analytics: true, marketing: number % 2 == 1 });
}"""


@dataclasses.dataclass(frozen=True)
class Collector:
    """One process for all tests, on a topic of its own; `before` messages were there when the test began."""

    address: str
    config: Config
    before: int = 0

    def messages(self) -> list[dict[str, Any]]:
        kafka = self.config.kafka
        return [json.loads(value) for value in values(kafka.bootstrap_servers, kafka.events_topic)[self.before :]]


@pytest.fixture(scope="module")
def served(config_in: Callable[[Path], Config], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    config = config_in(tmp_path_factory.mktemp("senders"))
    kafka = dataclasses.replace(config.kafka, events_topic=f"senders-{uuid4().hex[:8]}")
    admin.create_topic(kafka, kafka.events_topic, 1)
    config = dataclasses.replace(config, kafka=kafka)
    with serving(config) as (address, _):
        yield Collector(address, config)


@pytest.fixture
def collector(served: Collector) -> Collector:
    return dataclasses.replace(served, before=len(served.messages()))


Client = type[SegmentClient] | type[RudderClient]


@pytest.mark.parametrize("is_compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("library", [SegmentClient, RudderClient], ids=["segment", "rudderstack"])
def test_a_thousand_calls_of_a_python_library_are_there_once(
    collector: Collector, library: Client, is_compressed: bool
) -> None:
    errors: list[Exception] = []
    client = library(
        "dev",
        host=collector.address,
        gzip=is_compressed,
        max_retries=1,
        on_error=lambda error, _: errors.append(error),
    )
    for number in range(CALLS):
        client.track(user_id=f"u-{number}", event="Signed In", properties={"number": number, "word": "Ω"})
    client.shutdown()
    assert errors == []
    messages = collector.messages()
    assert Counter(message["properties"]["number"] for message in messages) == Counter(range(CALLS))
    assert {(message["type"], message["event"], message["properties"]["word"]) for message in messages} == {
        ("track", "Signed In", "Ω")
    }
    assert all(message["sentAt"] and message["receivedAt"] and message["messageId"] for message in messages)


@pytest.mark.parametrize("library", [SegmentClient, RudderClient], ids=["segment", "rudderstack"])
def test_every_call_a_python_library_has_keeps_its_type_and_time(collector: Collector, library: Client) -> None:
    client, at = library("dev", host=collector.address), datetime(2026, 3, 1, 12, tzinfo=UTC)
    client.identify("u-1", {"email": "ana@example.com", "card": 900719925474099312345}, timestamp=at)
    client.page("u-1", None, "Home", timestamp=at)
    client.screen("u-1", None, "Home", timestamp=at)
    client.group("u-1", "household:1", timestamp=at)
    client.alias("a-1", "u-1", timestamp=at)
    client.shutdown()
    messages = collector.messages()
    assert [message["type"] for message in messages] == ["identify", "page", "screen", "group", "alias"]
    assert {datetime.fromisoformat(message["timestamp"]) for message in messages} == {at}
    traits = messages[0].get("traits") or messages[0]["context"]["traits"]
    assert traits["card"] == 900719925474099312345


@pytest.mark.parametrize("library", [SegmentClient, RudderClient], ids=["segment", "rudderstack"])
def test_a_library_with_another_key_hears_it_at_once(collector: Collector, library: Client) -> None:
    """It tries again for minutes where it does not find the refusal in the form it knows."""
    errors: list[Any] = []
    client = library("other", host=collector.address, on_error=lambda error, _: errors.append(error))
    client.track(user_id="u-1", event="Signed In")
    client.shutdown()
    assert [(error.status, error.message) for error in errors] == [
        (
            401,
            "authorization: got no key of this service, expected one with the scope ingest. Send it as a bearer token",
        )
    ]
    assert collector.messages() == []


def test_a_page_of_another_origin_loses_no_call_offline_or_at_its_end(collector: Collector, tmp_path: Path) -> None:
    def ids(messages: list[dict[str, Any]]) -> list[str]:
        return list(dict.fromkeys(message["messageId"] for message in messages))

    with shop(tmp_path) as (origin, pages), browsing(tmp_path / "profile") as page:
        pages["/"] = pages["/?utm_source=letter"] = SNIPPET.replace("ADDRESS", collector.address).encode()
        page.go(f"{origin}?utm_source=letter")
        until(lambda: len(collector.messages()) == 1)
        (first,) = collector.messages()
        assert (first["type"], first["name"], first["properties"]["search"]) == ("page", "Shop", "?utm_source=letter")
        assert (first["context"]["page"]["title"], first["context"]["library"]["name"]) == ("Cups", "stitchlake.js")
        assert "userId" not in first
        assert "consent" not in first["context"]

        page.be_online(False)
        page.run(MIXED)
        waiting = page.run("Object.entries(localStorage).filter(([n]) => /[.]\\d/.test(n)).sort().map(([, t]) => t)")
        made = [json.loads(text.lstrip("0123456789")) for text in waiting]
        assert len(made) == 200
        page.run("new Promise((done) => setTimeout(done, 500))")  # it tries, and cannot
        assert len(collector.messages()) == 1
        page.be_online(True)
        until(lambda: len(ids(collector.messages())) == 201)
        assert ids(collector.messages())[1:] == ids(made)
        until(lambda: page.run("Object.keys(localStorage).length") == 1)
        of_type = Counter(message["type"] for message in made)
        assert of_type == {"track": 100, "page": 50, "identify": 50}
        last = collector.messages()[-1]
        assert (last["anonymousId"], last["userId"]) == (first["anonymousId"], "u-1")
        assert last["context"]["consent"] == {"categoryPreferences": {"analytics": True, "marketing": True}}
        assert datetime.fromisoformat(last["originalTimestamp"]) < datetime.fromisoformat(last["sentAt"])

        page.run("stitchlake.track('Left'); location = 'about:blank'")
        until(lambda: len(ids(collector.messages())) == 202)  # by a beacon, which is no receipt
        page.go(origin)
        until(lambda: len(ids(collector.messages())) == 203)
        until(lambda: page.run("Object.keys(localStorage).length") == 1)
        left = [message["messageId"] for message in collector.messages() if message.get("event") == "Left"]
        assert len(left) == 2, "what a beacon took is sent again"
        assert len(set(left)) == 1, "under its own id"


OLD_DAYS = 4  # more than half of events.dedupe_days
LIES = """{
  const lies = (mark, days, tried) => {
    const at = Date.now() - days * 864e5, id = mark.padEnd(32, "0");
    const call = { type: "track", event: mark, messageId: id, anonymousId: "a-old", originalTimestamp: new Date(at).toISOString() };
    localStorage.setItem(`stitchlake.${at}${id}`, (tried ? at : "") + JSON.stringify(call));
  };
  LIES
}"""


def test_a_call_that_may_have_arrived_is_not_sent_again_once_the_lake_may_have_forgotten_it(
    collector: Collector, tmp_path: Path
) -> None:
    """And one that never left is, however old it is: nobody has counted it."""

    def events() -> list[str]:
        return [message["event"] for message in collector.messages() if message["type"] == "track"]

    def waiting(page: Page) -> list[str]:
        return list(page.run("Object.entries(localStorage).filter(([n]) => /[.]\\d/.test(n)).map(([, text]) => text)"))

    assert collector.config.events.dedupe_days / 2 < OLD_DAYS
    with shop(tmp_path) as (origin, pages), browsing(tmp_path / "profile") as page:
        pages["/"] = SNIPPET.replace("ADDRESS", collector.address).encode()
        pages["/empty"] = b"<!doctype html>"
        page.go(f"{origin}empty")
        page.run(LIES.replace("LIES", f"lies('tried', {OLD_DAYS}, true); lies('new', 3, true); lies('never', 90)"))
        page.go(origin)
        until(lambda: not waiting(page))
        assert events() == ["never", "new"]

        page.go(f"{origin}empty")
        page.run(LIES.replace("LIES", "lies('offline', 0)"))
        page.command("Network.setBlockedURLs", urls=[f"{collector.address}/v1/*"])
        page.go(origin)
        until(lambda: all(text[0].isdigit() for text in waiting(page)) and len(waiting(page)) == 2)
        first = waiting(page)
        page.go(origin)
        until(lambda: len(waiting(page)) == 3 and all(text[0].isdigit() for text in waiting(page)))
        assert set(first) <= set(waiting(page)), "the time of the first try stays"
