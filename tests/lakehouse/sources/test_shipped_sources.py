"""Every shipped source from its files to gold: orders, money and customers are what DuckDB finds in the raw files.

The files are our own, made from the vendors' published formats. All of them come into one lake, in one micro-batch.
"""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from lakehouse.config.paths import SOURCES
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import Champions
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.queries import events as query
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.sources.history import Tally, messages
from lakehouse.sources.known_messages import KnownMessages
from lakehouse.sources.record_files import records
from lakehouse.sources.source import Source
from lakehouse.tables.events import SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from tests.rows import add_batch, stream
from tests.small_lake import copy_empty_tables

SAMPLES = Path(__file__).with_name("samples")
# source -> (file, order_id and net revenue of each order, who bought it) in DuckDB, on the raw file alone.
FILES = {
    "shopify-orders": (
        "shopify-orders.json",
        """
        with sent as (select unnest(orders) o from read_json('{file}', maximum_object_size=100000000)),
        refunds as (
            select id, sum((t->>'amount')::decimal(18,2)) amount from (
                select id, unnest((r->'transactions')::json[]) t from (select o.id id, unnest((to_json(o)->'refunds')::json[]) r from sent)
            ) where (t->>'kind') = 'refund' and (t->>'status') = 'success' group by all
        )
        select o.id::varchar, case when amount > 0 then o.total_price::decimal(18,2) - amount
            else o.current_total_price::decimal(18,2) end, coalesce(o.email, o.phone)
        from sent left join refunds on refunds.id = o.id
        where not o.test and o.cancelled_at is null and o.financial_status <> 'voided'
        """,
    ),
    "shopify-orders-csv": (
        "shopify-orders.csv",
        """
        select max("Id"), max("Total"::decimal(18,2)) - coalesce(max("Refunded Amount"::decimal(18,2)), 0),
            coalesce(max("Email"), max("Phone"))
        from read_csv('{file}', all_varchar=true) group by "Name" having max("Cancelled at") is null
        """,
    ),
    "woocommerce-orders": (
        "woocommerce-orders.json",
        """
        select id::varchar, total::decimal(18,2) + coalesce(list_sum(list_transform(refunds, lambda r: r.total::decimal(18,2))), 0), billing.email
        from read_json('{file}') where status in ('processing', 'on-hold', 'completed', 'refunded')
        """,
    ),
    "ga4": (
        "ga4.jsonl",
        """
        select ecommerce.transaction_id, max(ecommerce.purchase_revenue)::decimal(18,2) - coalesce(sum(ecommerce.refund_value), 0)::decimal(18,2),
            max(user_pseudo_id)
        from read_json('{file}') where event_name in ('purchase', 'refund') and ecommerce.transaction_id <> '(not set)' group by all
        """,
    ),
    "snowplow": (
        "snowplow.tsv",
        """
        with lines as (select string_split(line, chr(9)) c from (select unnest(string_split(content, chr(10))) line from read_text('{file}')) where line <> ''),
        entities as (select c, unnest((c[53]::json->'data')::json[]) e from lines where c[53] <> ''),
        orders as (
            select e->'data'->>'transaction_id' id, (e->'data'->>'revenue')::decimal(18,2) worth, c[16] who
            from entities where (e->>'schema') like '%/transaction/%'
            union all select c[60], c[62]::decimal(18,2), c[16] from lines where c[60] <> ''
        ),
        refunds as (
            select e->'data'->>'transaction_id' id, (e->'data'->>'refund_amount')::decimal(18,2) back
            from entities where (e->>'schema') like '%/refund/%'
        )
        select id, worth - coalesce((select sum(back) from refunds where refunds.id = orders.id), 0), who from orders
        """,
    ),
    "rudderstack": (
        "rudderstack.jsonl",
        """
        with sent as (select distinct on (messageId) *, coalesce(properties->>'order_id', properties->>'orderId') id from (
            select messageId, event, anonymousId, properties::json properties from read_json('{file}')) where event is not null),
        back as (select id, sum((properties->>'total')::decimal(18,2)) amount from sent where event = 'Order Refunded' group by id)
        select id, coalesce(properties->>'revenue', properties->>'total')::decimal(18,2) - coalesce(amount, 0), anonymousId
        from sent left join back using (id) where lower(event) in ('order completed', 'order_completed', 'completed order')
            and id not in (select id from sent where event = 'Order Cancelled')
        """,
    ),
    "segment": (
        "segment.jsonl",
        """
        with sent as (select e->>'event' event, e->'properties' said, e->>'userId' who, e->>'timestamp' happened from (
            select unnest((batch::json)::json[]) e from read_json('{file}')))
        select said->>'order_id', max_by(coalesce(said->>'revenue', said->>'total')::decimal(18,2), happened)
                filter (where event <> 'Order Refunded') * (1 - max((event = 'Order Refunded')::int)), max(who)
        from sent where event like 'Order %' group by all
        """,
    ),
    "simple-events": (
        "simple-events.jsonl",
        """
        with sent as (select *, row_number() over () n from read_json('{file}'))
        select coalesce(order_id, 'of row ' || n),
            coalesce(total::decimal(18,2), price * quantity)::decimal(18,2)
            - coalesce((select sum(r.amount) from sent r where r.event = 'refund' and r.order_id = sent.order_id), 0)::decimal(18,2), customer_id
        from sent where event = 'purchase'
        """,
    ),
}  # fmt: skip
# source -> (visitor, when) of each event of a visit, in DuckDB, on the raw file alone.
VISITS = {
    "ga4": """
        select user_pseudo_id, make_timestamp(event_timestamp::bigint) from read_json('{file}')
        where event_name <> 'purchase' or ecommerce.transaction_id <> '(not set)'
    """,
    "snowplow": """
        select c[16], coalesce(nullif(c[125], ''), c[4])::timestamp from (
            select string_split(unnest(string_split(content, chr(10))), chr(9)) c from read_text('{file}')) where len(c) > 1
    """,
    "rudderstack": "select distinct anonymousId, originalTimestamp::timestamp from read_json('{file}')",
    "simple-events": """
        select coalesce(visitor_id, 'user_id:' || customer_id), case when regexp_full_match(timestamp->>'$', '[0-9]+')
            then make_timestamp((timestamp->>'$')::bigint * 1000000) else (timestamp->>'$')::timestamp end
        from read_json('{file}') where event <> 'refund' and timestamp is not null
    """,
}  # fmt: skip
SESSIONS = """
    select who, count(*) from (select who, happened - lag(happened) over (partition by who order by happened) gap from ({visits}) visits(who, happened))
    where gap is null or gap > interval 30 minutes group by who
"""
PEOPLE = "crm.csv"
ARRIVAL = datetime(2026, 1, 1, tzinfo=UTC)  # after all that the files tell
WRITTEN = datetime(2025, 12, 1, tzinfo=UTC).timestamp()  # the file of people, of whom one has no time of their own
UNMAPPED = {"simple-events": 2}
SENT_TWICE = {"rudderstack": 1}  # under one id, as a library does that was not answered
REJECTED = {"ga4": 1}  # a purchase that names no order


