from datetime import UTC, datetime
from typing import Any

from lakehouse.config import load
from lakehouse.decisions.visitor import suppression
from lakehouse.events.reader import Reader
from serving.background.suppressions import suppressions_in

READER = Reader(load("dev", environ={}))
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def said(type_: str, **more: Any) -> list[Any]:
    ids = [{"type": "user_id", "id": "ana"}, {"type": "nonsense", "id": "x"}]
    message = {"type": type_, "timestamp": AT.isoformat(), "context": {"externalIds": ids}, **more}
    return suppressions_in(message, READER, arrived_at=AT)


def test_the_word_is_what_the_api_writes_and_the_newer_one_has_the_higher_version() -> None:
    assert said("suppress") == [suppression(("user_id", "ana"), AT, is_suppressed=True)]
    assert said("unsuppress") == [suppression(("user_id", "ana"), AT, is_suppressed=False)]
    assert suppression(("user_id", "ana"), AT, is_suppressed=False).value is None
    later = AT.replace(hour=13)
    assert suppression(("user_id", "ana"), later, is_suppressed=False).version > said("suppress")[0].version


def test_other_messages_and_none_say_nothing() -> None:
    assert said("track", event="suppress") == []
    assert suppressions_in(None, READER, arrived_at=AT) == []
