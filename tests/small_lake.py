"""A lake small enough to know by heart: every contract filled with literal rows.

Ann has a phone, a laptop and a television; she browsed on the laptop before she logged in there, so two profiles became
one. Bob uses the same television: shared, yet kept apart. Cat looked at one product and gave no name. Ann ordered three
times and took one order back in part, Bob ordered once, Cat never. One record came twice, two were no good.

    component of ann-phone: profiles ann-phone (ann-phone, ann-laptop, ann-login, ann-tv) and bob-web (bob-web, bob-tv)
    component of cat-web:   profile cat-web
    bronze 13 = silver 10 + quarantine 2 + duplicates 1
"""

import atexit
import dataclasses
import functools
import json
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from lakehouse.catalog import TABLES
from lakehouse.config import LakeConfig, load
from lakehouse.lake.delta import Lake, arrow_schema

Row = Mapping[str, Any]
PRODUCED, SILVER, QUARANTINED, DUPLICATES = 13, 10, 2, 1
TOPIC = "events"


def build(lake: Lake) -> Lake:
    """Create every table of the lake and fill it. Returns the lake."""
    copy_empty_tables(lake)
    for name, rows in ROWS.items():
        lake.add(pa.Table.from_pylist(list(rows), schema=arrow_schema(TABLES[name])), TABLES[name])
    return lake


@functools.cache
def shared(session: SparkSession) -> Lake:
    """One small lake per test process, for tests that only look."""
    return build(_throwaway(session))


@functools.cache
def empty(session: SparkSession) -> Lake:
    """One lake per test process whose tables exist and hold nothing."""
    (lake := _throwaway(session)).create_missing(TABLES.values())
    return lake


def copy_empty_tables(lake: Lake) -> None:
    """What `lake.create_missing()` does, by a copy of the tables of `empty`: files instead of a commit of Spark's for each."""
    made = empty(lake.spark)
    for table in TABLES.values():
        if not Path(lake.path(table)).exists():
            shutil.copytree(made.path(table), lake.path(table))


def _throwaway(session: SparkSession) -> Lake:
    folder = tempfile.mkdtemp(prefix="small-lake-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Lake(
        session, dataclasses.replace(load("dev", environ={}), lake=LakeConfig(root=f"{folder}/lake", keep_hours=1))
    )


def at(text: str) -> datetime:  # `01-31 12:00`, of 2026
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


BATCH = at("03-01 12:00")


def _event(offset: int, actor: str, when: str, event: str | None = "Product Viewed", **rest: Any) -> Row:
    bundle = sorted((e["identifier_type"], e["identifier_token"]) for e in _EDGES if e["actor_id"] == actor)
    return {
        "message_id": f"m{offset}", "actor_id": actor, "type": "track" if event else "identify", "event": event,
        "occurred_at": at(when), "received_at": at(when), "identifiers": [{"type": type_, "token": token} for type_, token in bundle],
        "is_bot": False, "is_clamped": False, "content_hash": offset,
        "topic": TOPIC, "partition": 0, "offset": offset, **rest,
    }  # fmt: skip


def _order(offset: int, actor: str, when: str, order: str, revenue: str, event: str = "Order Completed") -> Row:
    return _event(offset, actor, when, event, order_id=order, revenue=Decimal(revenue), currency="USD")


def _edges(actor: str, when: str, **identifiers: str) -> list[Row]:
    return [
        {
            "actor_id": actor, "identifier_type": type_, "identifier_token": token,
            "first_seen_at": at(when), "kind": "deterministic", "weight": 0.0,
        }
        for type_, token in identifiers.items()
    ]  # fmt: skip


_EDGES = [
    *_edges("ann-phone", "01-05 09:00", user_id="ann", anonymous_id="phone-1"),
    *_edges("ann-laptop", "01-07 20:00", anonymous_id="laptop-1"),
    *_edges("ann-login", "01-07 20:30", user_id="ann", email="tok-ann", anonymous_id="laptop-1"),
    *_edges("ann-tv", "02-01 21:00", user_id="ann", device_id="tv-1"),
    *_edges("bob-web", "01-20 08:00", user_id="bob", anonymous_id="web-7"),
    *_edges("bob-tv", "02-02 21:00", user_id="bob", device_id="tv-1"),
    *_edges("cat-web", "02-20 10:00", anonymous_id="web-9"),
]

_EVENTS = [
    _order(0, "ann-phone", "01-05 09:00", "o1", "40.00"),
    _event(1, "ann-laptop", "01-07 20:00", product_id="p1"),
    _event(2, "ann-login", "01-07 20:30", None),
    _order(3, "ann-login", "01-07 20:40", "o2", "60.00"),
    _event(4, "ann-tv", "02-01 21:00", "Product Added", product_id="p2"),
    _order(5, "ann-phone", "02-10 12:00", "o3", "25.50"),
    _order(6, "ann-phone", "02-12 12:00", "o2", "10.00", "Order Refunded"),
    _order(7, "bob-web", "01-20 08:00", "o4", "15.00"),
    _event(8, "bob-tv", "02-02 21:00", product_id="p2"),
    _event(9, "cat-web", "02-20 10:00", product_id="p1"),
]

