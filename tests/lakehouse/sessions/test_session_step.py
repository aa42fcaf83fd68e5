"""Sessions kept batch by batch against an oracle that sees all events at once: late, shuffled, repeated, by several actors.

The oracle is Snowplow's rule in plain Python, over dictionaries: silence of more than 30 minutes, or another campaign. It shares no code with what it
judges.
"""

import dataclasses
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.events.enrichment.locations import Location
from lakehouse.events.enrichment.traffic import Traffic
from lakehouse.events.enrichment.user_agents import Agent
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.row_differences import differences
from lakehouse.sessions import session_step
from lakehouse.sessions.rebuilt_sessions import rebuilt_sessions
from lakehouse.sessions.rule import Clusters
from lakehouse.sessions.session_step import SessionStep
from lakehouse.sessions.table import SILVER_SESSIONS, session_rows
from lakehouse.sessions.visit_index import VisitIndex
from lakehouse.sessions.visits import COLUMNS, visits
from lakehouse.tables.events import SILVER_EVENTS
from tests.accepted import once

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RATES = {"EUR": "1.25"}
TEXT = pa.string()
_TRAFFIC = [(name, pa.bool_() if name == "is_campaign" else TEXT) for name in Traffic._fields]
TYPES = {
    "occurred_at": pa.timestamp("us", tz="UTC"), "revenue": pa.decimal128(18, 2), "is_bot": pa.bool_(), "traffic": pa.struct(_TRAFFIC),
    "agent": pa.struct([(name, TEXT) for name in Agent._fields]), "location": pa.struct([(name, TEXT) for name in Location._fields]),
}  # fmt: skip
SCHEMA = pa.schema([(name, TYPES.get(name, TEXT)) for name in COLUMNS])
SESSIONS = pa.schema([
    (c.name, TYPES["occurred_at"] if c.type == "timestamp" else TYPES["revenue"] if c.type.startswith("decimal")
     else pa.list_(TEXT) if c.type.startswith("array") else pa.int64() if c.type == "bigint" else TEXT)
    for c in SILVER_SESSIONS.columns
])  # fmt: skip
Event = dict[str, Any]
Rows = dict[tuple[Any, ...], Event]


def by_key(rows: Iterable[Event]) -> Rows:
    return {tuple(one[name] for name in SILVER_SESSIONS.key): one for one in rows}


def of_clusters(found: Clusters) -> pa.Table:
    return session_rows(found.ending, RATES, SESSIONS)


def event(number: int, visitor: str | None, at: datetime, **rest: Any) -> Event:
    """A page view, unless `rest` says otherwise."""
    known = dict.fromkeys(COLUMNS) | {"type": "page", "event": "Shop", "page_url": f"https://shop.example/{number % 5}"}
    return known | {
        "visitor_id": visitor, "occurred_at": at, "message_id": f"m{number}", "actor_id": f"{visitor}-1", "is_bot": False,
        "agent": {"device_class": "mobile", "os": "iOS", "browser": "Mobile Safari"},
    } | rest  # fmt: skip


def campaign(name: str) -> Event:
    return {
        "channel": "Email",
        "source": "news",
        "medium": "email",
        "campaign": name,
        "click_id": None,
        "is_campaign": True,
    }


def referrer(source: str) -> Event:
    return campaign("") | {
        "channel": "Organic Search",
        "source": source,
        "medium": "organic",
        "campaign": None,
        "is_campaign": False,
    }


def oracle(events: Iterable[Event]) -> list[Event]:
    """Rows of silver.sessions, in order of their key."""
    of: dict[str, dict[Any, Event]] = defaultdict(dict)
    for one in events:
        if one["visitor_id"] is not None and not one["is_bot"]:
            of[one["visitor_id"]][one["occurred_at"], one["message_id"]] = one
    made: list[Event] = []
    for visitor in sorted(of):
        current: list[Event] = []
        running = None
        for key in sorted(of[visitor]):
            one = of[visitor][key]
            traffic = one["traffic"] or {}
            tag = tuple(traffic[n] for n in ("source", "medium", "campaign")) if traffic.get("is_campaign") else None
            is_over = current and one["occurred_at"] - current[-1]["occurred_at"] > timedelta(minutes=30)
            if is_over or (current and tag not in (None, running)):
                made.append(expected_row(current))
                current = []
            running = tag or (running if current else None)
            current.append(one)
        made.append(expected_row(current))
    return made


