"""What the sections of the page say, in figures and words."""

import inspect
import re
from dataclasses import asdict
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.demo.report import sections_scores
from lakehouse.demo.report.event_facts import Day, EventName
from lakehouse.demo.report.facts import PageFacts
from lakehouse.demo.report.sections_customers import customers, in_words
from lakehouse.demo.report.sections_events import (
    MOST_COLUMNS,
    SHOWN_NAMES,
    arrived,
    buckets,
    checks,
    kind_bars,
    rejected,
)
from lakehouse.demo.report.sections_identity import caption, identity, size_bands
from lakehouse.demo.report.sections_run import OWN_TOPIC, STAGES, freshness, mean_stages
from lakehouse.models.grouping import BISECTING, KMEANS, Grouping
from lakehouse.profiles import micro_batch
from lakehouse.queries import events_batch
from lakehouse.training.segment_count import Count, Quality
from tests.lakehouse.demo.report import some_facts
from tests.lakehouse.demo.report.test_page import Reader


def said(section: str) -> str:
    return Reader(section).said


def counts(bronze: int, silver: int, quarantine: int, **run: object) -> PageFacts:
    rows = {"bronze.events": bronze, "silver.events": silver, "silver.events_quarantine": quarantine}
    return some_facts.facts(rows=rows, run=some_facts.run(**run))


def test_silver_and_quarantine_and_duplicates_make_bronze() -> None:
    assert [held for held, _ in checks(counts(13, 10, 2, produced=13, duplicates=1))] == [True, True]


@pytest.mark.parametrize(
    ("silver", "verdict"),
    [(9, "Does not hold: 1 record unaccounted for."), (12, "Does not hold: 2 records too many.")],
)
def test_a_balance_that_is_off_says_by_how_much(silver: int, verdict: str) -> None:
    facts = counts(13, silver, 2, produced=13, duplicates=1)
    assert checks(facts)[1] == (False, verdict)
    assert 'class="bad"' in arrived(facts)


def test_bronze_short_of_what_was_produced_is_said() -> None:
    assert checks(counts(13, 10, 2, produced=15, duplicates=1))[0] == (
        False,
        "Does not hold: 15 produced, 13 in bronze; 2 missing.",
    )


def test_duplicates_that_were_not_counted_are_what_is_left_and_called_unchecked() -> None:
    held, words = checks(counts(13, 10, 2, produced=13, duplicates=None))[1]
    assert held is None
    assert words.startswith("Not checked: duplicates were not counted; 1")


def test_short_spans_are_shown_by_day_with_the_gaps_at_zero() -> None:
    days = [Day(day=date(2026, 1, 1), events=7, orders=1), Day(day=date(2026, 1, 3), events=3, orders=0)]
    assert buckets(days) == ([("2026-01-01", 7, 1), ("2026-01-02", 0, 0), ("2026-01-03", 3, 0)], "day")


@pytest.mark.parametrize(
    ("span", "unit"), [(60, "day"), (61, "week"), (420, "week"), (421, "month"), (1800, "month"), (1801, "year")]
)
def test_the_longer_the_span_the_wider_the_column(span: int, unit: str) -> None:
    first = date(2020, 1, 1)
    days = [Day(day=first, events=1, orders=1), Day(day=first + timedelta(days=span - 1), events=2, orders=0)]
    columns, found = buckets(days)
    assert found == unit
    assert len(columns) <= MOST_COLUMNS + 1  # a span of whole weeks may touch one week more


