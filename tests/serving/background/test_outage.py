"""A store that goes away and comes back: what people said meanwhile is heard before anything is sent to them."""

import dataclasses
import time
from typing import Any

import orjson
import pytest

import serving.background.__main__ as background_process
from lakehouse.errors import StoreError
from lakehouse.machine import wait_until
from lakehouse.online.engines import open_store, store_url
from serving.background.__main__ import Background
from tests.online_people import person, put
from tests.serving.place import Place, running

NAMES = ("refuses", "is-left-alone", "agrees")
REFUSED = {"context": {"consent": {"categoryPreferences": {"marketing": False}}}}
STOP = {
    **{"messageId": "stop", "type": "suppress", "timestamp": "2026-01-01T00:00:00Z"},
    "context": {"externalIds": [{"type": "anonymous_id", "id": "is-left-alone"}]},
}


@dataclasses.dataclass
class Store:
    """What the reader of events writes to. It comes back for it last of all: the pause between its tries is the longest."""

    is_away: bool = False
    failed: int = 0

    def remember(self, *told: Any) -> None:
        if self.is_away:
            self.failed += 1
            raise StoreError("the store is away")
        _remember(*told)


_remember = background_process.remember


def fill(place: Place) -> None:
    store = open_store(store_url(place.config))
    for name in NAMES:
        put(store, person(f"p-{name}", [("anonymous_id", name)], consent_marketing=True))
    store.close()


def queue(place: Place) -> None:
    now = int(time.time() * 1000)
    for name in NAMES:
        action = {
            **{"decision_id": f"d-{name}", "destination": "crm", "cause": "moment", "name": "m"},
            **{"identifiers": [["anonymous_id", name]], "purpose": "marketing"},
            **{"created_ms": now, "expires_ms": now + 600_000},
        }
        place.tell(place.config.actions.topic, orjson.dumps(action))


def counts(background: Background) -> dict[str, int]:
    return dict(orjson.loads(background.status())["destinations"]["crm"])


def test_what_was_said_while_the_store_was_away_is_heard_before_anything_is_sent(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fill(place)
    store = Store()
    monkeypatch.setattr(background_process, "remember", store.remember)
    with running(place) as background:
        place.send("Product Viewed", "agrees")
        assert wait_until(lambda: orjson.loads(background.status())["events"] == 1, 60)
        store.is_away = True
        place.send("Product Viewed", "refuses", **REFUSED)
        assert wait_until(lambda: store.failed > 0, 60)
        place.tell(place.config.kafka.events_topic, orjson.dumps(STOP))
        queue(place)
        assert wait_until(lambda: "not read yet" in caplog.text or counts(background)["sent"] > 0, 60)
        store.is_away = False
        assert wait_until(lambda: sum(counts(background).values()) == len(NAMES), 60)
        assert counts(background) == {"sent": 1, "retried": 0, "suppressed": 2, "failed": 0}
    assert place.names() == ["agrees"]
