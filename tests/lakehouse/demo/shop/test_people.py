import json
from collections import Counter, defaultdict
from itertools import islice
from statistics import mean, median
from typing import Any

from lakehouse.demo.shop.clock import DAY_MS, DAYS, HOLIDAY_SALE, START_MS
from lakehouse.demo.shop.people import BEHAVIOURS, people


def orders_of(run: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for order in run.truth.orders.values():
        found[order.person_id].append(order)
    return found


def figures(run: Any, behaviour: str) -> tuple[float, float, float, int]:
    """Mean orders, mean net dollars, median days since the last order, people; of those who bought."""
    bought = [orders for person, orders in orders_of(run).items() if run.truth.behaviours[person] == behaviour]
    money = [sum(o.cents - o.refunded_cents for o in orders) / 100 for orders in bought]
    last = [DAYS - (max(o.ordered_at_ms for o in orders) - START_MS) / DAY_MS for orders in bought]
    return mean(map(len, bought)), mean(money), median(last), len(bought)


def test_person_n_is_the_same_however_many_are_asked_for() -> None:
    assert list(islice(people(3), 50)) == list(islice(people(3), 80))[:50]


def test_no_two_people_have_an_identifier_in_common_but_as_planned() -> None:
    crowd = list(islice(people(7), 5_000))
    for name in ("user_id", "email", "loyalty_id"):
        values = [value for person in crowd if (value := getattr(person, name)) is not None]
        assert len(set(values)) == len(values)
    assert sum(n > 1 for n in Counter(person.phone for person in crowd).values()) in range(20, 60)
    assert sum(person.typed_email != person.email for person in crowd) == 4
    owners = Counter(id(person.shared) for person in crowd if person.shared)
    assert Counter(owners.values()) == {2: 125, 1: 5}


def test_shares_add_up_to_all_people() -> None:
    assert abs(sum(behaviour.share for behaviour in BEHAVIOURS) - 1) < 1e-9


def test_loyal_people_buy_often_spend_most_and_bought_lately(full: Any) -> None:
    loyal, lapsing, bargain, one_time = (figures(full, name) for name in ("loyal", "lapsing", "bargain", "one_time"))
    assert loyal[0] > 1.4 * lapsing[0]
    assert loyal[0] > 5 * one_time[0]
    assert loyal[1] > 2 * lapsing[1]
    assert lapsing[1] > 2 * bargain[1]
    assert loyal[2] < 12 < bargain[2] < 25 < 45 < lapsing[2]
    assert min(loyal[3], lapsing[3], bargain[3], one_time[3]) > 200


def test_browsers_bots_and_visitors_never_buy(full: Any) -> None:
    buyers = {full.truth.behaviours[person] for person in orders_of(full)}
    assert buyers == {"loyal", "lapsing", "bargain", "one_time"}


def test_bargain_hunters_use_coupons_and_others_seldom(full: Any) -> None:
    with_coupon: dict[str, list[bool]] = defaultdict(list)
    for message in full.messages:
        if message.value and b'"event":"Order Completed"' in message.value and b'"messageId"' in message.value:
            event = json.loads(message.value)
            if event["messageId"] in full.truth.unit_of:
                person = full.truth.units[full.truth.unit_of[event["messageId"]]].person_id
                with_coupon[full.truth.behaviours[person]].append("coupon" in event["properties"])
    share = {behaviour: mean(used) for behaviour, used in with_coupon.items()}
    assert share["bargain"] > 0.8
    assert max(share["loyal"], share["lapsing"], share["one_time"]) < 0.25


def test_orders_peak_in_the_holiday_sale_and_at_weekends(full: Any) -> None:
    days = Counter((order.ordered_at_ms - START_MS) // DAY_MS for order in full.truth.orders.values())
    usual = median(days[day] for day in range(DAYS))
    assert mean(days[day] for day in HOLIDAY_SALE) > 1.3 * usual
    weekend = mean(days[day] for day in range(DAYS) if day % 7 in (0, 1))  # day 0 is a Saturday
    working = mean(days[day] for day in range(DAYS) if day % 7 in (2, 3, 4, 5))
    assert weekend > 1.15 * working


def test_the_next_thirty_days_are_predictable_from_recency_but_not_certain(full: Any) -> None:
    cut = START_MS + 90 * DAY_MS
    recency: dict[bool, list[int]] = {True: [], False: []}
    for orders in orders_of(full).values():
        past = [order.ordered_at_ms for order in orders if order.ordered_at_ms < cut]
        if past:
            buys = any(cut <= order.ordered_at_ms < cut + 30 * DAY_MS for order in orders)
            recency[buys].append(cut - max(past))
    wins = sum((a < b) + 0.5 * (a == b) for a in recency[True] for b in recency[False])
    area_under_roc = wins / (len(recency[True]) * len(recency[False]))
    assert 0.75 < area_under_roc < 0.95