def expected_row(session: Sequence[Event]) -> Event:
    first, last = session[0], session[-1]
    pages = [one["page_url"] for one in session if one["page_url"]]
    landing = [one for one in session if one["page_url"] or one["traffic"]] or [first]
    came = landing[0]["traffic"] or {
        "channel": "Direct",
        "source": "(direct)",
        "medium": "(none)",
        "campaign": None,
        "click_id": None,
    }
    agent = next((one["agent"] for one in session if one["agent"]), {})
    place = next((one["location"] for one in session if one["location"]), {})
    orders: dict[str, Decimal] = {}
    for one in session:
        if one["event"] == "Order Completed" and one["type"] == "track":
            value = (one["revenue"] or Decimal(0)) * (Decimal("1.25") if one["currency"] == "EUR" else 1)
            value = Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP)  # as silver.orders has each of them
            orders.setdefault(one["order_id"], value)
    seconds = (last["occurred_at"] - first["occurred_at"]) // timedelta(seconds=1)
    return {
        "visitor_id": first["visitor_id"], "started_at": first["occurred_at"], "session_id": first["message_id"],
        "ended_at": last["occurred_at"], "duration_seconds": seconds, "actor_id": last["actor_id"], "event_count": len(session),
        "page_view_count": len([one for one in session if one["type"] in ("page", "screen")]),
        "landing_page": (pages or [None])[0], "exit_page": (pages or [None])[-1],
        **{name: came[name] for name in ("channel", "source", "medium", "campaign", "click_id")},
        **{name: agent.get(name) for name in ("device_class", "os", "browser")},
        **{name: place.get(name) for name in ("country", "region")},
        "order_ids": sorted(orders), "revenue": Decimal(sum(orders.values())).quantize(Decimal("0.01"), ROUND_HALF_UP),
    }  # fmt: skip


GAPS = st.sampled_from([0, 1, 60, 599, 1799, 1800, 1801, 1860, 7200, 90_000])  # seconds
KINDS = st.sampled_from(["page", "page", "track", "silent", "order", "bot", "nobody"])
CAME = st.sampled_from([None, None, None, campaign("A"), campaign("A"), campaign("B"), referrer("google")])


