"""`gather` on the small lake: every figure worked out by hand from tests/small_lake.py."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession

from lakehouse.catalog import TABLES
from lakehouse.demo.report.customer_facts import CustomerFacts, RfmCell, ScoreFacts, SegmentFacts
from lakehouse.demo.report.event_facts import Day, EventFacts, EventName, Rejection
from lakehouse.demo.report.facts import PageFacts, gather
from lakehouse.demo.report.identity_facts import IdentifierType, IdentityFacts
from lakehouse.demo.report.page import render
from tests import small_lake
from tests.lakehouse.demo.report import some_facts


@pytest.fixture(scope="module")
def gathered(_session: SparkSession) -> PageFacts:
    return gather(small_lake.shared(_session), run=some_facts.run())


def test_every_table_is_listed_with_its_rows_and_path(gathered: PageFacts, spark: SparkSession) -> None:
    lake = small_lake.shared(spark)
    assert {t.name: t.rows for t in gathered.tables} == {name: len(small_lake.ROWS.get(name, ())) for name in TABLES}
    assert [(t.name, t.path) for t in gathered.tables] == [(name, lake.path(table)) for name, table in TABLES.items()]
    assert gathered.rows("silver.events") == 10
    assert gathered.rows("silver.nothing") == 0


def test_events_are_counted_by_kind_and_day(gathered: PageFacts) -> None:
    assert {(n.type, n.event): n.count for n in gathered.events.names} == {
        ("track", "Order Completed"): 4,
        ("track", "Product Viewed"): 3,
        ("track", "Order Refunded"): 1,
        ("track", "Product Added"): 1,
        ("identify", None): 1,
    }
    assert gathered.events.names[0] == EventName(type="track", event="Order Completed", count=4)
    assert gathered.events.days[:2] == (
        Day(day=date(2026, 1, 5), events=1, orders=1),
        Day(day=date(2026, 1, 7), events=3, orders=1),
    )
    assert sum(day.events for day in gathered.events.days) == 10


def test_rejections_carry_their_most_frequent_detail(gathered: PageFacts) -> None:
    assert gathered.events.rejections == (
        Rejection(reason="not_json", count=1, example="expected a JSON object"),
        Rejection(reason="oversized", count=1, example="got 40960 bytes, expected at most 32768"),
    )


def test_identity_counts_actors_profiles_components_and_identifiers(gathered: PageFacts) -> None:
    known = gathered.identity
    assert (known.actors, known.profiles, known.components, known.largest_profile) == (7, 3, 2, 4)
    assert (known.profile_sizes, known.component_sizes) == ({1: 1, 2: 1, 4: 1}, {1: 1, 6: 1})
    assert known.changes == {"create": 4, "attach": 3, "merge": 1}
    assert known.causes == {"user_id": 5, "anonymous_id": 1, None: 1}
    assert known.types == (
        IdentifierType(type="anonymous_id", distinct=4, shared=1, across_profiles=0),
        IdentifierType(type="user_id", distinct=2, shared=2, across_profiles=0),
        IdentifierType(type="device_id", distinct=1, shared=1, across_profiles=1),
        IdentifierType(type="email", distinct=1, shared=0, across_profiles=0),
    )


def test_the_shared_component_is_the_example_and_its_identifiers_are_digests(gathered: PageFacts) -> None:
    (example,) = gathered.identity.examples
    assert (example.kind, example.component_actors, example.component_profiles) == ("shared", 6, 2)
    assert {a.actor: a.profile for a in example.actors} == {
        "ann-phone": "ann-phone", "ann-laptop": "ann-phone", "ann-login": "ann-phone", "ann-tv": "ann-phone",
        "bob-web": "bob-web", "bob-tv": "bob-web",
    }  # fmt: skip
    assert len(example.edges) == 12
    on_television = [e.actor for e in example.edges if e.type == "device_id"]
    assert on_television == ["ann-tv", "bob-tv"]
    assert {len(e.digest) for e in example.edges} == {12}
    assert not {e.digest for e in example.edges} & {"tv-1", "tok-ann", "ann", "bob"}


def test_customers_are_counted_from_the_newest_event(gathered: PageFacts) -> None:
    known = gathered.customers
    assert known.as_of == datetime(2026, 2, 20, 10, 0, tzinfo=UTC)
    assert (known.customers, known.repeat_customers, known.orders, known.revenue) == (2, 1, 4, Decimal("130.50"))
    assert known.cells == (
        RfmCell(r=2, f=1, profiles=1, mean_monetary=15.0),
        RfmCell(r=5, f=5, profiles=1, mean_monetary=115.5),
    )
    assert known.actions == {"nurture": 1, "recommend": 1, "welcome": 1}


def test_segments_are_the_open_ones_largest_revenue_first(gathered: PageFacts) -> None:
    champions, lost = gathered.customers.segments
    assert champions == SegmentFacts(
        name="champions",
        profiles=1,
        recency_days=pytest.approx(9 + 22 / 24),  # 10 February 12:00 to 20 February 10:00
        frequency=3.0,
        monetary=115.5,
        revenue=Decimal("115.50"),
    )
    assert lost.name == "lost one-time buyers"
    assert gathered.customers.segment_versions == ("2",)


def test_scores_fall_into_twenty_bins(gathered: PageFacts) -> None:
    assert {i: n for i, n in enumerate(gathered.scores.histogram) if n} == {0: 1, 3: 1, 12: 1}
    assert len(gathered.scores.histogram) == 20
    assert gathered.scores.mean == pytest.approx((0.62 + 0.18 + 0.03) / 3)
    assert (gathered.scores.scored, gathered.scores.versions) == (3, ("1",))


def test_the_page_of_the_small_lake_balances_and_shows_no_identifier_or_trait(gathered: PageFacts) -> None:
    page = render(gathered)
    assert "Holds: every record of bronze is accounted for." in page
    for value in ("ann@example.com", "tok-ann", "laptop-1", "tv-1", "{oops"):
        assert value not in page


def test_an_empty_lake_gives_empty_facts(spark: SparkSession) -> None:
    found = gather(small_lake.empty(spark), run=some_facts.run())
    assert found.events == EventFacts()
    assert found.identity == IdentityFacts()
    assert found.customers == CustomerFacts()
    assert found.scores == ScoreFacts()
    assert [t.rows for t in found.tables] == [0] * len(TABLES)
