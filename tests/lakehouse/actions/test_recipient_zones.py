"""In which zone somebody is: the latest word of any of their identifiers, and nothing that is no zone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse.actions.recipient_zones import RecipientZones
from lakehouse.config import load
from lakehouse.events.reader import Reader
from lakehouse.online.lmdb_store import LmdbStore
from lakehouse.online.store import OnlineStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
READER = Reader(load("dev", environ={}))
ANA, A1 = ("user_id", "ana"), ("anonymous_id", "a1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbStore]:
    opened = LmdbStore(tmp_path / "kept")
    yield opened
    opened.close()


def event(hours: int, zone: object, *, place: str = "context", **who: str) -> tuple[Any, datetime]:
    at = NOW + timedelta(hours=hours)
    named = who or {"userId": "ana", "anonymousId": "a1"}
    message = {"messageId": f"m{hours}", "type": "track", "event": "x", "timestamp": at.isoformat(), **named}
    return message | {place: {"timezone": zone}}, at


def told(store: OnlineStore, *events: tuple[Any, datetime]) -> RecipientZones:
    zones = RecipientZones(store, READER)
    zones.take(events)
    return zones


def test_the_latest_word_holds_in_whatever_order_and_batch_it_comes(store: LmdbStore) -> None:
    late, early = event(2, "Asia/Tokyo"), event(1, "Europe/Berlin")
    assert told(store, late, early).of([ANA]) == "Asia/Tokyo"
    zones = told(store, early)
    zones.take([late])
    assert (zones.of([A1]), zones.of([("user_id", "bo")]), zones.of([])) == ("Asia/Tokyo", None, None)
    zones.take([event(3, "Europe/Paris", anonymousId="a1")])
    assert zones.of([ANA, A1]) == "Europe/Paris"
    assert zones.of([ANA]) == "Asia/Tokyo"
    assert RecipientZones(store, READER).of([ANA, A1]) == "Europe/Paris"  # after a restart


def test_a_word_that_comes_late_does_not_hide_the_same_word_said_anew(store: LmdbStore) -> None:
    zones = told(store, event(1, "Europe/Berlin"), event(3, "Asia/Tokyo"))
    zones.take([event(2, "Europe/Berlin")])
    assert zones.of([ANA]) == "Asia/Tokyo"
    zones.take([event(4, "Europe/Berlin")])
    assert zones.of([ANA]) == "Europe/Berlin"


def test_of_two_identifiers_the_one_whose_word_was_said_anew_holds(store: LmdbStore) -> None:
    zones = told(store, event(1, "Europe/Berlin", userId="ana"), event(2, "Asia/Tokyo", anonymousId="a1"))
    assert zones.of([ANA, A1]) == "Asia/Tokyo"
    zones.take([event(1 + 25, "Europe/Berlin", userId="ana")])
    assert zones.of([ANA, A1]) == "Europe/Berlin"


def test_what_was_not_said_again_for_long_is_let_go(store: LmdbStore) -> None:
    zones = told(store, event(1, "Europe/Berlin"))
    zones.take([event(1 + 48, "Europe/Berlin")])
    for days, held in ((401, "Europe/Berlin"), (403, None)):
        store.expire(int((NOW + timedelta(days=days)).timestamp() * 1000), 100)
        assert zones.of([ANA]) == held


@pytest.mark.parametrize("said", ["Mars/Olympus", "+02:00", "../etc/passwd", "", 7, None, ["UTC"]])
def test_what_is_no_zone_says_nothing(store: LmdbStore, said: object) -> None:
    assert told(store, event(1, "Europe/Berlin"), event(2, said)).of([ANA]) == "Europe/Berlin"


def test_a_trait_says_it_too_and_what_is_no_message_says_nothing(store: LmdbStore) -> None:
    assert told(store, event(1, "Europe/Rome", place="traits"), (None, NOW), ([], NOW)).of([ANA]) == "Europe/Rome"


def test_the_same_again_is_not_written_again(store: LmdbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    zones = told(store, event(1, "Europe/Berlin"))
    monkeypatch.setattr(store, "put", lambda _: pytest.fail("written"))
    zones.take([event(2, "Europe/Berlin")])
