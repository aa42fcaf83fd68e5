"""The contract of silver.sessions, and its rows."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from lakehouse.events.enrichment.traffic import DIRECT
from lakehouse.events.money import money_of
from lakehouse.sessions.rule import Cluster, Visits, sessions
from lakehouse.tables.contract import MONEY, Table, optional, required

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SILVER_SESSIONS = Table(
    name="silver.sessions",
    grain="one row per session of a visitor",
    key=("visitor_id", "started_at", "session_id"),
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

Row = dict[str, Any]
Rows = dict[tuple[Any, ...], Row]
"""Rows by their key."""


class Differences(NamedTuple):
    """Rows that are new, those of a known key that say something else, and those that are no more."""

    added: list[Row]
    changed: list[Row]
    gone: list[Row]


def differences(before: Rows, after: Rows) -> Differences:
    return Differences(
        added=[one for key, one in after.items() if key not in before],
        changed=[one for key, one in after.items() if key in before and before[key] != one],
        gone=[one for key, one in before.items() if key not in after],
    )


def by_key(rows: Iterable[Row]) -> Rows:
    return {tuple(one[name] for name in SILVER_SESSIONS.key): one for one in rows}


def rows_of(visitor_id: str, clusters: Iterable[Cluster], rates: Mapping[str, str]) -> list[Row]:
    """The sessions of a visitor's clusters. `rates`: units of the default currency for one of another."""
    return [_row(visitor_id, session, rates) for cluster in clusters for session in sessions(cluster)]


def _row(visitor_id: str, session: Visits, rates: Mapping[str, str]) -> Row:
    first, last = session[0], session[-1]
    pages = [event.page for event in session if event.page is not None]
    landed = next((event for event in session if event.page is not None or event.traffic is not None), first)
    agent = next((event.agent for event in session if event.agent is not None), None)
    place = next((event.location for event in session if event.location is not None), None)
    traffic = landed.traffic or DIRECT
    orders = _orders(session, rates)
    return {
        "visitor_id": visitor_id,
        "started_at": _moment(first.at),
        "session_id": first.message_id,
        "ended_at": _moment(last.at),
        "duration_seconds": (last.at - first.at) // 1_000_000,
        "actor_id": last.actor_id,
        "event_count": len(session),
        "page_view_count": sum(event.is_page_view for event in session),
        "landing_page": pages[0] if pages else None,
        "exit_page": pages[-1] if pages else None,
        "channel": traffic.channel,
        "source": traffic.source,
        "medium": traffic.medium,
        "campaign": traffic.campaign,
        "click_id": traffic.click_id,
        "device_class": agent and agent.device_class,
        "os": agent and agent.os,
        "browser": agent and agent.browser,
        "country": place and place.country,
        "region": place and place.region,
        "order_ids": sorted(orders),
        "revenue": money_of(sum(orders.values(), Decimal(0))),
    }


def _moment(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


def _orders(session: Visits, rates: Mapping[str, str]) -> dict[str, Decimal]:
    """Order -> its value as it was first told."""
    values: dict[str, Decimal] = {}
    for event in session:
        if event.order_id is not None and event.order_id not in values:
            rate = Decimal(rates.get(event.currency or "", "1"))
            values[event.order_id] = money_of(Decimal(event.revenue or 0) * rate)
    return values
