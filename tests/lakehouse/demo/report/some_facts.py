"""Facts of a page made by hand: no Spark. Every part can be replaced."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from lakehouse.demo.report.customer_facts import CustomerFacts, RfmCell, ScoreFacts, SegmentFacts
from lakehouse.demo.report.event_facts import Day, EventFacts, EventName, LeftEmpty, Rejection
from lakehouse.demo.report.facts import PageFacts, TableFact
from lakehouse.demo.report.identity_examples import GraphActor, GraphEdge, GraphExample
from lakehouse.demo.report.identity_facts import IdentifierType, IdentityFacts
from lakehouse.demo.report.run import BatchTiming, RunFacts, TruthScores

START, END = datetime(2026, 3, 1, 12, 0, tzinfo=UTC), datetime(2026, 3, 1, 12, 3, 20, tzinfo=UTC)

SHARED = GraphExample(
    kind="shared",
    component="ann-laptop",
    actors=(
        GraphActor(actor="ann-phone", profile="ann-phone", first_seen=1),
        GraphActor(actor="ann-tv", profile="ann-phone", first_seen=3),
        GraphActor(actor="bob-tv", profile="bob-tv", first_seen=2),
    ),
    edges=(
        GraphEdge(actor="ann-phone", type="user_id", digest="a11a11"),
        GraphEdge(actor="ann-tv", type="user_id", digest="a11a11"),
        GraphEdge(actor="ann-tv", type="device_id", digest="700700"),
        GraphEdge(actor="bob-tv", type="device_id", digest="700700"),
        GraphEdge(actor="bob-tv", type="user_id", digest="b0bb0b"),
    ),
    component_actors=3,
    component_profiles=2,
)


def run(**changes: Any) -> RunFacts:
    values: dict[str, Any] = {
        "source": "shop", "produced": 13, "started_at": START, "finished_at": END,
        "phases": {"stream": 100.0, "train": 80.0}, "duplicates": 1,
        "batches": (
            BatchTiming(batch_id=0, rows=9, p50_seconds=4.0, p99_seconds=7.5, stages={"silver": 1.0, "gold": 3.0, "total": 4.2}),
            BatchTiming(batch_id=1, rows=0),
            BatchTiming(batch_id=2, rows=4, p50_seconds=3.0, p99_seconds=3.5, stages={"silver": 2.0, "total": 2.1}),
        ),
        "truth": TruthScores(precision=0.9991, recall=0.8120, reachable_recall=0.9934),
    }  # fmt: skip
    return RunFacts(**values | changes)


def facts(*, rows: dict[str, int] | None = None, **changes: Any) -> PageFacts:
    counts = {"bronze.events": 13, "silver.events": 10, "silver.events_quarantine": 2} if rows is None else rows
    values: dict[str, Any] = {
        "run": run(),
        "root": "/data/lake",
        "currency": "USD",
        "tables": [TableFact(name=n, grain="one row per thing", path=f"/data/lake/{n}", rows=c) for n, c in counts.items()],
        "events": EventFacts(
            names=(EventName(type="track", event="Product Viewed", count=6), EventName(type="identify", event=None, count=4)),
            days=(Day(day=date(2026, 1, 1), events=7, orders=1), Day(day=date(2026, 1, 3), events=3, orders=0)),
            rejections=(Rejection(reason="malformed_json", count=2, example="expected an object"),),
            left_empty=(LeftEmpty(source="analytics.js", field="properties.coupon", reason="wrong_type", count=3),),
            bots=1,
        ),
        "identity": IdentityFacts(
            actors=7, profiles=3, components=2, largest_profile=4,
            types=(IdentifierType(type="user_id", distinct=2, shared=2, across_profiles=0),),
            profile_sizes={1: 1, 2: 1, 4: 1}, component_sizes={1: 1, 6: 1},
            changes={"create": 4, "merge": 1}, causes={"user_id": 6, None: 1}, examples=(SHARED,),
        ),
        "customers": CustomerFacts(
            as_of=END, customers=2, repeat_customers=1, orders=4, revenue=Decimal("130.50"),
            cells=(RfmCell(r=5, f=5, profiles=1, mean_monetary=115.5), RfmCell(r=2, f=1, profiles=1, mean_monetary=15.0)),
            segments=(
                SegmentFacts(name="champions", profiles=1, recency_days=10, frequency=3, monetary=115.5, revenue=Decimal("115.50")),
                SegmentFacts(name="lost one-time buyers", profiles=1, recency_days=31, frequency=1, monetary=15, revenue=Decimal(15)),
            ),
            segment_versions=("2",), actions={"recommend": 1, "nurture": 1, "welcome": 1},
        ),
        "scores": ScoreFacts(scored=3, histogram=(1, 0, 0, 1, *([0] * 8), 1, *([0] * 7)), mean=0.2767, versions=("1",)),
    }  # fmt: skip
    return PageFacts(**values | changes)


def nothing() -> PageFacts:
    """An empty lake after a run that did nothing."""
    idle = RunFacts(source="shop", produced=0, started_at=START, finished_at=END)
    return PageFacts(
        run=idle, root="/data/lake", currency="USD", tables=(), events=EventFacts(), identity=IdentityFacts(),
        customers=CustomerFacts(), scores=ScoreFacts(),
    )  # fmt: skip