_REJECTED = [
    {"offset": 10, "reason": "not_json", "detail": "expected a JSON object", "value": b"{oops"},
    {"offset": 11, "reason": "oversized", "detail": "got 40960 bytes, expected at most 32768", "value": b"x" * 64},
]


def _bronze(offset: int, value: bytes) -> Row:
    return {
        "topic": TOPIC, "partition": 0, "offset": offset, "kafka_timestamp": BATCH,
        "key": b"k", "value": value, "ingested_at": BATCH,
    }  # fmt: skip


def _member(actor: str, profile: str, component: str, first_seen: str, cause: str | None) -> Row:
    return {
        "actor_id": actor, "profile_id": profile, "component_id": component,
        "first_seen_at": at(first_seen), "cause": cause, "resolved_at": BATCH,
    }  # fmt: skip


def _change(number: int, kind: str, actor: str, to: str, cause: str | None = None, was: str | None = None) -> Row:
    return {
        "change_id": f"c{number}", "type": kind, "actor_id": actor, "from_profile_id": was, "to_profile_id": to,
        "cause": cause, "batch_id": number // 4, "changed_at": BATCH,
    }  # fmt: skip


def _day(
    actor: str, day: str, user: str | None, orders: int = 0, revenue: str = "0", views: int = 0, carts: int = 0
) -> Row:
    return {
        "actor_id": actor, "activity_date": date.fromisoformat(f"2026-{day}"), "user_id": user,
        "event_count": max(orders + views + carts, 1), "view_count": views, "cart_count": carts, "order_count": orders,
        "revenue": Decimal(revenue), "first_at": at(f"{day} 08:00"), "last_at": at(f"{day} 21:00"),
    }  # fmt: skip


def _kept_order(order: str, actor: str, when: str, revenue: str) -> Row:
    return {
        "order_id": order, "actor_id": actor, "ordered_at": at(when), "revenue": Decimal(revenue),
        "buyers": 1, "statements": [], "refunds": [],
    }  # fmt: skip


def _session(visitor: str, first: int, actor: str, start: str, end: str, channel: str, **rest: Any) -> Row:
    return {
        "visitor_id": visitor, "started_at": at(start), "session_id": f"m{first}", "ended_at": at(end), "actor_id": actor,
        "duration_seconds": int((at(end) - at(start)).total_seconds()), "event_count": 1, "page_view_count": 0, "channel": channel,
        "order_ids": [], "revenue": Decimal(0), **rest,
    }  # fmt: skip


def _rfm(profile: str, first: str, last: str, orders: int, spent: str, scores: tuple[int, int, int]) -> Row:
    return {
        "profile_id": profile, "first_order_at": at(first), "last_order_at": at(last), "frequency": orders,
        "monetary": Decimal(spent), "r_score": scores[0], "f_score": scores[1], "m_score": scores[2], "computed_at": BATCH,
    }  # fmt: skip


def _active(profile: str, users: list[str], first: str, last: str, action: str, **rest: Any) -> Row:
    return {
        "profile_id": profile, "user_ids": users, "first_seen_at": at(first), "last_seen_at": at(last), "event_count": 1,
        "view_count": 1, "cart_count": 0, "frequency": 0, "monetary": Decimal(0), "next_best_action": action,
        "as_of": at("02-20 10:00"), "updated_at": BATCH, **rest,
    }  # fmt: skip


def _scored(profile: str, propensity: float) -> Row:
    return {"profile_id": profile, "purchase_propensity": propensity, "model_version": "1", "as_of": at("02-20 10:00")}


