"""Rows of silver.events on the driver or in a Python worker -> visits, by visitor."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.events.contracts import ORDER_COMPLETED
from lakehouse.events.enrichment.locations import Location
from lakehouse.events.enrichment.traffic import Traffic
from lakehouse.events.enrichment.user_agents import Agent
from lakehouse.sessions.rule import Visit

COLUMNS = (
    *("visitor_id", "occurred_at", "message_id", "actor_id", "type", "event", "page_url"),
    *("traffic", "agent", "location", "order_id", "revenue", "currency", "is_bot"),
)
"""What of silver.events is read."""

_SEEN = ("page", "screen")


def visits(events: pa.Table) -> Iterator[tuple[str, Visit]]:
    """Rows with COLUMNS -> visitor and visit, in their order. What a program sent is no visit, nor what names no visitor."""
    is_visit = pc.and_(pc.is_valid(events["visitor_id"]), pc.invert(events["is_bot"]))
    rows = events.select(COLUMNS).filter(is_visit)
    at = rows["occurred_at"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
    texts = (rows[name].to_pylist() for name in ("visitor_id", "message_id", "actor_id", "type", "event", "page_url"))
    ordered = (rows[name].to_pylist() for name in ("order_id", "revenue", "currency"))
    told = (
        _structs(rows[name], kind) for name, kind in (("traffic", Traffic), ("agent", Agent), ("location", Location))
    )
    for time, visitor, message, actor, type_, name, page, traffic, agent, location, order, revenue, currency in zip(
        at, *texts, *told, *ordered, strict=True
    ):
        is_order = type_ == "track" and name == ORDER_COMPLETED.name and order is not None
        yield (
            visitor,
            Visit(
                at=time,
                message_id=message,
                actor_id=actor,
                is_page_view=type_ in _SEEN,
                page=page,
                traffic=traffic,
                agent=agent,
                location=location,
                order_id=order if is_order else None,
                revenue=None if not is_order or revenue is None else str(revenue),
                currency=currency if is_order else None,
            ),
        )


def by_visitor(visited: Iterable[tuple[str, Visit]]) -> dict[str, list[Visit]]:
    found: dict[str, list[Visit]] = defaultdict(list)
    for visitor, visit in visited:
        found[visitor].append(visit)
    return found


def _structs(column: pa.ChunkedArray, kind: Any) -> list[Any]:
    """A column of structs as named tuples, null as None."""
    parts = [pc.struct_field(column, name).to_pylist() for name in kind._fields]
    is_there = pc.is_valid(column).to_pylist()
    return [kind(*values) if there else None for there, values in zip(is_there, zip(*parts, strict=True), strict=True)]