@st.composite
def histories(draw: st.DrawFn) -> list[list[Event]]:
    """Batches of events in any order, some of which come again. A visitor has actors of its own, and one it shares: who logs in."""
    events = []
    for visitor in ("anna", "bo"):
        at = NOON
        for _ in range(draw(st.integers(1, 14))):
            at += timedelta(seconds=draw(GAPS))
            number = len(events)
            kind, actor = draw(KINDS), draw(st.sampled_from([f"{visitor}-1", f"{visitor}-2", "shared"]))
            rest: Event = {"traffic": draw(CAME), "actor_id": actor, "is_bot": kind == "bot"}
            if kind in ("track", "silent", "order"):
                rest |= {"type": "track", "event": "Product Viewed"}
            if kind == "track":
                rest["location"] = {"country": "DE", "region": draw(st.sampled_from([None, "DE-BE"]))}
            if kind == "silent":
                rest |= {"page_url": None, "agent": None}
            if kind == "order":
                worth, currency = draw(st.sampled_from([("10.01", "EUR"), ("20.00", None)]))
                order = {"event": "Order Completed", "order_id": f"o{number % 3}"}
                rest |= order | {"revenue": Decimal(worth), "currency": currency}
            events.append(event(number, None if kind == "nobody" else visitor, at, **rest))
    again = draw(st.lists(st.sampled_from(events), max_size=4))
    mixed = draw(st.permutations([*events, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(mixed)), max_size=5)))
    return [mixed[start:end] for start, end in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> VisitIndex:
    return VisitIndex(tmp_path_factory.mktemp("visits"))


def table(events: Sequence[Event]) -> pa.Table:
    return pa.Table.from_pylist(list(events), schema=SCHEMA)


def take_in(index: VisitIndex, held: Rows, batch: Sequence[Event]) -> None:
    """One batch into the index and the rows, as the stream does it."""
    change = index.change(visits(table(batch)))
    before, after = of_clusters(change.before), of_clusters(change.after)
    differing = differences(before, after, SILVER_SESSIONS.key, SILVER_SESSIONS.content)
    for key in by_key(differing.gone.to_pylist()):
        del held[key]
    added, changed = by_key(differing.added.to_pylist()), by_key(differing.changed.to_pylist())
    assert not held.keys() & added.keys()
    assert held.keys() >= changed.keys()
    assert all(held[key] != row for key, row in changed.items()), "written for nothing"
    held.update(added | changed)
    index.take_in(change)


@given(histories())
@settings(max_examples=250, deadline=None)
def test_any_order_any_batching_and_repeats_give_what_the_oracle_gives(
    index: VisitIndex, batches: list[list[Event]]
) -> None:
    index.clear()
    held: Rows = {}
    for batch in batches:
        take_in(index, held, batch)
    every = [one for batch in batches for one in batch]
    assert [held[key] for key in sorted(held)] == oracle(every)
    for visitor in ("anna", "bo"):
        assert of_clusters(index.of([visitor])).to_pylist() == [
            row for row in oracle(every) if row["visitor_id"] == visitor
        ]


def random_events(seed: int, count: int) -> list[Event]:
    """Of few visitors, over two days, in no order."""
    choose = random.Random(seed)
    came = [None, None, None, campaign("A"), campaign("B"), referrer("bing")]
    events = []
    for number in range(count):
        visitor = f"visitor-{choose.randrange(5)}"
        at = NOON + timedelta(seconds=choose.randrange(0, 2 * 86_400, 300))
        events.append(event(number, visitor, at, traffic=choose.choice(came), actor_id=f"actor-{choose.randrange(7)}"))
    return events


def append(lake: Lake, events: Sequence[Event], batch_id: int) -> None:
    """To silver.events, with what else that must hold."""
    filled = {
        "received_at": NOON,
        "identifiers": [],
        "is_clamped": False,
        "content_hash": 1,
        "topic": "t",
        "partition": 0,
        "offset": 0,
    }
    rows = pa.Table.from_pylist([dict(filled) | one for one in events], schema=arrow_schema(SILVER_EVENTS))
    lake.append(rows, SILVER_EVENTS, once(batch_id))


def keep(lake: Lake, step: SessionStep, events: Sequence[Event], batch_id: int) -> None:
    step.prepare()
    append(lake, events, batch_id)
    step.take_in(table(events))


def stored(lake: Lake) -> list[Event]:
    rows = by_key(row for batch in lake.batches(SILVER_SESSIONS) for row in batch.to_pylist())
    assert len(rows) == lake.read(SILVER_SESSIONS).count()
    return [rows[key] for key in sorted(rows)]


def rebuilt(lake: Lake) -> list[Event]:
    rows = by_key(rebuilt_sessions(lake).toArrow().to_pylist())
    return [rows[key] for key in sorted(rows)]


@pytest.fixture
def empty(lake: Lake) -> Lake:
    lake.config = dataclasses.replace(lake.config, money=dataclasses.replace(lake.config.money, rates=RATES))
    lake.create(SILVER_EVENTS)
    lake.create(SILVER_SESSIONS)
    return lake


def test_a_lake_kept_batch_by_batch_is_the_oracles_and_the_rebuilds(empty: Lake) -> None:
    events, step = random_events(5, 300), SessionStep(empty)
    for batch_id, first in enumerate(range(0, 300, 60)):
        keep(empty, step, events[first : first + 60], batch_id)
    assert stored(empty) == oracle(events) == rebuilt(empty)


def test_merges_and_splits_of_profiles_move_sessions_and_change_none(empty: Lake) -> None:
    events, step = random_events(6, 120), SessionStep(empty)
    keep(empty, step, events, 0)
    before = stored(empty)
    for people in (1, 3, 7):  # of seven actors: all one person, three people, each its own
        identity_map = {f"actor-{number}": f"profile-{number % people}" for number in range(7)}
        found, expected = defaultdict(int), defaultdict(int)
        for one in stored(empty):
            found[identity_map[one["actor_id"]]] += one["event_count"]
        for one in oracle(events):
            expected[identity_map[one["actor_id"]]] += one["event_count"]
        assert dict(found) == dict(expected)
    keep(empty, step, [], 1)
    assert stored(empty) == before


def test_what_a_crash_left_undone_the_replay_does(empty: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    events, step = random_events(7, 200), SessionStep(empty)
    keep(empty, step, events[:100], 0)
    crash = RuntimeError("killed between two writes")
    for batch_id, method in ((1, "upsert"), (2, "add")):
        with monkeypatch.context() as patched:
            patched.setattr(empty, method, lambda *_, **__: (_ for _ in ()).throw(crash))
            with pytest.raises(RuntimeError, match="between two writes"):
                keep(empty, step, events[50 * batch_id + 50 : 50 * batch_id + 100], batch_id)
        step = SessionStep(empty)
        keep(empty, step, events[50 * batch_id + 50 : 50 * batch_id + 100], batch_id)
        assert stored(empty) == oracle(events[: 50 * batch_id + 100])


def test_the_index_is_made_again_only_for_another_state_of_the_events(
    empty: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = random_events(8, 90)
    keep(empty, SessionStep(empty), events[:30], 0)
    with monkeypatch.context() as patched:
        patched.setattr(session_step, "fill", lambda *_: pytest.fail("made again"))
        keep(empty, SessionStep(empty), events[30:60], 1)
    append(empty, events[60:80], 2)  # by somebody else
    keep(empty, SessionStep(empty), events[80:], 3)
    visitors = {one["visitor_id"] for one in events[80:]}
    assert [one for one in stored(empty) if one["visitor_id"] in visitors] == [
        one for one in oracle(events) if one["visitor_id"] in visitors
    ]


def test_spark_keeps_the_same_rows_where_delta_rs_does_not_reach(empty: Lake) -> None:
    events, step = random_events(9, 40), SessionStep(empty)
    keep(empty, step, events[:30], 0)
    empty.uses_delta_rs = False
    keep(empty, step, events[30:], 1)
    empty.uses_delta_rs = True
    assert stored(empty) == oracle(events)