ROWS: dict[str, list[Row]] = {
    "bronze.events": [
        *(_bronze(row["offset"], json.dumps({"messageId": row["message_id"]}).encode()) for row in _EVENTS),
        *(_bronze(row["offset"], row["value"]) for row in _REJECTED),
        _bronze(12, b'{"messageId": "m9"}'),
    ],
    "silver.events": _EVENTS,
    "silver.events_quarantine": [{"topic": TOPIC, "partition": 0, "quarantined_at": BATCH, **row} for row in _REJECTED],
    "silver.activity_daily": [
        _day("ann-phone", "01-05", "ann", orders=1, revenue="40.00"),
        _day("ann-laptop", "01-07", None, views=1),
        _day("ann-login", "01-07", "ann", orders=1, revenue="60.00"),
        _day("ann-tv", "02-01", "ann", carts=1),
        _day("ann-phone", "02-10", "ann", orders=1, revenue="25.50"),
        _day("bob-web", "01-20", "bob", orders=1, revenue="15.00"),
        _day("bob-tv", "02-02", "bob", views=1),
        _day("cat-web", "02-20", None, views=1),
    ],
    "silver.orders": [
        _kept_order("o1", "ann-phone", "01-05 09:00", "40.00"),
        _kept_order("o2", "ann-login", "01-07 20:40", "50.00"),
        _kept_order("o3", "ann-phone", "02-10 12:00", "25.50"),
        _kept_order("o4", "bob-web", "01-20 08:00", "15.00"),
    ],
    "silver.personal_traits": [
        {"actor_id": "ann-login", "trait": "email", "value": "ann@example.com", "seen_at": at("01-07 20:30")}
    ],
    "silver.sessions": [
        _session("laptop-1", 1, "ann-login", "01-07 20:00", "01-07 20:00", "Paid Search", source="google", medium="cpc", click_id="gclid"),
        _session(
            "laptop-1", 2, "ann-login", "01-07 20:30", "01-07 20:40", "Email", source="crm", medium="email", campaign="January", event_count=2,
            order_ids=["o2"], revenue=Decimal("60.00"),
        ),
        _session("web-9", 9, "cat-web", "02-20 10:00", "02-20 10:00", "Direct", source="(direct)", medium="(none)"),
    ],
    "silver.identity_edges": _EDGES,
    "silver.identity_map": [
        _member("ann-phone", "ann-phone", "ann-laptop", "01-05 09:00", "user_id"),
        _member("ann-laptop", "ann-phone", "ann-laptop", "01-07 20:00", "anonymous_id"),
        _member("ann-login", "ann-phone", "ann-laptop", "01-07 20:30", "user_id"),
        _member("ann-tv", "ann-phone", "ann-laptop", "02-01 21:00", "user_id"),
        _member("bob-web", "bob-web", "ann-laptop", "01-20 08:00", "user_id"),
        _member("bob-tv", "bob-web", "ann-laptop", "02-02 21:00", "user_id"),
        _member("cat-web", "cat-web", "cat-web", "02-20 10:00", None),
    ],
    "silver.identity_log": [
        _change(0, "create", "ann-phone", "ann-phone"),
        _change(1, "create", "ann-laptop", "ann-laptop"),
        _change(2, "create", "bob-web", "bob-web"),
        _change(3, "create", "cat-web", "cat-web"),
        _change(4, "attach", "ann-login", "ann-phone", "user_id"),
        _change(5, "merge", "ann-laptop", "ann-phone", "anonymous_id", "ann-laptop"),
        _change(6, "attach", "ann-tv", "ann-phone", "user_id"),
        _change(7, "attach", "bob-tv", "bob-web", "user_id"),
    ],
    "gold.product_affinity": [
        {
            "profile_id": "ann-phone", "product_id": "tea", "view_count": 1, "cart_count": 1, "order_count": 1,
            "quantity": Decimal(2), "revenue": Decimal("9.00"), "affinity": 6.5,
            "first_touch_at": at("01-05 09:00"), "last_touch_at": at("02-10 12:00"),
        }
    ],
    "gold.rfm": [
        _rfm("ann-phone", "01-05 09:00", "02-10 12:00", 3, "115.50", (5, 5, 5)),
        _rfm("bob-web", "01-20 08:00", "01-20 08:00", 1, "15.00", (2, 1, 1)),
    ],
    "gold.segments": [
        {"profile_id": "ann-phone", "segment": "recent one-time buyers", "model_version": "1", "valid_from": at("01-05 12:00"), "valid_to": BATCH},
        {"profile_id": "ann-phone", "segment": "champions", "model_version": "2", "valid_from": BATCH},
        {"profile_id": "bob-web", "segment": "lost one-time buyers", "model_version": "2", "valid_from": BATCH},
    ],
    "gold.scores": [_scored("ann-phone", 0.62), _scored("bob-web", 0.18), _scored("cat-web", 0.03)],
    "gold.changes": [
        {"profile_id": profile, "version": 1, "kind": kind, "merged_into": into, "changed_at": BATCH}
        for profile, kind, into in (
            ("ann-phone", "upserted", None), ("ann-laptop", "merged", "ann-phone"), ("bob-web", "upserted", None),
            ("cat-web", "upserted", None),
        )
    ],
    "gold.activation": [
        _active(
            "ann-phone", ["ann"], "01-05 09:00", "02-12 12:00", "recommend", last_order_at=at("02-10 12:00"), frequency=3,
            monetary=Decimal("115.50"), r_score=5, f_score=5, m_score=5, segment="champions", segment_model_version="2",
            purchase_propensity=0.62, score_model_version="1", consent_marketing=True,
        ),
        _active(
            "bob-web", ["bob"], "01-20 08:00", "02-02 21:00", "nurture", last_order_at=at("01-20 08:00"), frequency=1,
            monetary=Decimal("15.00"), r_score=2, f_score=1, m_score=1, segment="lost one-time buyers",
            segment_model_version="2", purchase_propensity=0.18, score_model_version="1",
        ),
        _active("cat-web", [], "02-20 10:00", "02-20 10:00", "welcome", purchase_propensity=0.03, score_model_version="1"),
    ],
    "ops.data_quality": [
        {
            "table_name": "silver.events", "expectation": name, "action": "warn", "row_count": 500, "broken_count": broken,
            "share": broken / 500, "most": 0.05, "is_met": broken <= 25, "window_start": at("03-01 11:59"), "window_end": BATCH,
            "judged_at": BATCH,
        }
        for name, broken in (("clocks_are_right", 5), ("products_are_named", 30))
    ],
}  # fmt: skip
