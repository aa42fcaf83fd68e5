"""A lake's experiments: every figure of every person against loops over the same rows, and what the log and the plan say of them."""

import dataclasses
import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lakehouse.commands import experiments as command
from lakehouse.decisions.decision_record import DecisionRecord, decision_message, exposure_messages
from lakehouse.errors import ConfigError, StitchlakeError
from lakehouse.experiments.definitions import Experiments, read_experiments
from lakehouse.experiments.lake_history import histories
from lakehouse.experiments.lake_readout import measure, results_of, with_segment
from lakehouse.experiments.metric_sources import check_metrics
from lakehouse.experiments.metrics import BEFORE, Metric
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold import GOLD_SCORES, GOLD_SEGMENTS
from lakehouse.profiles.silver import SILVER_ACTIVITY_DAILY, SILVER_ORDERS
from lakehouse.tables.contract import Table
from lakehouse.tables.decisions import SILVER_DECISION_LOG
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_MAP
from tests.rows import completed
from tests.small_lake import copy_empty_tables

EXPOSED, DAY = datetime(2026, 3, 10, 12, tzinfo=UTC), timedelta(days=1)
PEOPLE, WINDOW, BACK = 240, 7, 14
DECLARED = """
holdout: {share: 0.5, metrics: [orders], window_days: 7, valid_from: 2026-03-09}
metrics:
  - {name: buys, table: silver.orders, aggregate: any}
  - {name: orders, table: silver.orders, aggregate: count}
  - {name: revenue, table: silver.orders, aggregate: sum, column: revenue}
  - {name: order_value, numerator: revenue, denominator: orders}
  - {name: median_order, table: silver.orders, aggregate: quantile, column: revenue, quantile: 0.5}
  - {name: visits, table: silver.activity_daily, aggregate: count}
  - {name: views, table: silver.activity_daily, aggregate: sum, column: view_count}
  - {name: searches, table: silver.events, aggregate: count, where: {event: Products Searched}}
  - {name: worth, table: gold.scores, aggregate: sum, column: clv}
experiments:
  - name: try
    owner: x
    layer: l
    buckets: [0, 10000]
    arms: [{name: old}, {name: new}]
    baseline: old
    metrics: [buys, orders, revenue, order_value, median_order, visits, views, searches, worth, clicked]
    primary: [revenue, orders]
    window_days: 7
    before_days: 14
"""


def exposed_at(number: int) -> datetime:
    return EXPOSED + timedelta(hours=7 * (number % 50))


def moments_around(rng: np.random.Generator, number: int, most: int) -> list[datetime]:
    """Times of a person, some of them at the very edges of what counts."""
    at = exposed_at(number)
    edges = [
        at,
        at + WINDOW * DAY,
        at - BACK * DAY,
        at - timedelta(microseconds=1),
        at + WINDOW * DAY - timedelta(microseconds=1),
    ]
    times = [at + float(rng.uniform(-20, 12)) * DAY for _ in range(int(rng.integers(0, most)))]
    return times + ([edges[number % 5]] if number % 3 == 0 else [])


@functools.cache
def rows_of() -> dict[str, list[dict[str, Any]]]:
    """Rows by table; a person has two actors, what they did is split among them."""
    rng = np.random.default_rng(1)
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("orders", "activity", "events", "scores", "segments")
    }
    for number in range(PEOPLE):
        person = f"p{number}"
        for at in moments_around(rng, number, 5):
            actor, revenue = str(rng.choice([person, f"{person}-b"])), Decimal(str(round(float(rng.gamma(2, 20)), 2)))
            order = {"order_id": f"o{len(rows['orders'])}", "actor_id": actor, "ordered_at": at, "revenue": revenue}
            rows["orders"].append({**order, "buyers": 1, "statements": [], "refunds": []})
        for day in sorted({at.date() for at in moments_around(rng, number, 12)}):
            at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=9)
            views = int(rng.integers(0, 9))
            rows["activity"].append(
                {"actor_id": person, "activity_date": day, "view_count": views, "first_at": at, "last_at": at}
            )
        for at in moments_around(rng, number, 6):
            event = str(rng.choice(["Products Searched", "Product Viewed"]))
            said = {
                "message_id": f"m{len(rows['events'])}",
                "actor_id": f"{person}-b",
                "occurred_at": at,
                "event": event,
            }
            rows["events"].append({**said, "type": "track", "is_bot": bool(rng.random() < 0.2)})
        if number % 2:
            rows["scores"].append({"profile_id": person, "clv": float(number), "model_version": "1", "as_of": EXPOSED})
        begin = exposed_at(number) + (number % 3 - 1) * DAY
        rows["segments"].append({"profile_id": person, "segment": "loyal", "model_version": "1", "valid_from": begin})
    return rows