def source(name: str, lake: Lake) -> Source:
    return Source.named(name, SOURCES, lake.config)


def send(lake: Lake, known: KnownMessages) -> dict[str, Tally]:
    """The messages of all files as one micro-batch; what became of the records of each source."""
    values: list[bytes | None] = []
    tallies: dict[str, Tally] = {}
    people = Path(shutil.copy(SAMPLES / PEOPLE, Path(lake.root).parent))
    os.utime(people, (WRITTEN, WRITTEN))
    for name, file in [*((name, SAMPLES / file) for name, (file, _) in FILES.items()), ("crm", people)]:
        tallies[name] = Tally()
        found = messages([file], source(name, lake), known, tallies[name], lambda *_: None)
        values += [one.value for one in found]
    add_batch(Path(lake.root).parent / "records", values, arrival=ARRIVAL)
    return tallies


def drain(lake: Lake) -> None:
    records_ = stream(lake.spark, Path(lake.root).parent / "records")
    query.writer(lake, records_, MicroBatch(lake, Champions(lake.config))).trigger(
        availableNow=True
    ).start().awaitTermination()


@pytest.fixture(scope="module")
def filled(new_lake: Callable[[str], Lake]) -> tuple[Lake, dict[str, Tally]]:
    """A lake that took in every file; for tests that only look."""
    lake = new_lake("sources")
    copy_empty_tables(lake)
    tallies = send(lake, KnownMessages([], [], lambda _: None))
    drain(lake)
    return lake, tallies


def fetched(sql: str) -> list[Any]:
    relation = duckdb.sql(sql)
    assert relation is not None
    return relation.fetchall()


def raw(name: str) -> list[tuple[str, Decimal, str]]:
    """(order, what is left of it, who bought) of the raw file, by DuckDB."""
    file, sql = FILES[name]
    return fetched(sql.format(file=SAMPLES / file))


