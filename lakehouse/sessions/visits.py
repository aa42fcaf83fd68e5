"""Rows of silver.events, on the driver or in a Python worker -> visits: an event, as far as sessions are concerned."""

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.events.contracts import ORDER_COMPLETED
from lakehouse.events.enrichment.locations import Location
from lakehouse.events.enrichment.traffic import Traffic
from lakehouse.events.enrichment.user_agents import Agent

COLUMNS = (
    *("visitor_id", "occurred_at", "message_id", "actor_id", "type", "event", "page_url"),
    *("traffic", "agent", "location", "order_id", "revenue", "currency", "is_bot"),
)
"""What of silver.events is read."""

_FLAGS = ("is_page_view", "is_campaign")
_TIMES = ("at", "until")
_TOLD = {"traffic": Traffic._fields, "agent": Agent._fields, "location": Location._fields}
_NAMES = (
    *("visitor_id", "at", "message_id", "actor_id", "is_page_view", "page"),
    *(name for told in _TOLD.values() for name in told),
    *("order_id", "revenue", "currency", "until"),
)
VISIT = pa.schema(
    [(name, pa.bool_() if name in _FLAGS else pa.int64() if name in _TIMES else pa.string()) for name in _NAMES]
)
"""at: microseconds since 1970. page: its address without query string, null = none told. channel, device_class, country: null = nothing is told of
the traffic, agent or location. order_id, revenue, currency: of Order Completed; revenue in digits. until: null; else the row is no event, and stands for
a cluster of too many (rule.py) from `at` to then.
"""

_SEEN = pa.array(["page", "screen"])


def visits(events: pa.Table) -> pa.Table:
    """Rows with COLUMNS -> rows of VISIT, in their order. What a program sent is no visit, nor what names no visitor."""
    is_visit = pc.and_(pc.is_valid(events["visitor_id"]), pc.invert(events["is_bot"]))
    rows = events.select(COLUMNS).filter(is_visit)
    is_order = pc.and_(pc.equal(rows["type"], "track"), pc.equal(rows["event"], ORDER_COMPLETED.name))
    is_order = pc.and_(is_order, pc.is_valid(rows["order_id"]))
    columns = {name: rows[name] for name in ("visitor_id", "message_id", "actor_id")}
    columns |= {
        "at": rows["occurred_at"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()),
        "is_page_view": pc.is_in(rows["type"], value_set=_SEEN),
        "page": rows["page_url"],
        "until": pa.nulls(rows.num_rows, pa.int64()),
    }
    for name in ("order_id", "revenue", "currency"):
        columns[name] = pc.if_else(is_order, rows[name].cast(pa.string()), pa.scalar(None, pa.string()))
    for of, names in _TOLD.items():
        columns |= {name: pc.struct_field(rows[of], name) for name in names}
    return pa.table([columns[name] for name in VISIT.names], schema=VISIT)