def log_rows() -> list[dict[str, Any]]:
    """Everybody decided on and shown something; ann, of two names, in two arms before they were known for one person."""
    names = [(f"p{number}", number, ("old", "new")[number % 2]) for number in range(PEOPLE)]
    names += [("anonymous_id:cookie", 0, "old"), ("anonymous_id:ann-1", 0, "old"), ("anonymous_id:ann-2", 1, "new")]
    rows = []
    for unit, number, arm in names:
        at_ms = int(exposed_at(number).timestamp() * 1000)
        record = DecisionRecord(
            **{"decision_id": f"d-{unit}", "kind": "offer", "unit": unit, "at_ms": at_ms - 1000, "action": "gift"},
            **{"propensity": 1.0, "is_forced": False, "policy": "p", "policy_version": "1", "shown_on": None},
            experiments={"try": arm, "holdout": ("served", "held_out")[number % 4 // 2]},
        )
        early = dataclasses.replace(
            record, decision_id=f"e-{unit}", at_ms=at_ms - 30 * 86_400_000, experiments={"holdout": "served"}
        )
        rows += [decision_message(early, []), decision_message(record, ["gift"]), *exposure_messages(record, at_ms)]
    times = [datetime.fromtimestamp(row["occurred_at"] / 1000, UTC) for row in rows]
    return [{**row, "occurred_at": at, "logged_at": EXPOSED} for row, at in zip(rows, times, strict=True)]


def identity_rows() -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    actors = {f"p{number}{half}": f"p{number}" for number in range(PEOPLE) for half in ("", "-b")}
    actors |= {"ann": "ann", "ann-late": "ann"}
    mapped = [{"actor_id": actor, "profile_id": profile, "component_id": profile} for actor, profile in actors.items()]
    edges = [
        {
            "actor_id": actor,
            "identifier_type": "anonymous_id",
            "identifier_token": token,
            "kind": "deterministic",
            "weight": 0.0,
        }
        for actor, token in (("ann", "ann-1"), ("ann-late", "ann-2"))
    ]
    became = EXPOSED + 20 * DAY
    history = [
        {"actor_id": "ann", "profile_id": "ann", "valid_from": EXPOSED - DAY},
        {"actor_id": "ann-late", "profile_id": "ann-late", "valid_from": EXPOSED - DAY, "valid_to": became},
        {"actor_id": "ann-late", "profile_id": "ann", "valid_from": became},
    ]
    seen = {"first_seen_at": EXPOSED, "resolved_at": EXPOSED}
    return [{**row, **seen} for row in mapped], [{**row, **seen} for row in edges], history


def fill(lake: Lake, table: Table, rows: list[dict[str, Any]]) -> None:
    types = {column.name: column.type for column in table.columns}
    names = [name for name in table.column_names if any(name in row for row in rows)]
    values = [tuple(row.get(name) for name in names) for row in rows]
    given = lake.spark.createDataFrame(values, ", ".join(f"{name} {types[name]}" for name in names))
    whole = completed(given, table).select(*table.column_names)
    lake.overwrite(lake.spark.createDataFrame(whole.rdd, table.ddl), table)


@pytest.fixture(scope="module")
def filled(new_lake: Callable[[str], Lake]) -> Lake:
    lake = new_lake("experiments")
    copy_empty_tables(lake)
    rows, (mapped, edges, history) = rows_of(), identity_rows()
    for table, of_table in (
        (SILVER_ORDERS, rows["orders"]),
        (SILVER_ACTIVITY_DAILY, rows["activity"]),
        (SILVER_EVENTS, rows["events"]),
        (GOLD_SCORES, rows["scores"]),
        (GOLD_SEGMENTS, rows["segments"]),
        (SILVER_DECISION_LOG, log_rows()),
        (SILVER_IDENTITY_MAP, mapped),
        (SILVER_IDENTITY_EDGES, edges),
        (SILVER_IDENTITY_HISTORY, history),
    ):
        fill(lake, table, of_table)
    return lake


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Experiments:
    path = tmp_path_factory.mktemp("conf") / "experiments.yaml"
    path.write_text(DECLARED)
    return read_experiments(path)


@functools.cache
def by_hand(number: int) -> dict[str, Any]:
    """What one person did, by loops over the rows."""
    rows, at = rows_of(), exposed_at(number)
    own = (f"p{number}", f"p{number}-b")
    found: dict[str, Any] = {}
    for prefix, begin, end in (("", at, at + WINDOW * DAY), (BEFORE, at - BACK * DAY, at)):
        orders = [row for row in rows["orders"] if row["actor_id"] in own and begin <= row["ordered_at"] < end]
        found |= {f"{prefix}orders": len(orders), f"{prefix}buys": int(bool(orders))}
        found[f"{prefix}revenue"] = float(sum(row["revenue"] for row in orders))
        events = [row for row in rows["events"] if row["actor_id"] in own and begin <= row["occurred_at"] < end]
        found[f"{prefix}searches"] = sum(row["event"] == "Products Searched" and not row["is_bot"] for row in events)
        if not prefix:
            found["median_order"] = sorted(float(row["revenue"]) for row in orders)
    for prefix, first, last in (("", 1, WINDOW), (BEFORE, -BACK, -1)):
        days = [
            row
            for row in rows["activity"]
            if row["actor_id"] in own and first <= (row["activity_date"] - at.date()).days <= last
        ]
        found |= {f"{prefix}visits": len(days), f"{prefix}views": sum(row["view_count"] for row in days)}
    return found | {"worth": float(number) if number % 2 else 0.0}


def people() -> pd.DataFrame:
    numbers = range(PEOPLE)
    return pd.DataFrame({"unit": [f"p{n}" for n in numbers], "occurred_at": [exposed_at(n) for n in numbers]})


def test_every_metric_of_every_person_is_what_their_rows_say(filled: Lake, declared: Experiments) -> None:
    nobody = pd.DataFrame({"unit": ["anonymous_id:cookie"], "occurred_at": [EXPOSED]})
    found = measure(filled, pd.concat([people(), nobody]), declared.by_name["try"], declared).units.set_index("unit")
    assert len(found) == PEOPLE + 1
    for number in range(PEOPLE):
        row = found.loc[f"p{number}"].to_dict()
        hand, baskets = dict(by_hand(number)), sorted(row.pop("median_order"))  # in whatever order Spark collects them
        assert baskets == pytest.approx(hand.pop("median_order")), number
        assert row == pytest.approx(hand), number
    cookie = found.loc["anonymous_id:cookie"].to_dict()
    assert list(cookie.pop("median_order")) == []
    assert set(cookie.values()) == {0.0}


def test_the_read_out_is_of_the_exposed_and_says_what_decides(filled: Lake, declared: Experiments) -> None:
    rows = results_of(filled, declared, as_of=EXPOSED)
    tried = {row["metric"]: row for row in rows if row["experiment"] == "try"}
    hand = {arm: [by_hand(n) for n in range(PEOPLE) if n % 2 == side] for side, arm in enumerate(("old", "new"))}
    hand["old"].append(dict.fromkeys(hand["old"][0], 0) | {"median_order": []})  # the cookie without a profile
    for metric in ("buys", "orders", "revenue", "visits", "views", "searches", "worth"):
        means = [np.mean([person[metric] for person in hand[arm]]) for arm in ("new", "old")]
        assert (tried[metric]["mean"], tried[metric]["baseline_mean"]) == pytest.approx(tuple(means)), metric
    sums = {name: sum(person[name] for person in hand["new"]) for name in ("revenue", "orders")}
    assert tried["order_value"]["mean"] == pytest.approx(sums["revenue"] / sums["orders"])
    baskets = sorted(value for person in hand["new"] for value in person["median_order"])
    assert tried["median_order"]["mean"] == pytest.approx(baskets[(len(baskets) + 1) // 2 - 1])
    assert tried["clicked"]["mean"] == 0
    assert {name for name, row in tried.items() if row["role"] == "primary"} == {"revenue", "orders"}
    assert {row["units"] for row in tried.values()} == {PEOPLE // 2}
    assert {(row["excluded_units"], row["is_blocked"]) for row in tried.values()} == {
        (1, False)
    }  # ann was not known for one


def test_the_holdout_is_read_out_by_who_was_decided_on_since_it_is_as_it_is(
    filled: Lake, declared: Experiments
) -> None:
    (row,) = (row for row in results_of(filled, declared, as_of=EXPOSED) if row["experiment"] == "holdout")
    sides = [{number for number in range(PEOPLE) if number % 4 // 2 == side} for side in (0, 1)]
    assert (row["arm"], row["baseline"], row["metric"]) == ("served", "held_out", "orders")
    assert (row["units"], row["baseline_units"]) == (len(sides[0]) + 2, len(sides[1]))  # the cookie and ann
    assert row["baseline_mean"] == pytest.approx(np.mean([by_hand(number)["orders"] for number in sides[1]]))


def test_a_segment_is_that_of_the_time_of_the_exposure(filled: Lake, declared: Experiments) -> None:
    measured = measure(filled, people(), declared.by_name["try"], declared)
    found = with_segment(filled, measured, people()).units.set_index("unit")["segment"]
    assert found.isna().sum() == sum(number % 3 == 2 for number in range(PEOPLE))


def test_what_is_planned_with_is_what_would_be_read(
    filled: Lake,
    declared: Experiments,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    judged = declared.by_name["try"].model_copy(update={"metrics": ("orders", "order_value"), "primary": ()})
    orders, value = histories(filled, judged, declared, days=7)
    newest = max(row["activity_date"] for row in rows_of()["activity"])
    first = newest - (WINDOW + 7) * DAY
    came: dict[str, datetime] = {}
    for row in rows_of()["activity"]:
        if first <= row["activity_date"] < first + 7 * DAY:
            came[row["actor_id"]] = min(row["first_at"], came.get(row["actor_id"], row["first_at"]))
    counts = [
        sum(
            row["actor_id"] in (person, f"{person}-b") and at <= row["ordered_at"] < at + WINDOW * DAY
            for row in rows_of()["orders"]
        )
        for person, at in came.items()
    ]
    assert (orders.people, orders.value) == (len(came), pytest.approx(np.mean(counts)))
    assert orders.variance == pytest.approx(np.var(counts, ddof=1))
    assert orders.variance_left <= orders.variance
    assert value.value > 0
    (tmp_path / "experiments.yaml").write_text(DECLARED)
    monkeypatch.setattr(command, "EXPERIMENTS", tmp_path / "experiments.yaml")
    monkeypatch.setattr(command, "load", lambda: filled.config)
    command.main(["plan", "--experiment", "try", "--effect", "0.1", "--days", "7"])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    of_orders = next(fact for fact in told["metrics"] if fact["metric"] == "orders")
    assert of_orders["people_a_day_per_arm"] == pytest.approx(len(came) / 7 / 2)
    assert of_orders["effect"] == pytest.approx(0.1 * orders.value)
    assert of_orders["people_per_arm"]["any_time"] > of_orders["people_per_arm"]["once"] > 0
    assert told["primary"] == 2
    with pytest.raises(StitchlakeError, match=r"--metric: got clicked, expected declared metrics"):
        command.main(["plan", "--metric", "clicked"])
    with pytest.raises(StitchlakeError, match=r"got a history of \d+ days, expected 300 \(--days\) and 14"):
        command.main(["plan", "--metric", "orders", "--days", "300"])


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"table": "silver.secrets", "aggregate": "count"}, "table: got silver.secrets, expected one of silver.orders"),
        ({"table": "silver.orders", "aggregate": "sum", "column": "price"}, "silver.orders has no column 'price'"),
        ({"table": "silver.orders", "aggregate": "count", "where": {"1=1 --": "x"}}, "has no column '1=1 --'"),
        (
            {"table": "silver.orders", "aggregate": "sum", "column": "order_id"},
            "got order_id (string), expected a number",
        ),
    ],
)
def test_a_metric_of_what_is_not_there_is_told_before_anything_is_read(entry: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_metrics([Metric(name="m", **entry)])
    assert told in str(caught.value)