def test_orders_and_money_of_each_source_are_those_of_its_raw_file(filled: tuple[Lake, dict[str, Tally]]) -> None:
    lake, _ = filled
    held = {
        row["order_id"]: row["revenue"]
        for row in lake.read(SILVER_ORDERS).where(F.col("ordered_at").isNotNull()).collect()
    }
    for name in FILES:
        for order, worth, _who in raw(name):
            if not order.startswith("of row"):
                assert held.pop(order) == worth, (name, order)
    # Purchases that name no order are orders of their own, under an id of their record.
    unnamed = [worth for order, worth, _who in raw("simple-events") if order.startswith("of row")]
    assert sorted(held.values()) == sorted(unnamed)


def test_customers_and_their_money_in_gold_are_those_of_the_raw_files(filled: tuple[Lake, dict[str, Tally]]) -> None:
    lake, _ = filled
    spent: dict[tuple[str, str], list[Decimal]] = {}
    for name in FILES:
        for _order, worth, who in raw(name):
            spent.setdefault((name, who), []).append(worth)
    gold = lake.read(GOLD_RFM).select("frequency", "monetary").collect()
    assert sorted((row["frequency"], row["monetary"]) for row in gold) == sorted(
        (len(all_), sum(all_)) for all_ in spent.values()
    )


def test_sessions_of_each_visitor_are_those_of_the_raw_files(filled: tuple[Lake, dict[str, Tally]]) -> None:
    lake, _ = filled
    known = {
        visitor: count
        for name, sql in VISITS.items()
        for visitor, count in fetched(SESSIONS.format(visits=sql.format(file=SAMPLES / FILES[name][0])))
    }
    held = {
        row["visitor_id"]: row["count"] for row in lake.read(SILVER_SESSIONS).groupBy("visitor_id").count().collect()
    }
    assert held.pop("s-1") == 1  # of Segment's batch: one page
    assert held == known


def test_what_is_no_event_is_in_quarantine_under_its_source(filled: tuple[Lake, dict[str, Tally]]) -> None:
    lake, tallies = filled
    assert {name: tally.unmapped for name, tally in tallies.items() if tally.unmapped} == UNMAPPED
    rows = (
        lake.read(SILVER_EVENTS_QUARANTINE)
        .groupBy("reason", F.split_part("detail", F.lit(":"), F.lit(1)).alias("source"))
        .count()
    )
    assert {(row["reason"], row["source"]): row["count"] for row in rows.collect()} == {
        **{("unmapped", name): count for name, count in UNMAPPED.items()},
        ("missing_field", "properties.order_id"): REJECTED["ga4"],
    }


def test_every_record_is_an_event_or_quarantined_or_declared_to_be_none(filled: tuple[Lake, dict[str, Tally]]) -> None:
    lake, tallies = filled
    taken = lake.read(SILVER_EVENTS).count() + lake.read(SILVER_EVENTS_QUARANTINE).count()
    told = sum(tally.skipped + tally.known for tally in tallies.values()) + sum(SENT_TWICE.values())
    assert sum(tally.records for tally in tallies.values()) == taken + told


def test_files_that_are_imported_again_however_late_send_nothing(filled: tuple[Lake, dict[str, Tally]]) -> None:
    lake, tallies = filled
    known = KnownMessages.of(lake.config, has_broker=False)
    for name, file in [*((name, file) for name, (file, _) in FILES.items()), ("crm", PEOPLE)]:
        tally = Tally()
        assert list(messages([SAMPLES / file], source(name, lake), known, tally, lambda *_: None)) == []
        assert tally.known == tallies[name].sent + tallies[name].known


def test_json_and_tsv_of_snowplow_are_the_same_events(filled: tuple[Lake, dict[str, Tally]]) -> None:
    of = source("snowplow", filled[0])
    both = [
        [of.mapped(record, "r").document for record in records(SAMPLES / file, of.format, of.config)]
        for file in ("snowplow.tsv", "snowplow.jsonl")
    ]
    assert both[0] == both[1]


def test_parquet_and_json_of_ga4_are_the_same_events(filled: tuple[Lake, dict[str, Tally]], tmp_path: Path) -> None:
    of = source("ga4", filled[0])
    sent = list(records(SAMPLES / "ga4.jsonl", of.format, of.config))
    path = tmp_path / "ga4.parquet"
    pq.write_table(
        pa.Table.from_pylist(
            [{**(one.content or {}), "event_timestamp": int((one.content or {})["event_timestamp"])} for one in sent]
        ),
        path,
    )
    assert [of.mapped(one, "r") for one in records(path, of.format, of.config)] == [of.mapped(one, "r") for one in sent]
