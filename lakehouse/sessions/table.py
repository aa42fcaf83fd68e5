"""The contract of silver.sessions, and its rows."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.events.enrichment.traffic import DIRECT
from lakehouse.events.money import money_of
from lakehouse.sessions.rule import Bools, Ints, session_starts
from lakehouse.tables.contract import MONEY, Table, optional, required
from lakehouse.tables.people import By, by

SILVER_SESSIONS = Table(
    name="silver.sessions",
    grain="one row per session of a visitor",
    people=(by("visitor_id", By.VISITOR), by("actor_id", By.ACTOR)),
    key=("visitor_id", "started_at", "session_id"),
    ages=("started_at", "events_days"),
    owner="streaming/events.py",
    reads=("silver.events",),
    time_column="started_at",
    columns=(
        required("visitor_id", "string", "browser or device, as in silver.events"),
        required("started_at", "timestamp", "time of its first event"),
        required("session_id", "string", "message_id of its first event; not the session id that a sender gives"),
        required("ended_at", "timestamp", "time of its last event"),
        required("duration_seconds", "bigint", "from the first event to the last, whole seconds; 0 = one event"),
        required("actor_id", "string", "actor of its last event; with silver.identity_map the profile"),
        required("event_count", "bigint", "events of any kind"),
        required("page_view_count", "bigint", "page and screen events"),
        optional(
            "landing_page", "string", "address of its first page, without query string; null = no event names one"
        ),
        optional("exit_page", "string", "address of its last page, likewise"),
        required("channel", "string", "default channel group, by how it began; Direct = nothing told"),
        optional("source", "string", "site or campaign source; (direct) = nothing told; null = a campaign without one"),
        optional("medium", "string", "(none) = nothing told; null = a campaign without one"),
        optional("campaign", "string", "name of the campaign; null = none"),
        optional("click_id", "string", "name of the parameter that marked the click; null = none"),
        optional("device_class", "string", "desktop, mobile, tablet, tv, console or other; null = no user agent"),
        optional("os", "string", "operating system; null = not told"),
        optional("browser", "string", "browser, or the app that acts as one; null = not told"),
        optional("country", "string", "ISO 3166 code; null = no database of IP addresses, or not known"),
        optional("region", "string", "ISO 3166-2 code, likewise"),
        required("order_ids", "array<string>", "orders completed in it, sorted"),
        required("revenue", MONEY, "their value before refunds, each order once, default_currency"),
    ),
)

_CAME = ("channel", "source", "medium", "campaign", "click_id")
_NO_MONEY = money_of(Decimal(0))


def session_rows(visits: pa.Table, rates: Mapping[str, str], schema: pa.Schema) -> pa.Table:
    """The sessions of visits in order, of clusters that end. `rates`: units of the default currency for one of another. `schema`: of silver.sessions."""
    first = session_starts(visits)
    after = np.append(first[1:], visits.num_rows)[: first.size]
    last, at = after - 1, visits["at"].to_numpy()
    tells_page = pc.is_valid(visits["page"]).to_numpy()
    tells_traffic = pc.is_valid(visits["channel"]).to_numpy()
    landing, exit_ = _first_of(tells_page, first), _last_of(tells_page, first)
    landed = visits.select(_CAME).take(pc.fill_null(_first_of(tells_page | tells_traffic, first), pa.array(first)))
    is_told = pc.is_valid(landed["channel"])
    agent = _first_of(pc.is_valid(visits["device_class"]).to_numpy(), first)
    place = _first_of(pc.is_valid(visits["country"]).to_numpy(), first)
    order_ids, revenue = _orders(visits, first, rates)
    seen = np.append(0, np.cumsum(visits["is_page_view"].to_numpy()))
    columns = {
        "visitor_id": visits["visitor_id"].take(first),
        "started_at": at[first],
        "session_id": visits["message_id"].take(first),
        "ended_at": at[last],
        "duration_seconds": (at[last] - at[first]) // 1_000_000,
        "actor_id": visits["actor_id"].take(last),
        "event_count": after - first,
        "page_view_count": seen[after] - seen[first],
        "landing_page": visits["page"].take(landing),
        "exit_page": visits["page"].take(exit_),
        **{name: pc.if_else(is_told, landed[name], getattr(DIRECT, name)) for name in _CAME},
        **{name: visits[name].take(agent) for name in ("device_class", "os", "browser")},
        **{name: visits[name].take(place) for name in ("country", "region")},
        "order_ids": pa.array(order_ids, pa.list_(pa.string())),
        "revenue": pa.array(revenue, schema.field("revenue").type),
    }
    return pa.table({name: columns[name] for name in schema.names}).cast(schema)


def _first_of(holds: Bools, first: Ints) -> pa.Array:
    """The row of each session at which it holds first; null = it never does."""
    rows = np.where(holds, np.arange(holds.size), holds.size)
    found = np.minimum.reduceat(rows, first) if first.size else first
    return pa.array(found, mask=found == holds.size)


def _last_of(holds: Bools, first: Ints) -> pa.Array:
    rows = np.where(holds, np.arange(holds.size), -1)
    found = np.maximum.reduceat(rows, first) if first.size else first
    return pa.array(found, mask=found == -1)


def _orders(visits: pa.Table, first: Ints, rates: Mapping[str, str]) -> tuple[list[list[str]], list[Decimal]]:
    """Of each session its orders, sorted, and what they are worth, each as it was first told."""
    told = np.flatnonzero(pc.is_valid(visits["order_id"]))
    rows = visits.select(["order_id", "revenue", "currency"]).take(told)
    session = (np.searchsorted(first, told, side="right") - 1).tolist()
    values: dict[int, dict[str, Decimal]] = defaultdict(dict)
    for place, order, revenue, currency in zip(session, *(c.to_pylist() for c in rows.columns), strict=True):
        if order not in values[place]:
            values[place][order] = money_of(Decimal(revenue or 0) * Decimal(rates.get(currency or "", "1")))
    ids: list[list[str]] = [[] for _ in range(first.size)]
    worth = [_NO_MONEY] * first.size
    for place, orders in values.items():
        ids[place], worth[place] = sorted(orders), money_of(sum(orders.values(), Decimal(0)))
    return ids, worth