@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 50)), min_size=1, unique_by=lambda pair: pair[0]))
def test_no_event_is_lost_between_columns(pairs: list[tuple[int, int]]) -> None:
    first = date(2001, 3, 4)
    days = [Day(day=first + timedelta(days=d), events=n, orders=n // 2) for d, n in sorted(pairs)]
    columns, _ = buckets(days)
    assert sum(events for _, events, _ in columns) == sum(day.events for day in days)
    assert sum(orders for _, _, orders in columns) == sum(day.orders for day in days)
    assert len({at for at, _, _ in columns}) == len(columns)


def test_rare_kinds_are_summed_in_one_bar() -> None:
    names = [EventName(type="track", event=f"Kind {i}", count=100 - i) for i in range(SHOWN_NAMES + 3)]
    bars = kind_bars(names)
    assert bars[-1].name == "3 other kinds"
    assert bars[-1].value == 88 + 87 + 86
    assert sum(bar.value for bar in bars) == sum(name.count for name in names)


def test_a_reason_stands_with_its_meaning_its_count_and_an_example() -> None:
    words = said(rejected(some_facts.facts()))
    assert "analytics.js" in words
    assert "properties.coupon" in words
    assert "malformed_json The value is not one JSON document" in words
    assert "for example: expected an object" in words


def test_sizes_above_the_bands_share_the_last_and_empty_bands_at_the_end_are_left_out() -> None:
    assert size_bands({1: 5, 3: 2, 7: 1}) == [("1", 5), ("2", 0), ("3", 2), ("4", 0), ("5-9", 1)]
    assert size_bands({50: 2})[-1] == ("50+", 2)
    assert size_bands({}) == []


def test_the_caption_says_what_joins_and_what_does_not() -> None:
    assert caption(some_facts.SHARED) == (
        "3 actors, 2 profiles; held together by user_id; device_id seen on several profiles and joining none. "
        "component_id ann-lapt…"
    )


def test_precision_and_recall_are_shown_or_their_absence_is_explained() -> None:
    assert "0.9991 precision" in said(identity(some_facts.facts())) or "precision 0.9991" in said(
        identity(some_facts.facts())
    )
    assert "carries no truth" in said(identity(some_facts.facts(run=some_facts.run(truth=None))))


def test_a_segment_in_words_reads_as_a_sentence() -> None:
    champions, lost = some_facts.facts().customers.segments
    assert in_words(champions, "USD") == "Ordered 3.0 times on average, last 10 days ago, USD 115.50 each."
    assert in_words(lost, "USD") == "Ordered once on average, last 31 days ago, USD 15.00 each."


def test_segments_show_their_share_of_customers_and_of_revenue() -> None:
    words = said(customers(some_facts.facts()))
    assert "Champions, of customers: 50%" in words
    assert "Champions, of revenue: 88.5%" in words


def test_the_number_of_segments_is_explained_by_its_silhouettes() -> None:
    tried = Quality(silhouettes={3: 0.41, 4: 0.52, 5: 0.5}, davies_bouldin={}, stability={})
    other = Quality(silhouettes={3: 0.3}, davies_bouldin={}, stability={})
    count = Count(k=5, grouping=Grouping(kind=BISECTING, groups=()), tried={KMEANS: other, BISECTING: tried})
    trained = {"version": "2", "count": asdict(count)}  # as the demo tells it
    words = said(customers(some_facts.facts(run=some_facts.run(trainings=(trained,)))))
    assert (
        "of the kind that was taken, bisecting: 3: 0.410, 4: 0.520, 5: 0.500. Of those that half of the customers would give, too, the best was taken, or fewer that are nearly as good: 5."
        in words
    )


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def judged(gain: float) -> dict[str, object]:
    return {
        "version": "3",
        "train_rows": 900,
        "judgement": {
            "champion": "boosted",
            "metrics": {
                "boosted": {"log_loss": estimate(0.25), "auc": estimate(0.81)},
                "baseline: share by recency": {"log_loss": estimate(0.31), "auc": estimate(0.7)},
            },
            "gain": estimate(gain),
            "reliability": ({"count": 90, "predicted": 0.1, "observed": 0.12}, {"count": 90, "predicted": 0.5, "observed": 0.45}),
        },
    }  # fmt: skip


def test_a_judged_model_stands_beside_its_baseline_with_intervals() -> None:
    words = said(sections_scores.scores(some_facts.facts(run=some_facts.run(trainings=(judged(0.02),)))))
    assert "Boosted is better than the best of the simple rules: its Brier score is lower by 0.0200" in words
    assert "0.810 0.800 to 0.820" in words
    assert "90 profiles: predicted 10.0%, observed 12.0%" in words


def test_a_model_that_is_not_better_is_not_called_better() -> None:
    words = said(sections_scores.scores(some_facts.facts(run=some_facts.run(trainings=(judged(0.005),)))))
    assert "Boosted is not shown to be better" in words


def test_a_plain_summary_puts_a_metric_beside_its_baseline() -> None:
    trained = {"name": "propensity", "auc": 0.8, "baseline_auc": 0.7, "rows": 900}
    words = said(sections_scores.scores(some_facts.facts(run=some_facts.run(trainings=(trained,)))))
    assert "ROC AUC, model: 0.800" in words
    assert "ROC AUC, baseline: 0.700" in words
    assert "Rows 900" in words


def test_the_recommender_stands_beside_popularity_and_is_no_score_model() -> None:
    contest = {"validation_ndcg": 0.5, "figures": {"ALS": {"ndcg": 0.1}}}
    trained = {
        "name": "recommender",
        "version": "1",
        "ndcg": 0.31,
        "baseline_ndcg": 0.25,
        "found": contest,
        "folder": "x",
    }
    words = said(sections_scores.scores(some_facts.facts(run=some_facts.run(trainings=(trained,)))))
    assert "NDCG at 20, model: 0.310" in words
    assert "NDCG at 20, baseline: 0.250" in words
    assert "ALS" not in words
    assert "This run trained no score model" in words


def test_every_stage_of_a_micro_batch_is_drawn_in_words() -> None:
    sources = (inspect.getsource(module) for module in (micro_batch, events_batch))
    stages = {stage for source in sources for stage in re.findall(r'\.stage\("(\w+)"\)', source)}
    assert stages - {"total"} == set(STAGES)


def test_stage_means_leave_out_the_total_and_batches_without_the_stage() -> None:
    assert mean_stages([{"silver": 1.0, "gold": 3.0, "total": 4.2}, {}, {"silver": 2.0, "total": 2.1}]) == {
        "silver": 1.5,
        "gold": 3.0,
    }


def test_freshness_tells_every_micro_batch_that_was_timed() -> None:
    words = said(freshness(some_facts.facts()))
    assert "batch 0: 9 records, half within 4.0 s, 99% within 7.5 s" in words
    assert "batch 2: 4 records" in words
    assert "batch 1" not in words


def test_an_own_topic_takes_five_lines() -> None:
    assert len(OWN_TOPIC.splitlines()) == 5
