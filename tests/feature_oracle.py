"""Declared features by brute force: DuckDB over raw events, one query a feature, and nothing of ours but the declarations.

Events, and declarations of every aggregation, are drawn at random from a seed.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import yaml

from lakehouse.events.declared_properties import DeclaredProperty
from lakehouse.feature_book.book import read_features
from lakehouse.features.definition import Features

PROPERTIES = (
    DeclaredProperty(name="size", type="string", description="size"),
    DeclaredProperty(name="rating", type="number", description="stars, 0 to 5"),
)
EXTRA = (
    "coupon string, channel string, p_size string, p_rating decimal(38,10)"  # of silver.events, beside what a leaf has
)
_TIME = pa.timestamp("us", tz="UTC")
_SEEN = pa.struct(
    {"at": _TIME, "message_id": pa.string(), "line": pa.int32(), "number": pa.float64(), "text": pa.string()}
)
_COUNT = pa.struct({"hash": pa.int64(), "value": pa.string(), "count": pa.int64()})
_PARTIAL = pa.struct(
    {"name": pa.string(), "at": _TIME, "events": pa.int64(), "values": pa.int64(), "total": pa.decimal128(38, 10)}
    | {
        "least": pa.float64(),
        "most": pa.float64(),
        "first": _SEEN,
        "last": _SEEN,
        "last_at": _TIME,
        "counts": pa.list_(_COUNT),
    }
)
FEATURE_DAYS = pa.schema({"actor_id": pa.string(), "activity_date": pa.date32(), "partials": pa.list_(_PARTIAL)})
"""Of silver.feature_days on the driver, for who has no Spark at hand."""
START = datetime(2026, 1, 1, tzinfo=UTC)
_US = {"min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_DAY = _US["d"]
NAMES = ("Product Viewed", "Product Added", "Order Completed", "Order Refunded", "Email Opened")
_WHERE = (
    *(f"event_name = '{name}'" for name in NAMES),
    "event_name IN ('Product Viewed', 'Product Added') AND channel = 'web'",
    "amount > 20",
    "p_rating / amount >= 0.05",
    "coupon IS NOT NULL OR channel = 'store'",
    "product_id LIKE 'p1%' AND NOT (channel = 'web')",
    "hour(occurred_at) >= 12",
    "event_type = 'page'",
    "coalesce(p_rating, 3) BETWEEN 2 AND 4",
    "p_size = 'nobody sends this'",
    None,
)
_NUMBERS = ("amount", "p_rating", "amount / p_rating", "CASE WHEN amount > 10 THEN amount * 2 ELSE -1.5 END")
_LINE_NUMBERS = ("price * quantity", "quantity")
_TEXTS = ("product_id", "coupon", "channel", "lower(p_size)")
_WINDOWS = ("1 h", "90 min", "24 h", "36 h", "2 d", "7 d", "20 d", "lifetime")
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "count": (), "days_since": (), "streak": (), "sum": ("number",), "mean": ("number",), "min": ("number", "time"),
    "max": ("number", "time"), "first": ("number", "text", "time"), "last": ("number", "text", "time"),
    "distinct": ("text",), "top_k": ("text",),
}  # fmt: skip


def random_declarations(seed: int, count: int, *, own_properties: bool = True) -> list[dict[str, Any]]:
    """Each aggregation in turn, and every tenth a ratio of two before it. `own_properties`: whether any reads PROPERTIES."""
    chance, entries = random.Random(seed), list[dict[str, Any]]()

    def some(choices: Sequence[str | None]) -> list[str | None]:
        return [one for one in choices if own_properties or one is None or "p_" not in one]

    for number in range(count):
        own: dict[str, Any] = {"name": f"f{number}", "description": "at random"}
        if number % 10 == 9:
            numbers = [e["name"] for e in entries if e["aggregation"] in ("count", "sum", "mean", "ratio", "distinct")]
            above, below = chance.choice(numbers), chance.choice(numbers)
            entries.append(own | {"aggregation": "ratio", "numerator": above, "denominator": below})
            continue
        aggregation = list(_NEEDS)[number % len(_NEEDS)]
        own |= {"aggregation": aggregation, "over": chance.choice(("events", "events", "lines"))}
        if (where := chance.choice(some(_WHERE))) is not None:
            own["where"] = where
        if kinds := _NEEDS[aggregation]:
            numbers_ = _NUMBERS + (_LINE_NUMBERS if own["over"] == "lines" else ())
            own["value"] = chance.choice(
                some({"number": numbers_, "text": _TEXTS, "time": ("occurred_at",)}[chance.choice(kinds)])
            )
        own["window"] = chance.choice(_WINDOWS[4:] if aggregation == "streak" else _WINDOWS)
        if aggregation == "sum" and chance.random() < 0.5:
            own["default"] = 0
        entries.append(own)
    return entries


def online(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The declarations, those that fit into a document marked so."""
    offline, marked = {"distinct", "top_k"}, set[str]()
    for entry in entries:
        if (
            entry["aggregation"] not in offline
            and not {entry.get("numerator"), entry.get("denominator")} - {None} - marked
        ):
            marked.add(entry["name"])
    return [{**entry, "online": entry["name"] in marked} for entry in entries]


