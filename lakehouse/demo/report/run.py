"""What a run measured itself and no table can tell. The demo fills these in; the page shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class BatchTiming:
    """One micro-batch of the `events` query.

    `rows`: records read. `p50_seconds`, `p99_seconds`: produced-to-committed-in-gold over those records; None = it read
    none that was timed. `stages`: seconds by stage, in the order they ran; `total` is their sum and more.
    """

    batch_id: int
    rows: int
    p50_seconds: float | None = None
    p99_seconds: float | None = None
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TruthScores:
    """Pairwise precision and recall, 0..1, of the profiles against a known truth. `scope` says which truth, in words."""

    precision: float
    recall: float
    reachable_recall: float
    scope: str = "every pair of actors that the source knows to be one person"


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """One run of the demo.

    `produced`: records sent to the topic. Times are UTC. `phases`: seconds by phase, in the order they ran. `duplicates`: records
    dropped as repeats, counted apart from silver and quarantine; None = not counted. `trainings`: one summary per
    model trained, free in its keys, see lakehouse/demo/report/trainings.py.
    """

    source: str
    produced: int
    started_at: datetime
    finished_at: datetime
    phases: Mapping[str, float] = field(default_factory=dict)
    batches: Sequence[BatchTiming] = ()
    duplicates: int | None = None
    truth: TruthScores | None = None
    trainings: Sequence[Mapping[str, object]] = ()
