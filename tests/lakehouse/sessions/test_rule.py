"""When a session ends, on events written as `minute` or `minute:campaign`."""

from itertools import pairwise, permutations
from typing import Any

import pyarrow as pa
import pytest

from lakehouse.sessions import rule
from lakehouse.sessions.rule import Clusters, clusters, in_order, session_starts
from lakehouse.sessions.visits import VISIT

MINUTE = 60_000_000
CAMPAIGN = {"channel": "Email", "source": "news", "medium": "email", "is_campaign": True}
GOOGLE = {"channel": "Organic Search", "source": "google", "medium": "organic", "is_campaign": False}


def visit(text: str, **rest: Any) -> dict[str, Any]:
    minute, _, campaign = text.partition(":")
    told = CAMPAIGN | {"campaign": campaign} if campaign else {}
    known = {"visitor_id": "anna", "at": round(float(minute) * MINUTE), "message_id": text, "is_page_view": True}
    return dict.fromkeys(VISIT.names) | known | told | rest


def endless(start: str, end: str) -> dict[str, Any]:
    """What stands for more visits than a cluster may have."""
    return visit(start, message_id="", until=round(float(end) * MINUTE))


def found(*visits: dict[str, Any]) -> Clusters:
    return clusters(in_order(pa.Table.from_pylist(list(visits), schema=VISIT)))


def spans(*visits: dict[str, Any]) -> list[tuple[float, float, bool]]:
    """From when to when each cluster goes, in minutes, and whether it is endless."""
    of = found(*visits)
    starts = of.visits["at"].take(of.first).to_pylist()
    return [
        (s / MINUTE, e / MINUTE, n) for s, e, n in zip(starts, of.end.tolist(), of.is_endless.tolist(), strict=True)
    ]


def told(*visits: dict[str, Any]) -> str:
    """The sessions, `|` between them."""
    ending = found(*visits).ending
    ids, starts = ending["message_id"].to_pylist(), session_starts(ending).tolist()
    return " | ".join(" ".join(ids[start:end]) for start, end in pairwise([*starts, len(ids)]))


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
    assert {told(*order) for order in permutations(map(visit, events))} == {expected}


def test_nothing_at_all_is_no_session() -> None:
    assert told() == ""


def test_an_event_that_comes_twice_is_one() -> None:
    assert told(visit("0"), visit("0"), visit("1")) == "0 1"


def test_a_referrer_alone_begins_nothing() -> None:
    assert told(visit("0"), visit("1", **GOOGLE)) == "0 1"


def test_visitors_have_nothing_to_do_with_each_other() -> None:
    bo = {"visitor_id": "bo"}
    assert told(visit("0:A"), visit("1", **bo), visit("2:A"), visit("3:A", **bo)) == "0:A 2:A | 1 | 3:A"


def test_what_never_falls_silent_is_nobodys_visit_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "MOST_EVENTS", 3)
    assert told(*map(visit, ("0", "1", "2"))) == "0 1 2"
    assert {told(*order, visit("90")) for order in permutations(map(visit, ("0", "1", "2", "3")))} == {"90"}
    assert spans(*map(visit, ("0", "1", "2", "3"))) == [(0, 3, True)]


def test_what_meets_that_which_never_falls_silent_is_part_of_it() -> None:
    assert spans(endless("0", "3"), visit("20"), visit("70")) == [(0, 20, True), (70, 70, False)]
    assert spans(endless("0", "3"), visit("-5"), visit("1.5")) == [(-5, 3, True)]
    assert spans(endless("0", "300"), visit("200"), visit("330"), visit("361")) == [(0, 330, True), (361, 361, False)]
    assert spans(endless("0", "90"), endless("110", "300"), visit("320")) == [(0, 320, True)]
    bo = {"visitor_id": "bo"}
    assert spans(endless("0", "90"), visit("60", **bo)) == [(0, 90, True), (60, 60, False)]
    assert told(endless("0", "90"), visit("60", **bo), visit("121"), visit("-31")) == "-31 | 121 | 60"
