import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lakehouse.demo.shop import DEFAULT_EVENTS, Shop, messages
from lakehouse.demo.shop.faults import FAULTS
from lakehouse.demo.shop.simulator import FAULTS_PER_KIND, ID_CONFLICT, Quota, _Stream
from lakehouse.demo.truth import Truth
from lakehouse.errors import SourceError


def by_id(run: Any) -> dict[str, list[bytes]]:
    """messageId -> bodies of accepted messages, in order of arrival."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for message in run.messages:
        if message.value and (message_id := message.value[14:50].decode("ascii", "replace")) in run.truth.unit_of:
            found[message_id].append(message.value)
    return found


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first, again, other = (list(Shop(3_000, seed).messages()) for seed in (5, 5, 6))
    assert first == again
    assert {m.value for m in first}.isdisjoint(
        {m.value for m in other} - {m.value for m in first if len(m.value or b"") < 20}
    )


def test_a_shop_can_be_run_again_and_starts_over() -> None:
    shop = Shop(1_000, seed=2)
    first, truth = list(shop.messages()), shop.truth
    assert list(shop.messages()) == first
    assert shop.truth == truth
    assert list(messages(1_000, 2)) == first


@pytest.mark.parametrize("n_events", [100, 499, 500, 1_234, 20_000])
def test_exactly_the_number_asked_for_comes_out(n_events: int) -> None:
    shop = Shop(n_events, seed=1)
    assert sum(1 for _ in shop.messages()) == n_events == shop.truth.produced


def test_too_few_events_are_refused_with_the_smallest_number_possible() -> None:
    with pytest.raises(SourceError, match="got 99, expected at least 100"):
        Shop(99)


def test_every_record_is_accepted_once_a_repeat_or_a_fault(full: Any) -> None:
    truth = full.truth
    assert len(full.messages) == DEFAULT_EVENTS
    assert len(truth.unit_of) + truth.duplicates + sum(truth.rejected().values()) == DEFAULT_EVENTS
    assert truth.duplicates == 1_000


def test_repeats_are_the_same_bytes_under_the_same_key(full: Any) -> None:
    copies = Counter((m.key, m.value) for m in full.messages if m.value is not None and len(m.value) > 20)
    assert sum(n - 1 for n in copies.values()) == full.truth.duplicates
    assert max(copies.values()) == 2


def test_conflicts_come_later_under_the_same_key_with_other_content(full: Any) -> None:
    bodies = by_id(full)
    position = {id(m.value): n for n, m in enumerate(full.messages)}
    for message_id in full.truth.faults[ID_CONFLICT].message_ids:
        original, other = bodies[message_id]
        assert original != other
        assert json.loads(other)["properties"].pop("revised") is True
        assert full.messages[position[id(original)]].key == full.messages[position[id(other)]].key
    assert len(full.truth.faults[ID_CONFLICT].message_ids) == FAULTS_PER_KIND


def test_every_kind_of_fault_is_planted_as_often_as_said(full: Any) -> None:
    assert {kind: fault.count for kind, fault in full.truth.faults.items()} == dict.fromkeys(
        [*FAULTS, ID_CONFLICT], FAULTS_PER_KIND
    )


def test_messages_come_in_order_of_arrival_but_not_of_occurrence(middle: Any) -> None:
    assert all(a.at <= b.at for a, b in pairwise(middle.messages))
    times = [middle.truth.occurred_at_ms[message_id] for message_id in by_id(middle)]
    assert sum(a > b for a, b in pairwise(times)) > 200


def test_records_of_the_same_millisecond_keep_the_order_they_were_sent_in() -> None:
    stream = _Stream(Random(0), Truth(seed=0), Quota(people=3, bots=0, repeats=0, faults_per_kind=0))
    for number, key in enumerate((b"z", b"a", b"m")):
        stream.take(5, key, f"body {number}".encode(), f"m{number}")
    assert list(stream.arrived(4)) == []
    assert [message.key for message in stream.arrived(5)] == [b"z", b"a", b"m"]


def test_events_stay_within_the_calendar_and_arrive_within_five_days(middle: Any) -> None:
    first = datetime(2026, 7, 3, 23, tzinfo=UTC).timestamp() * 1_000
    end = datetime(2026, 11, 1, tzinfo=UTC).timestamp() * 1_000
    arrival = {message_id: received_ms(bodies[0]) for message_id, bodies in by_id(middle).items()}
    occurred = middle.truth.occurred_at_ms
    assert all(first <= at < end for at in occurred.values())
    delays = [arrival[message_id] - occurred[message_id] for message_id in arrival]
    assert min(delays) > 0
    assert max(delays) <= 5 * 86_400_000
    assert sum(delay > 86_400_000 for delay in delays) > 40


def received_ms(body: bytes) -> float:
    return datetime.fromisoformat(json.loads(body)["receivedAt"]).timestamp() * 1_000


def test_segments_formula_recovers_the_true_time_of_every_skewed_clock(middle: Any) -> None:
    skewed = 0
    for message_id, bodies in by_id(middle).items():
        event = json.loads(bodies[0])
        received, sent, original = (
            datetime.fromisoformat(event[name]).timestamp() * 1_000
            for name in ("receivedAt", "sentAt", "originalTimestamp")
        )
        true = middle.truth.occurred_at_ms[message_id]
        if original > sent:  # planted: sent before it happened, which no formula can explain
            continue
        assert 0 <= received - (sent - original) - true < 1_000
        skewed += abs(original - true) > 60_000
    assert skewed > 400


def test_good_messages_are_json_objects_below_the_limit_of_size(middle: Any) -> None:
    for message_id, bodies in by_id(middle).items():
        event = json.loads(bodies[0])
        assert event["messageId"] == message_id
        assert event["type"] in {"track", "identify", "page", "screen", "group", "alias"}
        assert len(bodies[0]) < 8_192


def test_every_type_of_call_and_the_named_events_occur(middle: Any) -> None:
    seen: Counter[str] = Counter()
    for bodies in by_id(middle).values():
        event = json.loads(bodies[0])
        seen[event["event"] if event["type"] == "track" else event["type"]] += 1
    expected = {"identify", "page", "screen", "group", "alias", "Product Viewed", "Product Added", "Product Removed"}
    expected |= {"Checkout Started", "Coupon Entered", "Order Completed", "Order Refunded", "Products Searched"}
    assert set(seen) == expected | {"Support Contacted"}
    assert min(seen.values()) > 20


def test_the_bundle_of_the_truth_is_what_the_message_carries(middle: Any) -> None:
    for message_id, bodies in by_id(middle).items():
        event = json.loads(bodies[0])
        traits = event.get("traits", {}) | event["context"].get("traits", {})
        unit = middle.truth.units[middle.truth.unit_of[message_id]]
        user, email, phone, loyalty, device, anonymous = unit.bundle
        assert event.get("userId", "null") == (user or "null")
        assert traits.get("email", "").strip().lower() == (email or "")
        assert "".join(c for c in traits.get("phone", "") if c.isdigit())[-10:] == (phone or "")[2:]
        assert traits.get("loyalty_id") == loyalty
        assert event["context"].get("device", {}).get("id") == device
        assert (event.get("anonymousId") or event.get("previousId")) == anonymous


def test_orders_sum_to_the_truth_and_an_order_told_twice_counts_once(middle: Any) -> None:
    cents: dict[str, int] = {}
    told: Counter[str] = Counter()
    for bodies in by_id(middle).values():
        event = json.loads(bodies[0], parse_float=str)
        if event.get("event") == "Order Completed":
            properties = event["properties"]
            told[properties["order_id"]] += 1
            cents[properties["order_id"]] = int(properties["revenue"].replace(".", ""))
            lines = sum(int(p["price"].replace(".", "")) * p["quantity"] for p in properties["products"])
            assert lines - int(properties.get("discount", "0").replace(".", "")) == cents[properties["order_id"]]
    assert cents == {order_id: order.cents for order_id, order in middle.truth.orders.items()}
    assert sum(n == 2 for n in told.values()) > 10


def test_refunds_are_whole_or_part_of_an_order_and_never_more(middle: Any) -> None:
    refunds = {order_id: order for order_id, order in middle.truth.orders.items() if order.refunded_cents}
    assert all(order.refunded_cents <= order.cents for order in refunds.values())
    whole = 0
    for bodies in by_id(middle).values():
        event = json.loads(bodies[0], parse_float=str)
        if event.get("event") == "Order Refunded":
            order = refunds.pop(event["properties"]["order_id"])
            amount = event["properties"].get("revenue")
            whole += amount is None
            assert order.refunded_cents == (int(amount.replace(".", "")) if amount else order.cents)
    assert not refunds
    assert whole > 10


def test_the_truth_is_written_only_when_it_is_complete(tmp_path: Path) -> None:
    shop = Shop(200)
    stream = shop.messages()
    next(stream)
    with pytest.raises(SourceError, match="truth not complete"):
        shop.write_truth(tmp_path)
    list(stream)
    shop.write_truth(tmp_path)
    assert (tmp_path / "summary.json").is_file()
