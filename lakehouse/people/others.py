"""What stands beside a person and is of others: put right once the person is taken out of it.

An order may be told of by two people, a browser used by two, and somebody may once have been in a profile of theirs. Their rows are made anew, of what is
left, as they would be had the person never been.
"""

from collections.abc import Collection
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.identity.history import history
from lakehouse.lake.delta import Lake, arrow, arrow_schema, conform
from lakehouse.people.traces import Traces
from lakehouse.profiles.kept_rows import KeptRows, kept_rows
from lakehouse.profiles.leaf import EVENT_COLUMNS, leaf, with_day
from lakehouse.profiles.silver.orders import FACTS, SILVER_ORDERS, facts, settled, together
from lakehouse.profiles.stitching.identity_tables import plain
from lakehouse.sessions.rebuilt_sessions import sessions_of
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.sessions.visits import COLUMNS as VISIT_COLUMNS
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_LOG
from lakehouse.tables.people import By


class Orders(NamedTuple):
    """Orders that others told of, too: their ids, and the actors of these others."""

    ids: frozenset[str] = frozenset()
    actors: frozenset[str] = frozenset()


def put_orders_right(lake: Lake, found: Traces) -> Orders:
    """Orders that somebody else told of, too, as these told. silver.events and silver.orders must still have everything."""
    left = _left(lake, "order_id", found.values[By.ORDER], found, EVENT_COLUMNS)
    kept = kept_rows(lake)
    known = _facts_schema().empty_table() if kept is None else _told_before(lake, found, kept)
    if not (left.num_rows or known.num_rows):
        return Orders()
    told = _facts_of(lake, left, kept) if left.num_rows else lake.frame(known)
    told = together(told, lake.frame(known)) if left.num_rows and known.num_rows else told
    rows = conform(settled(told), SILVER_ORDERS).toArrow()
    lake.upsert(rows, SILVER_ORDERS)
    actors = {one["actor_id"] for of_order in rows["statements"].to_pylist() for one in of_order}
    return Orders(frozenset(rows["order_id"].to_pylist()), frozenset(actors | set(left["actor_id"].to_pylist())))


def _facts_of(lake: Lake, left: pa.Table, kept: KeptRows | None) -> DataFrame:
    """What these events say of orders; of days that are whole."""
    events = with_day(lake.frame(left).where(~F.col("is_bot")))
    events = events.withColumns(
        {"traits": F.lit(None).cast("map<string,string>"), "source": F.lit(None).cast("string")}
    )
    return facts(leaf(events if kept is None else kept.events(events), rates=lake.config.money.rates))


def _told_before(lake: Lake, found: Traces, kept: KeptRows) -> pa.Table:
    """Of these orders what others said in events that have gone by age: order_id and FACTS. Who asked for a refund is not kept: those stay that are of no event of theirs."""
    told, schema = [], _facts_schema()
    for row in lake.rows_with(SILVER_ORDERS, "order_id", found.values[By.ORDER], columns=schema.names).to_pylist():
        statements, refunds = (
            [one for one in row[name] if one["stated_at"] < kept.begins] for name in ("statements", "refunds")
        )
        of_others = [one for one in statements if one["actor_id"] not in found.values[By.ACTOR]]
        if of_others:
            refunds = [one for one in refunds if one["message_id"] not in found.values[By.MESSAGE]]
            told.append({"order_id": row["order_id"], "statements": of_others, "refunds": refunds})
    return pa.Table.from_pylist(told, schema=schema)


def _facts_schema() -> pa.Schema:
    return pa.schema([arrow_schema(SILVER_ORDERS).field(name) for name in ("order_id", *FACTS)])


def put_sessions_right(lake: Lake, found: Traces) -> None:
    """Sessions of browsers that somebody else used, too."""
    left = _left(lake, "visitor_id", found.values[By.VISITOR], found, VISIT_COLUMNS)
    if left.num_rows:
        lake.upsert(sessions_of(lake, lake.frame(left)), SILVER_SESSIONS)


def _left(lake: Lake, column: str, values: Collection[str], found: Traces, columns: Collection[str]) -> pa.Table:
    """Events of others that say the same of `column`."""
    wanted = list(dict.fromkeys([*columns, column, "message_id", "actor_id", "is_bot", "identifiers"]))
    if not values:
        return pa.table({})
    rows = lake.rows_with(SILVER_EVENTS, column, values, columns=wanted)
    theirs = pc.is_in(rows["message_id"], value_set=pa.array(list(found.values[By.MESSAGE]), pa.string()))
    return rows.filter(pc.invert(theirs))


def put_log_right(lake: Lake, actors: Collection[str]) -> None:
    """The log of others no longer says that they were in a profile of these actors, and history says what the log says.

    Whoever came from there is said to have been new then.
    """
    sides = [lake.rows_with(SILVER_IDENTITY_LOG, column, actors) for column in ("from_profile_id", "to_profile_id")]
    gone = pa.array(list(actors), pa.string())
    rows = pa.concat_tables(sides)
    rows = rows.filter(pc.invert(pc.is_in(rows["actor_id"], value_set=gone)))
    if not rows.num_rows:
        return
    to_gone = pc.is_in(rows["to_profile_id"], value_set=gone)
    lake.delete_keys(SILVER_IDENTITY_LOG, rows.filter(to_gone).select(["change_id"]))
    kept = plain(rows.filter(pc.invert(to_gone))).drop_duplicates("change_id")
    kept["from_profile_id"] = None
    kept["type"] = "create"
    lake.upsert(arrow(kept, SILVER_IDENTITY_LOG), SILVER_IDENTITY_LOG)
    others = set(rows["actor_id"].to_pylist())
    lake.delete_keys(SILVER_IDENTITY_HISTORY, pa.table({"actor_id": pa.array(sorted(others), pa.string())}))
    told = plain(lake.rows_with(SILVER_IDENTITY_LOG, "actor_id", others))
    lake.add(arrow(history(told), SILVER_IDENTITY_HISTORY), SILVER_IDENTITY_HISTORY)
