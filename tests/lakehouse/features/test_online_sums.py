"""What documents carry: of each profile the days that can still leave a window, the rest in one."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from lakehouse.features.definition import DAY, Features
from lakehouse.features.online_sums import Carried, carried, online_sums
from tests import feature_oracle as oracle

AS_OF = datetime(2026, 1, 31, 15, tzinfo=UTC)
TODAY = 20_484  # days from 1970 to 2026-01-31


def declared(folder: Path, *entries: dict[str, Any]) -> Features:
    return oracle.declared(folder, [{"description": "d", "online": True, **entry} for entry in entries])


def summed(name: str, actor: str, day: int, **fields: Any) -> dict[str, Any]:
    """A row of silver.feature_days with one partial sum of one event on that day of January."""
    at = datetime(2026, 1, day, tzinfo=UTC)
    own = {"name": name, "at": at, "events": 1, "values": 0, "last_at": at.replace(hour=9)}
    return {"actor_id": actor, "activity_date": date(2026, 1, day), "partials": [own | fields]}


def days(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=oracle.FEATURE_DAYS)


def seen(hour: int, message: str, text: str) -> dict[str, Any]:
    return {
        "at": datetime(2026, 1, 30, hour, tzinfo=UTC),
        "message_id": message,
        "line": 0,
        "number": None,
        "text": text,
    }


def test_what_is_older_than_the_longest_window_is_one_sum(tmp_path: Path) -> None:
    features = declared(
        tmp_path,
        {"name": "week", "aggregation": "count", "window": "7 d"},
        {"name": "two", "aggregation": "count", "window": "2 d"},
        {"name": "ever", "aggregation": "days_since"},
    )
    (partial,) = features.partials
    kinds = carried(features)
    assert kinds == {partial.name: Carried(grain=DAY, buckets=7, fields=frozenset({"events", "last_at"}))}
    rows = [
        summed(partial.name, actor, day)
        for actor, day in (("a", 3), ("a", 9), ("b", 9), ("a", 25), ("b", 25), ("a", 31))
    ]
    rows.append(summed(partial.name, "of somebody else", 31))
    told = online_sums(days(*rows), {"a": "p", "b": "p"}, {"p": AS_OF, "nobody": AS_OF}, kinds)
    assert told["p"][partial.name]["at"] == [TODAY - 7, TODAY - 6, TODAY]
    assert told["p"][partial.name]["events"] == [3, 2, 1]
    assert told["nobody"] == {partial.name: {}}


def test_the_first_is_that_of_whichever_actor_came_first(tmp_path: Path) -> None:
    features = declared(
        tmp_path,
        {"name": "one", "aggregation": "first", "value": "coupon", "window": "7 d"},
        {"name": "other", "aggregation": "last", "value": "coupon", "window": "7 d"},
    )
    (partial,) = features.partials
    rows = [
        summed(partial.name, "a", 30, first=seen(9, "m2", "late"), last=seen(11, "m7", "second")),
        summed(partial.name, "b", 30, first=seen(9, "m1", "early"), last=seen(11, "m8", "third")),
        summed(partial.name, "b", 31),
    ]
    told = online_sums(days(*rows), {"a": "p", "b": "p"}, {"p": AS_OF}, carried(features))["p"][partial.name]
    assert online_sums(days(summed("of no feature", "a", 30)), {"a": "p"}, {"p": AS_OF}, carried(features)) == {
        "p": {partial.name: {}}
    }
    assert told["first"] == [[TODAY - 1], ["early"]]
    assert told["last"] == [[TODAY - 1], ["third"]]
    assert told["at"] == [TODAY - 1, TODAY]


def test_a_ratio_carries_what_it_divides_and_the_rest_is_not_carried(tmp_path: Path) -> None:
    features = declared(
        tmp_path,
        {"name": "spent", "aggregation": "sum", "value": "amount", "online": False},
        {"name": "orders", "aggregation": "count", "where": "order_id IS NOT NULL", "online": False},
        {"name": "mean", "aggregation": "ratio", "numerator": "spent", "denominator": "orders"},
        {"name": "lonely", "aggregation": "count", "where": "coupon IS NOT NULL", "online": False},
    )
    spent, orders, lonely = (str(features.by_name[name].partial) for name in ("spent", "orders", "lonely"))
    assert carried(features).keys() == {spent, orders}
    rows = [summed(spent, "a", 30, values=1, total=Decimal("12.5")), summed(lonely, "a", 30)]
    told = online_sums(days(*rows), {"a": "p"}, {"p": AS_OF}, carried(features))["p"]
    assert told == {spent: {"n": 0, "at": [TODAY], "total": [125_000_000_000]}, orders: {}}
    large = online_sums(
        days(summed(spent, "a", 30, total=Decimal(10**15))), {"a": "p"}, {"p": AS_OF}, carried(features)
    )
    assert large["p"][spent]["total"] == [str(10**25)]


def test_sums_that_do_not_hold_all_of_history_are_not_carried(tmp_path: Path) -> None:
    features = declared(tmp_path, {"name": "ever", "aggregation": "count"})
    (partial,) = features.partials
    assert carried(replace(features, unfilled=frozenset({partial.name}))) == {}
