"""When a session ends, on events written as `minute` or `minute:campaign`."""

from itertools import permutations

import pytest

from lakehouse.events.enrichment.traffic import Traffic
from lakehouse.sessions import rule
from lakehouse.sessions.rule import Visit, clusters, sessions

MINUTE = 60_000_000


def visit(text: str) -> Visit:
    minute, _, campaign = text.partition(":")
    traffic = Traffic("Email", "news", "email", campaign, None, True) if campaign else None
    at = round(float(minute) * MINUTE)
    return Visit(at, text, "actor", True, None, traffic, None, None, None, None, None)


def told(*events: str) -> str:
    """The sessions, `|` between them."""
    found = [session for cluster in clusters(map(visit, events)) for session in sessions(cluster)]
    return " | ".join(" ".join(event.message_id for event in session) for session in found)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (["0"], "0"),
        (["0", "30"], "0 30"),
        (["0", "30.001"], "0 | 30.001"),
        (["0", "20", "40", "60"], "0 20 40 60"),
        (["0:A", "1:A"], "0:A 1:A"),
        (["0:A", "1", "2:A"], "0:A 1 2:A"),
        (["0:A", "1:B"], "0:A | 1:B"),
        (["0:A", "1:B", "2:A"], "0:A | 1:B | 2:A"),
        (["0", "1:A", "2"], "0 | 1:A 2"),
        (["0:A", "31", "32:A"], "0:A | 31 | 32:A"),
        (["-1440", "0"], "-1440 | 0"),
    ],
)
def test_thirty_minutes_of_silence_or_a_new_campaign_begin_a_session(events: list[str], expected: str) -> None:
    assert {told(*order) for order in permutations(events)} == {expected}


def test_nothing_at_all_is_no_session() -> None:
    assert told() == ""


def test_an_event_that_comes_twice_is_one() -> None:
    assert told("0", "0", "1") == "0 1"


def test_a_referrer_alone_begins_nothing() -> None:
    came = visit("1")._replace(traffic=Traffic("Organic Search", "google", "organic", None, None, False))
    (cluster,) = clusters([visit("0"), came])
    assert len(list(sessions(cluster))) == 1


def test_what_never_falls_silent_is_nobodys_visit_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "MOST_EVENTS", 3)
    assert told("0", "1", "2") == "0 1 2"
    assert {told(*order, "90") for order in permutations(["0", "1", "2", "3"])} == {"90"}
    endless = clusters(map(visit, ("0", "1", "2", "3")))
    assert clusters(map(visit, ("20", "70")), endless) == [(0, 20 * MINUTE, None), *clusters([visit("70")])]
    assert clusters(map(visit, ("-5", "1.5")), endless) == [(-5 * MINUTE, 3 * MINUTE, None)]