def declared(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Features:
    path = folder / "features.yaml"
    path.write_text(yaml.safe_dump({"features": list(entries)}))
    return read_features(path, PROPERTIES)


def random_events(seed: int, count: int, actors: int, days: int) -> list[dict[str, Any]]:
    """Accepted events in no order of time, many of them within the same hours; some at the very end of a day."""
    chance = random.Random(seed)
    busy = [START + timedelta(days=chance.randrange(days), hours=chance.randrange(24)) for _ in range(count // 6)]
    rows = []
    for number in range(count):
        at = chance.choice(busy) + timedelta(microseconds=chance.randrange(2 * _US["h"]))
        if chance.random() < 0.05:
            at = at.replace(hour=23, minute=59, second=59, microsecond=999_999)
        name = chance.choice(NAMES)
        is_order = name.startswith("Order")
        rows.append(
            {
                "message_id": f"m{number}", "actor_id": f"a{chance.randrange(actors)}",
                "type": chance.choice(("track", "track", "track", "page")), "event": name, "occurred_at": at,
                "product_id": chance.choice((None, *(f"p{n}" for n in range(14)))),
                "order_id": f"o{number}" if is_order else None,
                "revenue": Decimal(chance.randrange(0, 9000)) / 100 if is_order or chance.random() < 0.1 else None,
                "currency": None, "lines": _lines(chance) if is_order else None, "identifiers": [], "consent": None,
                "consent_basis": None, "location": None, "traits": None, "source": None, "coupon": chance.choice((None, None, "spring", "vip")),
                "channel": chance.choice((None, "web", "store")), "p_size": chance.choice((None, "S", "M", "xl")),
                "p_rating": chance.choice((None, Decimal(0), Decimal(3), Decimal("4.5"))),
            }
        )  # fmt: skip
    return rows


def _lines(chance: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "product_id": f"p{chance.randrange(14)}", "name": None, "quantity": chance.choice((None, Decimal(1), Decimal("2.5"))),
            "price": Decimal(chance.randrange(100, 5000)) / 100,
        }
        for _ in range(chance.randrange(4))
    ]  # fmt: skip


Answers = dict[tuple[str, datetime], dict[str, Any]]
"""The features of a profile at an instant, by name."""


def brute_force(
    raw: pa.Table,
    members: Sequence[tuple[str, str]],
    moments: Sequence[tuple[str, datetime]],
    entries: Sequence[Mapping[str, Any]],
) -> Answers:
    """raw: accepted events. members: (actor_id, profile_id). moments: (profile_id, as_of)."""
    session = duckdb.connect()
    session.execute("SET TimeZone = 'UTC'")
    session.register("raw", raw)
    session.register("member", pa.table({"actor_id": [a for a, _ in members], "profile_id": [p for _, p in members]}))
    stamps = [_micros(at) for _, at in moments]
    session.register("moment", pa.table({"profile_id": [p for p, _ in moments], "as_of": pa.array(stamps, pa.int64())}))
    event = (
        "SELECT profile_id, message_id, epoch_us(occurred_at) AS micros, occurred_at, type AS event_type, "
        "CASE WHEN type = 'track' THEN event END AS event_name, CAST(revenue AS DOUBLE) AS amount, coupon, channel, p_size, "
        "CAST(p_rating AS DOUBLE) AS p_rating, "
    )
    source = (
        "FROM (SELECT * REPLACE (timezone('UTC', occurred_at) AS occurred_at) FROM raw) JOIN member USING (actor_id)"
    )
    session.execute(f"CREATE TABLE of_events AS {event} product_id, 0 AS line {source}")
    session.execute(
        f"CREATE TABLE of_lines AS SELECT * EXCLUDE (one), one.product_id AS product_id, CAST(one.price AS DOUBLE) AS price, "
        f"CAST(one.quantity AS DOUBLE) AS quantity FROM ({event} unnest(lines) AS one, generate_subscripts(lines, 1) AS line {source})"
    )
    answers: Answers = {moment: {} for moment in moments}
    by_stamp = {(profile, _micros(at)): (profile, at) for profile, at in moments}
    for entry in entries:
        if entry["aggregation"] != "ratio":
            for profile, as_of, answer in _rows(session, entry):
                answers[by_stamp[profile, as_of]][entry["name"]] = answer
    for entry in entries:
        if entry["aggregation"] == "ratio":
            for own in answers.values():
                own[entry["name"]] = _divided(own[entry["numerator"]], own[entry["denominator"]])
    return answers


def _rows(session: duckdb.DuckDBPyConnection, entry: Mapping[str, Any]) -> Iterator[tuple[str, int, Any]]:
    aggregation, value = entry["aggregation"], _divided_by_zero(entry.get("value", "NULL"))
    value = "micros" if value == "occurred_at" else value
    value = f"(CASE WHEN message_id IS NOT NULL THEN {value} END)"  # a profile without an event has a row of nulls
    number = f"CAST({value} AS DECIMAL(38,10))" if aggregation in ("sum", "mean") else value
    in_order = f"list({value} ORDER BY micros, message_id, line) FILTER ({value} IS NOT NULL)"
    sql = {
        "count": "count(message_id)", "sum": f"CAST(sum({number}) AS DOUBLE)",
        "mean": f"CAST(sum({number}) AS DOUBLE) / count({value})", "min": f"min({value})", "max": f"max({value})",
        "first": f"{in_order}[1]", "last": f"{in_order}[-1]", "distinct": f"count(DISTINCT {value})",
        "top_k": f"list({value}) FILTER ({value} IS NOT NULL)", "days_since": f"(m.as_of - max(micros)) / {_DAY}.0",
        "streak": f"list(DISTINCT micros // {_DAY}) FILTER (micros IS NOT NULL)",
    }[aggregation]  # fmt: skip
    found = session.execute(
        f"SELECT m.profile_id, m.as_of, {sql} FROM moment m LEFT JOIN of_{entry.get('over', 'events')} e ON e.profile_id = m.profile_id "
        f"AND micros <= m.as_of AND {_inside(entry.get('window', 'lifetime'))} AND ({_divided_by_zero(entry.get('where', 'true'))}) GROUP BY m.profile_id, m.as_of"
    ).fetchall()
    for profile, as_of, answer in found:
        yield profile, as_of, _finished(entry, answer, as_of)


def _divided_by_zero(expression: str) -> str:
    """What is divided by zero is null, as in Spark."""
    return re.sub(r"/ (\w+)", r"/ nullif(\1, 0)", expression)


def _inside(window: str) -> str:
    if window == "lifetime":
        return "true"
    number, unit = window.split()
    length = int(number) * _US[unit]
    grain = _US["min"] if length < 2 * _DAY else _DAY
    return f"micros - micros % {grain} > m.as_of - m.as_of % {grain} - {length}"


def _finished(entry: Mapping[str, Any], answer: Any, as_of: int) -> Any:
    if entry["aggregation"] == "top_k":
        counted = sorted(Counter(answer or ()).items(), key=lambda one: (-one[1], one[0]))
        return [{"value": value, "count": count} for value, count in counted[:5]] or None
    if entry["aggregation"] == "streak":
        days, today = set(answer or ()), as_of // _DAY
        day = today if today in days else today - 1
        streak = 0
        while day - streak in days:
            streak += 1
        return streak
    if entry.get("value") == "occurred_at" and answer is not None:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=answer)
    return entry.get("default") if answer is None else answer


def _divided(above: float | None, below: float | None) -> float | None:
    return None if above is None or not below else above / below


def _micros(at: datetime) -> int:
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def differences(ours: pa.Table, expected: Answers, names: Sequence[str]) -> list[str]:
    """Where the rows (profile_id, as_of, features) say something else. Numbers may differ in the tenth digit."""
    told = {(row["profile_id"], row["as_of"]): row for row in ours.to_pylist()}
    if told.keys() != expected.keys():
        return [f"moments: {sorted(map(str, told.keys() ^ expected.keys()))[:3]}"]
    return [
        f"{moment}: {name}: got {told[moment][name]!r}, expected {own[name]!r}"
        for moment, own in expected.items()
        for name in names
        if not are_same(told[moment][name], own[name])
    ]


def are_same(got: Any, wanted: Any) -> bool:
    if isinstance(got, float) and isinstance(wanted, int | float):
        return abs(got - wanted) <= 1e-9 * max(1.0, abs(wanted))
    return bool(got == wanted)
