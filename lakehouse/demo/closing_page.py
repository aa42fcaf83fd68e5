"""What the demo says when it is done: the page, and a few lines for the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import functions as F

from lakehouse.demo.evaluation import pair_scores
from lakehouse.demo.freshness import end_offsets, latencies, per_batch, produced
from lakehouse.demo.report.facts import gather
from lakehouse.demo.report.page import render
from lakehouse.demo.report.run import BatchTiming, RunFacts, TruthScores
from lakehouse.demo.sources import DemoSource
from lakehouse.lake.delta import Lake
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.check import balance
from lakehouse.queries import events
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP


@dataclass(frozen=True, kw_only=True)
class Ending:
    source: DemoSource
    produced: int
    started_at: datetime
    phases: Mapping[str, float]
    trainings: Sequence[Mapping[str, object]]
    records: Sequence[BatchRecord]
    page: Path


def write_page(ending: Ending, lake: Lake) -> str:
    """Write truth (beside the lake) and page; the closing lines."""
    counted = balance(lake)
    truth = _truth(ending, lake)
    run = RunFacts(
        source=ending.source.name,
        produced=ending.produced,
        started_at=ending.started_at,
        finished_at=datetime.now(UTC),
        phases=ending.phases,
        batches=_batches(ending, lake),
        duplicates=counted.repeats,
        truth=truth,
        trainings=ending.trainings,
    )
    facts = gather(lake, run=run)
    ending.page.write_text(render(facts), encoding="utf-8")
    lines = [
        f"produced   {ending.produced:>9,}",
        f"bronze     {counted.bronze:>9,}",
        f"silver     {facts.rows('silver.events'):>9,}",
        f"quarantine {facts.rows('silver.events_quarantine'):>9,}",
        f"duplicates {counted.repeats:>9,}",
        f"profiles   {facts.rows('gold.activation'):>9,}",
        f"with orders{facts.rows('gold.rfm'):>9,}",
    ]
    if truth is not None:
        lines.append(
            f"identity    precision {truth.precision:.4f}, recall {truth.recall:.4f} of all pairs, {truth.reachable_recall:.4f} of "
            f"those that can be told ({truth.scope})"
        )
    return "\n".join([*lines, f"report      {ending.page.resolve()}"])


def _batches(ending: Ending, lake: Lake) -> list[BatchTiming]:
    ends = end_offsets(lake.checkpoint(events.NAME), lake.config.kafka.events_topic)
    times = produced(lake).toPandas()
    waits = latencies(ending.records, ends, times)
    return [
        BatchTiming(
            batch_id=batch.batch_id,
            rows=batch.rows,
            p50_seconds=batch.p50_seconds,
            p99_seconds=batch.p99_seconds,
            stages=batch.stages,
        )
        for batch in per_batch(ending.records, waits)
    ]


def _truth(ending: Ending, lake: Lake) -> TruthScores | None:
    if ending.source.write_truth is None:
        return None
    folder = Path(f"{lake.root.rstrip('/')}.truth")
    ending.source.write_truth(folder)
    identity_map = lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id")
    events = lake.read(SILVER_EVENTS).where(~F.col("is_bot")).select("message_id", "actor_id")
    profiles = events.join(identity_map, on="actor_id", how="inner").select("message_id", "profile_id").toPandas()
    scores = pair_scores(folder, dict(zip(profiles["message_id"], profiles["profile_id"], strict=True)))
    return TruthScores(
        precision=scores.precision,
        recall=scores.recall,
        reachable_recall=scores.reachable_recall,
        scope="pairs of actors; those can be told that unshared identifiers connect",
    )
