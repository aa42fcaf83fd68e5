"""Builders of accepted events, as `events.parse` and silver.events give them."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import DataType, StructType

from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.tables.contract import CONSENT, CONSENT_BASIS, LOCATION, MONEY, PRODUCT_LINE

SCHEMA = (
    "message_id string, actor_id string, type string, event string, occurred_at timestamp, product_id string, order_id string, "
    f"revenue {MONEY}, currency string, lines array<{PRODUCT_LINE}>, "
    f"identifiers array<struct<type:string,token:string>>, consent {CONSENT}, "
    f"consent_basis {CONSENT_BASIS}, location {LOCATION}, traits map<string,string>, source string"
)
NAMES = [part.split()[0] for part in SCHEMA.replace(f"array<{PRODUCT_LINE}>", "x").split(", ")]


def once(batch_id: int) -> Transaction:
    """The transaction of a micro-batch."""
    return Transaction(application="q", batch_id=batch_id)


def at(text: str) -> datetime:
    """A UTC time from `2026-01-31 12:00`, seconds optional."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def actor(**identifiers: str) -> str:
    """A short id of a bundle that a reader can follow: `user_id=ann` -> `ann`, several joined and hashed behind."""
    bundle = "|".join(f"{t}={v}" for t, v in sorted(identifiers.items()))
    return "-".join(v for _, v in sorted(identifiers.items())) + "-" + hashlib.sha256(bundle.encode()).hexdigest()[:4]


def event(message_id: str, occurred_at: str, name: str = "Product Viewed", **rest: Any) -> dict[str, Any]:
    """One event. Identifiers by their type (`user_id="ann"`); `type`, `product_id`, `order_id`, `revenue`, `currency`, `lines`, `traits`, `consent`."""
    known = ("user_id", "anonymous_id", "email", "phone", "device_id", "loyalty_id")
    bundle: Mapping[str, str] = {t: rest[t] for t in known if t in rest}
    revenue = rest.get("revenue")
    type_ = rest.get("type", "identify" if "traits" in rest else "track")
    return {
        "message_id": message_id,
        "actor_id": actor(**bundle),
        "type": type_,
        "event": name if type_ == "track" else None,
        "occurred_at": at(occurred_at),
        "product_id": rest.get("product_id"),
        "order_id": rest.get("order_id"),
        "revenue": None if revenue is None else Decimal(str(revenue)),
        "currency": rest.get("currency"),
        "lines": rest.get("lines"),
        "identifiers": [{"type": t, "token": v} for t, v in sorted(bundle.items())],
        "consent": rest.get("consent"),
        "consent_basis": rest.get("consent_basis"),
        "location": rest.get("location"),
        "traits": rest.get("traits"),
        "source": rest.get("source"),
    }


def events(spark: SparkSession, rows: Sequence[dict[str, Any]]) -> DataFrame:
    return spark.createDataFrame([tuple(row[c] for c in row) for row in rows], SCHEMA)


def leaves(spark: SparkSession, rows: Sequence[dict[str, Any]]) -> DataFrame:
    """The leaf rows of the events, as a micro-batch of many has them."""
    return leaf(with_day(events(spark, rows)), rates={})


def few_leaves(lake: Lake, rows: Sequence[dict[str, Any]], features: Features = NO_FEATURES) -> pa.Table:
    """The same on the driver, as a micro-batch of few events has them."""

    def made(events: DataFrame) -> DataFrame:
        return leaf(with_day(events), rates={}, features=features)

    return lake.few_rows.run("few_leaves", made, version=features.version, events=sent(rows))


def sent(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """The events on the driver."""
    schema = DataType.fromDDL(SCHEMA)
    assert isinstance(schema, StructType)
    return pa.Table.from_pylist(list(rows), to_arrow_schema(schema, timezone="UTC"))


def merge_and_split(revenue: str) -> list[list[dict[str, Any]]]:
    """Micro-batches of a few visitors over some days: an order, a late event, a merge, a split, and time that passes."""
    return [
        [
            event("m1", "2026-02-01 10:00", anonymous_id="phone", product_id="p1"),
            event("m2", "2026-02-01 10:30", anonymous_id="laptop", product_id="p2"),
            event("m3", "2026-02-01 10:40", anonymous_id="quiet", product_id="p9"),
        ],
        [
            event("m4", "2026-02-01 11:20", "Order Completed", anonymous_id="laptop", order_id="o1", revenue=revenue),
            event("m5", "2026-02-01 09:00", anonymous_id="phone", product_id="p2"),  # late
        ],
        [  # a merge
            event("m6", "2026-02-02 10:00", anonymous_id="phone", user_id="ann", product_id="p2"),
            event("m7", "2026-02-02 11:00", anonymous_id="laptop", user_id="ann", product_id="p1"),
        ],
        [event("m8", "2026-02-02 12:00", anonymous_id="phone", user_id="bob", product_id="p3")],  # a split
        [event("m9", "2026-02-04 12:00", anonymous_id="other", product_id="p3")],  # time passes for everybody else
    ]
