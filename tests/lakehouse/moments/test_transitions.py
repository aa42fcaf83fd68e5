"""Moments as a pure function of facts: order, batches and replays do not matter; a controlled clock decides what is due."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.moments.definitions import Definition, Definitions
from lakehouse.moments.state import KEEP, Fact, VisitorState, union
from lakehouse.moments.transitions import Fired, fire, is_over, step, wake_at

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
T0 = 1_800_000_000_000
ANA = (("anonymous_id", "ana"),)
CART = {"name": "cart", "owner": "crm", "kind": "abandoned_cart", "after": "1 h", "destinations": ["crm"]}
BROWSE = CART | {"name": "browse", "kind": "abandoned_browse", "after": "30 min", "min_views": 3}
ENGAGED = CART | {"name": "engaged", "kind": "high_engagement", "after": "0 s", "window": "10 min", "min_views": 3}
FIRST = CART | {"name": "first", "kind": "first_purchase_follow_up", "after": "7 d"}
LAPSE = CART | {"name": "lapse", "kind": "lapse", "after": "60 d"}


def declared(*entries: dict[str, Any]) -> Definitions:
    return Definitions(all=tuple(Definition.model_validate(entry) for entry in entries))


def fact(minute: float, event: str, item: str | None = "p1", id_: str | None = None) -> Fact:
    at_ms = T0 + int(minute * MINUTE)
    return Fact(at_ms=at_ms, id=id_ or f"{event}-{minute}-{item}", event=event, item=item, who=ANA)


def after(facts: Sequence[Fact], definitions: Definitions) -> VisitorState:
    return step(VisitorState(), facts, definitions)[0]


def fired(state: VisitorState, definitions: Definitions, minute: float) -> Fired:
    return fire(state, definitions, T0 + int(minute * MINUTE), lambda one, found: True)


def name_of(found: Fired) -> str | None:
    return None if found.moment is None else found.moment.definition.name


def test_a_cart_is_abandoned_an_hour_after_the_last_change_and_not_a_millisecond_before() -> None:
    moments = declared(CART)
    state = after([fact(0, "Product Added"), fact(20, "Product Added", "p2")], moments)
    assert wake_at(state, moments) == T0 + 80 * MINUTE
    assert fire(state, moments, T0 + 80 * MINUTE - 1, lambda *_: True).moment is None
    found = fired(state, moments, 80)
    assert found.moment is not None
    assert (found.moment.items, found.moment.start_ms, found.moment.due_ms) == (("p2", "p1"), T0, T0 + 80 * MINUTE)


@pytest.mark.parametrize(
    ("then", "is_due"),
    [
        ([fact(30, "Order Completed", "o1")], False),
        ([fact(30, "Product Removed", "p1")], False),
        ([fact(30, "Product Removed", "p9")], True),
        ([fact(30, "Order Completed", "o1"), fact(31, "Product Added", "p3")], True),
        ([fact(30, "Product Viewed", "p1")], True),
    ],
)
def test_an_order_or_an_emptied_cart_ends_it(then: list[Fact], is_due: bool) -> None:
    moments = declared(CART)
    state = after([fact(0, "Product Added"), *then], moments)
    assert (name_of(fired(state, moments, 180)) == "cart") is is_due


def test_what_was_decided_is_not_decided_again_and_a_later_cart_is_another() -> None:
    moments = declared(CART)
    state = after([fact(0, "Product Added")], moments)
    first = fired(state, moments, 60)
    state = replace(state, done=first.decided)
    assert fired(state, moments, 61).moment is None
    state, _ = step(state, [fact(0, "Product Added")], moments)  # a replay
    assert fired(state, moments, 62).moment is None
    state, _ = step(state, [fact(90, "Product Added")], moments)
    second = fired(state, moments, 151)
    assert second.moment is not None
    assert first.moment is not None
    assert second.moment.decision_id != first.moment.decision_id


def test_not_again_within_is_kept() -> None:
    moments = declared(CART | {"not_again_within": "1 d"})
    state = after([fact(0, "Product Added")], moments)
    state = replace(state, done=fired(state, moments, 60).decided)
    state, _ = step(state, [fact(200, "Product Added", "p2")], moments)
    assert fired(state, moments, 261).moment is None
    state, _ = step(state, [fact(60 * 30, "Product Added", "p3")], moments)
    assert name_of(fired(state, moments, 60 * 31)) == "cart"


def test_browsing_needs_enough_views_and_no_cart() -> None:
    moments = declared(BROWSE)
    views = [fact(n, "Product Viewed", f"p{n}") for n in range(3)]
    assert fired(after(views[:2], moments), moments, 60).moment is None
    assert name_of(fired(after(views, moments), moments, 60)) == "browse"
    assert fired(after([*views, fact(3, "Product Added")], moments), moments, 60).moment is None


def test_engagement_is_due_at_once_by_the_views_within_the_window_only() -> None:
    moments = declared(ENGAGED)
    assert fired(after([fact(n, "Product Viewed") for n in (0, 9, 18)], moments), moments, 18).moment is None
    state = after([fact(n, "Product Viewed") for n in (0, 9, 9.5, 9.8)], moments)
    found = fired(state, moments, 10)
    assert found.moment is not None
    assert found.moment.due_ms == T0 + int(9.5 * MINUTE)
    state = replace(state, done=found.decided)
    assert fired(state, moments, 11).moment is None  # one view is left after those that were decided on
    state, _ = step(state, [fact(12, "Product Viewed"), fact(13, "Product Viewed")], moments)
    assert name_of(fired(state, moments, 13)) == "engaged"


def test_the_first_purchase_counts_once_ever_and_a_refund_ends_it() -> None:
    moments = declared(FIRST)
    orders = [fact(n * 60, "Order Completed", f"o{n}") for n in range(KEEP + 5)]
    state = after(orders, moments)
    found = fired(state, moments, 7 * 24 * 60)
    assert found.moment is not None
    assert found.moment.start_ms == T0  # although more orders came than are kept
    assert fired(replace(state, done=found.decided), moments, 8 * 24 * 60).moment is None
    refunded = after([orders[0], fact(5, "Order Refunded", "o0")], moments)
    assert fired(refunded, moments, 7 * 24 * 60).moment is None


def test_a_lapse_is_counted_from_the_last_order() -> None:
    moments = declared(LAPSE)
    day = 24 * 60
    state = after([fact(0, "Order Completed", "o1"), fact(30 * day, "Order Completed", "o2")], moments)
    assert fired(state, moments, 60 * day).moment is None
    assert name_of(fired(state, moments, 90 * day)) == "lapse"


def test_of_several_due_at_once_a_person_hears_the_strongest_and_the_others_are_over() -> None:
    moments = declared(CART | {"priority": 9}, BROWSE | {"cancelled_by": []})
    state = after([*(fact(n, "Product Viewed", f"p{n}") for n in range(3)), fact(3, "Product Added")], moments)
    found = fired(state, moments, 120)
    assert name_of(found) == "cart"
    assert set(found.decided) == {"cart", "browse"}


def test_a_clock_that_stood_still_or_jumped_ahead_sends_nothing_stale() -> None:
    moments = declared(CART | {"valid_for": "2 h"})
    state = after([fact(0, "Product Added")], moments)
    late = fired(state, moments, 60 + 121)
    assert late.moment is None
    assert set(late.decided) == {"cart"}
    assert name_of(fired(state, moments, 60 + 120)) == "cart"


def test_a_clock_set_back_sends_nothing_before_its_time_and_nothing_twice() -> None:
    moments = declared(CART)
    state = after([fact(0, "Product Added")], moments)
    assert fired(state, moments, -600).moment is None
    state = replace(state, done=fired(state, moments, 61).decided)
    assert fired(state, moments, -600).moment is None
    assert fired(state, moments, 62).moment is None


def test_validity_of_the_definition_is_that_of_the_time_it_is_due() -> None:
    moments = declared(CART | {"valid_to": "2020-01-01T00:00:00Z"})
    assert fired(after([fact(0, "Product Added")], moments), moments, 61).moment is None


def test_a_timer_is_set_only_when_it_is_earlier_and_a_visitor_is_over_at_the_end() -> None:
    moments = declared(CART, LAPSE)
    state, wake = step(VisitorState(), [fact(0, "Product Added")], moments)
    assert wake == T0 + HOUR
    state, wake = step(state, [fact(5, "Product Added")], moments)
    assert wake is None  # the timer that is set looks, and sets the next
    state, wake = step(state, [fact(-20, "Product Added", "late"), fact(-10, "Order Completed")], moments)
    assert wake is None
    assert not is_over(state, moments, T0 + 5 * MINUTE + moments.keep_ms - 1)
    assert is_over(state, moments, T0 + 5 * MINUTE + moments.keep_ms)


def facts_strategy() -> st.SearchStrategy[list[Fact]]:
    events = ("Product Viewed", "Product Added", "Product Removed", "Order Completed", "Order Refunded", "Other")
    one = st.builds(
        lambda minute, event, item, id_: fact(minute, event, item, id_),
        st.integers(0, 600),
        st.sampled_from(events),
        st.sampled_from(["p1", "p2", None]),
        st.integers(0, 60).map(str),
    )
    return st.lists(one, max_size=60, unique_by=lambda each: each.id)  # an id is one fact


@settings(max_examples=150, deadline=None)
@given(facts_strategy(), st.randoms(use_true_random=False), st.integers(0, 900))
def test_neither_order_nor_batches_nor_replays_nor_identifiers_matter(
    facts: list[Fact], random_: random.Random, minute: int
) -> None:
    moments = declared(CART, BROWSE, ENGAGED, FIRST, LAPSE)
    expected = after(facts, moments)
    shuffled = [*facts, *random_.sample(facts, len(facts) // 2)]
    random_.shuffle(shuffled)
    state, other = VisitorState(), VisitorState()
    for batch in batches(shuffled, random_):
        if random_.random() < 0.5:
            state, _ = step(state, batch, moments)
        else:
            other, _ = step(other, batch, moments)
    merged = union([state, other])
    assert (merged.facts, merged.first_order) == (expected.facts, expected.first_order)
    assert fired(merged, moments, minute) == fired(expected, moments, minute)
    assert VisitorState.decode(expected.encode()) == expected
    assert len(expected.facts) <= KEEP * len(moments.events)


def batches(facts: Sequence[Fact], random_: random.Random) -> Iterator[Sequence[Fact]]:
    start = 0
    while start < len(facts):
        size = random_.randint(1, 7)
        yield facts[start : start + size]
        start += size


@settings(max_examples=150, deadline=None)
@given(facts_strategy())
def test_the_cart_is_what_a_plain_reading_of_the_facts_says(facts: list[Fact]) -> None:
    moments = declared(CART | {"valid_for": "400 d"})
    known = [one for one in facts if one.event in moments.events]
    earliest = {one.id: min((other for other in known if other.id == one.id), key=key_of) for one in known}
    ordered = sorted(earliest.values(), key=key_of)
    cart: list[str] = []
    last: Fact | None = None
    for one in ordered:
        if one.event == "Order Completed":
            cart, last = [], None
        elif one.event in ("Product Added", "Product Removed"):
            if last is not None and one.at_ms - last.at_ms >= HOUR:
                cart = []
            last = one
            cart = [item for item in cart if item != (one.item or "")]
            cart += [one.item or ""] if one.event == "Product Added" else []
            last = last if cart else None
    found = fired(after(facts, moments), moments, 100_000).moment
    assert (found is not None) == (last is not None)
    if found is not None and last is not None:
        assert found.due_ms == last.at_ms + HOUR
        assert list(found.items) == [item for item in reversed(cart) if item]


def key_of(one: Fact) -> Any:
    return (one.order, one.event, one.item or "", one.who)


def test_of_more_facts_than_are_kept_the_newest_count() -> None:
    moments = declared(CART)
    state = after([fact(n, "Product Added", f"p{n}") for n in range(KEEP + 10)], moments)
    found = fired(state, moments, KEEP + 10 + 60)
    assert found.moment is not None
    assert found.moment.items == tuple(f"p{n}" for n in reversed(range(10, KEEP + 10)))
