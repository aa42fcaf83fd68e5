"""Recent behaviour: worked out by hand, by an oracle that replays events one by one, and in any order and batching."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.config import load
from lakehouse.events.reader import Reader
from lakehouse.online.engines import open_store
from lakehouse.online.recent_behaviour import RecentBehaviour, of_visitor, recent_behaviour, recent_of
from lakehouse.online.recent_entries import MOST_ENTRIES, Placed, entries, remember
from lakehouse.online.store import Entry

READER = Reader(load("dev", environ={}))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def message(id_: str, minutes_ago: float, event: str | None = "Product Viewed", /, **properties: Any) -> dict[str, Any]:
    who = {"anonymousId": properties.pop("who", "web-1")}
    if "user" in properties:
        who["userId"] = properties.pop("user")
    at = NOW - timedelta(minutes=minutes_ago)
    return {
        "type": "track" if event else "identify", "messageId": id_, "event": event, "properties": properties,
        "originalTimestamp": at.isoformat(), **who,
    }  # fmt: skip


def placed(*messages: dict[str, Any]) -> list[Placed]:
    return [one for sent in messages for one in entries(sent, READER, arrived_at=NOW)]


def told(*messages: dict[str, Any]) -> RecentBehaviour:
    return recent_behaviour([entry for _, entry in placed(*messages)], NOW)


def test_views_fall_into_their_windows_newest_first_each_product_once() -> None:
    found = told(
        message("m1", 5, product_id="p1"),
        message("m2", 10, product_id="p2", session_id="s1"),
        message("m3", 59, product_id="p1", session_id="s1"),
        message("m4", 60, product_id="p3"),
        message("m5", 24 * 60 - 1, product_id="p4"),
        message("m6", 6 * 24 * 60, product_id="p5"),
        message("m7", 31 * 24 * 60, product_id="p6"),
        message("m8", 1, product_id=None),
    )
    assert found.viewed_1h == ("p1", "p2")
    assert found.viewed_24h == ("p1", "p2", "p3", "p4")
    assert found.viewed_7d == ("p1", "p2", "p3", "p4", "p5")
    assert found.last_view_at == NOW - timedelta(minutes=1)
    assert found.views_in_session == 2, "of s1, the session named last"
    assert found.columns()["viewed_1h"] == ["p1", "p2"]


def test_without_session_ids_a_gap_of_thirty_minutes_ends_a_session() -> None:
    assert told(*(message(f"m{ago}", ago, product_id="p") for ago in (1, 30, 59, 89, 100))).views_in_session == 3
    assert told(message("m1", 30, product_id="p")).views_in_session == 0
    assert told().views_in_session == 0


def test_a_product_is_known_by_the_names_shops_give_it() -> None:
    viewed = message("m1", 3, sku="p1")
    added = message("m2", 2, "Product Added", products=[{"sku": "p2"}])
    ordered = message("m3", 1, "Order Completed", products=[{"id": "p3"}])
    by_items = message("m4", 0, "Order Completed", order_id="o", items=[{"item_id": "p4"}])
    found = told(viewed, added, ordered, by_items)
    assert [one.product_id for one in found.actions] == ["p4", "p3", "p2", "p1"]


def test_the_cart_is_what_was_added_and_neither_removed_nor_ordered() -> None:
    lines = [{"product_id": "p2", "price": "1.5"}, {"productId": "p9"}, "no line"]
    visit = [
        message("m1", 9, "Product Added", product_id="p1"),
        message("m2", 8, "Product Added", products=[{"product_id": "p2"}]),
        message("m3", 7, "Product Added", product_id="p3"),
        message("m4", 6, "Product Removed", product_id="p1"),
    ]
    assert told(*visit).cart == ("p3", "p2")
    bought = told(*visit, message("m5", 5, "Order Completed", products=lines))
    assert [(one.kind, one.product_id) for one in bought.actions] == [
        ("order", "p9"), ("order", "p2"), ("remove", "p1"), ("cart", "p3"), ("cart", "p2"), ("cart", "p1"),
    ]  # fmt: skip
    assert (bought.cart, bought.bought_30d) == (("p3",), ("p9", "p2"))
    assert told(*visit, message("m6", 5, "Order Completed", order_id="o1")).cart == ()
    assert told(*visit, message("m7", 4, "Product Added", product_id="p1")).cart == ("p1", "p3", "p2")


def test_the_latest_word_on_consent_tier_and_every_exposure() -> None:
    first = message("m1", 9, None) | {
        "traits": {"loyalty_tier": "gold"},
        "context": {"consent": {"categoryPreferences": {"marketing": True, "analytics": True, "other": False}}},
    }
    second = message("m2", 5) | {
        "context": {"consent": {"categoryPreferences": {"marketing": False, "analytics": "no"}}}
    }
    found = told(
        second,
        first,
        message("m3", 4, "Promotion Viewed", promotion_id="o7"),
        message("m4", 2, "Promotion Viewed", offer="o7"),
    )
    assert found.consent == {"marketing": False, "analytics": False, "personalization": False}
    assert found.loyalty_tier == "gold"
    assert found.exposures == {"o7": (NOW - timedelta(minutes=2), NOW - timedelta(minutes=4))}
    assert found.columns()["consent_marketing"] is False


def test_a_message_lies_on_the_timeline_of_each_of_its_identifiers_and_counts_once(tmp_path: Path) -> None:
    store = open_store(f"lmdb://{tmp_path}/online")
    sent = message("m1", 5, product_id="p1", user="ann") | {"traits": {"email": "ann@example.com"}}
    assert {key.split(":")[1] for key, _ in placed(sent)} == {"anonymous_id", "user_id", "email"}
    for _ in range(2):
        remember(store, placed(sent, message("m2", 4, product_id="p2", who="web-2")))
    mine = [("anonymous_id", "web-1"), ("anonymous_id", "web-2"), ("user_id", "ann")]
    found = recent_of(store, mine)
    assert len(found) == 2
    assert recent_behaviour(found, NOW).viewed_1h == ("p2", "p1")
    said = message("m0", 500) | {"context": {"consent": {"categoryPreferences": {"marketing": False}}}}
    remember(store, placed(said, *(message(f"v{n}", 400 - n, product_id=f"p{n}") for n in range(300))))
    behaviour = recent_behaviour(recent_of(store, mine[:1]), NOW)
    assert len(behaviour.viewed_7d) == MOST_ENTRIES
    assert behaviour.consent == {"marketing": False}, "no number of views pushes it out"
    store.close()


def test_on_a_shared_device_nobody_is_credited_with_what_another_did() -> None:
    device = {"context": {"device": {"id": "tv-1"}}}
    ann, bob = (
        message(f"m-{user}", 5, product_id=f"p-{user}", user=user, who=user) | device for user in ("ann", "bob")
    )
    nobody = message("m-nobody", 4, product_id="p-nobody", who="tv") | device
    seen = [entry for key, entry in placed(ann, bob, nobody) if key == "r:device_id:tv-1"]

    def viewed(identifiers: list[tuple[str, str]], entries: list[Entry] = seen) -> set[str]:
        return set(recent_behaviour(of_visitor(entries, identifiers), NOW).viewed_1h)

    assert viewed([("user_id", "ann"), ("device_id", "tv-1")]) == {"p-ann", "p-nobody"}
    assert viewed([("device_id", "tv-1")]) == {"p-nobody"}
    assert viewed([("device_id", "tv-1")], [e for e in seen if "bob" not in e.id]) == {"p-ann", "p-nobody"}


@pytest.mark.parametrize("sent", [
    None, [], "text", {}, {"messageId": "m"}, {"messageId": "m", "anonymousId": "null"}, {"anonymousId": "web-1"},
    {"messageId": {"a": 1}, "anonymousId": "web-1"}, {"messageId": "m" * 101, "anonymousId": "web-1"},
    {"messageId": "m", "anonymousId": "web-1", "type": 7, "properties": [], "context": "x", "traits": 1},
    {"messageId": "m", "anonymousId": "web-1", "type": "track", "event": "Product List Viewed"},
    {"messageId": "m", "anonymousId": "\ud800", "type": "track", "event": "Product Viewed"},
])  # fmt: skip
def test_what_says_nothing_adds_nothing(sent: Any) -> None:
    assert entries(sent, READER, arrived_at=NOW) == []


@pytest.mark.parametrize("price", [True, "x", -1, "1e999", None, {}, [], float("nan")])
def test_a_price_that_is_none_is_left_out(price: Any) -> None:
    ((_, entry),) = placed(message("m", 1, product_id="p", price=price, category="c"))
    assert json.loads(entry.value) == {"kind": "view", "product_id": "p", "category": "c"}


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{oops",
        b"[]",
        b"{}",
        b'{"kind":7}',
        b'{"kind":"view","product_id":[]}',
        b'{"kind":"tier"}',
        b'{"kind":"consent","purpose":"marketing"}',
    ],
)
def test_an_entry_that_cannot_be_read_is_passed_over(value: bytes) -> None:
    found = recent_behaviour([Entry(int(NOW.timestamp() * 1000), "x", value), Entry(2**53, "y", b"{}")], NOW)
    assert (found.viewed_7d, found.consent, found.loyalty_tier) == ((), {}, None)


EVENTS = st.sampled_from(["Product Viewed", "Product Added", "Product Removed", "Order Completed"])
VISITS = st.lists(
    st.tuples(EVENTS, st.integers(0, 2 * 24 * 60), st.sampled_from("abcd")), max_size=14, unique_by=lambda v: v[1]
)


@given(VISITS)
@settings(max_examples=60, deadline=None)
def test_equals_a_replay_one_by_one(visits: list[tuple[str, int, str]]) -> None:
    cart: list[str] = []
    viewed: list[str] = []
    for event, ago, product in sorted(visits, key=lambda visit: -visit[1]):
        if event == "Product Viewed" and ago < 60 * 24:
            viewed = [product, *(one for one in viewed if one != product)]
        elif event != "Product Viewed":
            cart = [one for one in cart if one != product]
            if event == "Product Added":
                cart.insert(0, product)
    found = told(*(message(f"m{n}", ago, event, product_id=p) for n, (event, ago, p) in enumerate(visits)))
    assert list(found.cart) == cart
    assert list(found.viewed_24h) == viewed


@given(VISITS, st.randoms(use_true_random=False), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_order_batching_repeats_and_spread_over_identifiers_do_not_matter(
    visits: list[tuple[str, int, str]], choose: Any, size: int
) -> None:
    sent = [message(f"m{n}", ago, event, product_id=p, who=f"web-{n % 3}") for n, (event, ago, p) in enumerate(visits)]
    expected = recent_behaviour([entry for _, entry in placed(*sent)], NOW)
    shuffled = [*sent, *sent[: len(sent) // 2]]
    choose.shuffle(shuffled)
    timelines: dict[str, dict[str, Entry]] = {}
    for start in range(0, len(shuffled), size):
        for key, entry in placed(*shuffled[start : start + size]):
            timelines.setdefault(key, {}).setdefault(entry.id, entry)
    keys = list(timelines)
    choose.shuffle(keys)
    assert recent_behaviour([entry for key in keys for entry in timelines[key].values()], NOW) == expected


def test_a_clock_ahead_counts_as_now() -> None:
    ahead = Entry(int(NOW.timestamp() * 1000) + 90_000, "m:view:0", b'{"kind":"view","product_id":"p"}')
    found = recent_behaviour([ahead], NOW)
    assert (found.viewed_1h, found.last_view_at, found.views_in_session) == (("p",), NOW, 1)
