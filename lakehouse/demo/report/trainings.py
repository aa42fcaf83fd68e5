"""Training summaries as the page shows them: what `train` returned, as plain dicts.

Three shapes: `count`, with silhouettes by number of clusters (segments); a `judgement` of contenders against baselines on held-out time
(scores); anything else, whose numbers are listed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lakehouse.demo.report import words

NOT_METRICS = ("model", "name", "version", "model_version", "alias", "run_id", "judgement", "count", "found")
MOST_METRICS = 16
NAMES = {
    "auc": "ROC AUC",
    "roc_auc": "ROC AUC",
    "ndcg": "NDCG at 20",
    "pr_auc": "Area under precision-recall",
    "brier": "Brier score, lower is better",
    "brier_score": "Brier score, lower is better",
    "log_loss": "Log loss, lower is better",
    "ece": "Calibration error, lower is better",
    "calibration_error": "Calibration error, lower is better",
}


@dataclass(frozen=True)
class Metric:
    """One figure of a training summary, and the baseline's where there is one."""

    name: str
    value: float
    baseline: float | None = None

    @property
    def figure(self) -> str:
        return number(self.value)

    @property
    def baseline_figure(self) -> str:
        return "" if self.baseline is None else number(self.baseline)


def number(value: float) -> str:
    """A metric: a count, a share, or a figure with two decimals.

    >>> number(0.81234), number(4210.0), number(12.5)
    ('0.812', '4,210', '12.50')
    """
    if value == int(value) and abs(value) >= 1:
        return words.count(value)
    return f"{value:,.3f}" if abs(value) < 1 else f"{value:,.2f}"


def metrics(summary: Mapping[str, object]) -> list[Metric]:
    """The finite numbers of a summary, in its order, at most MOST_METRICS.

    `baseline_auc`, or `auc` inside a nested `baseline`, becomes the baseline of `auc`. Other nested mappings are
    flattened with their name before. Text, flags and lists are left out.

    >>> metrics({"model": "scores", "auc": 0.8, "baseline_auc": 0.7, "rows": 900})
    [Metric(name='ROC AUC', value=0.8, baseline=0.7), Metric(name='Rows', value=900.0, baseline=None)]
    """
    flat = _flat(summary)
    baselines = {key.removeprefix("baseline_"): value for key, value in flat.items() if key.startswith("baseline_")}
    own = {key: value for key, value in flat.items() if not key.startswith("baseline_")}
    lonely = {f"baseline_{key}": value for key, value in baselines.items() if key not in own}
    found = [
        Metric(NAMES.get(key, words.plain(key)), value, baselines.get(key)) for key, value in (own | lonely).items()
    ]
    return found[:MOST_METRICS]


def _flat(summary: Mapping[str, object], prefix: str = "") -> dict[str, float]:
    flat: dict[str, float] = {}
    for key, value in summary.items():
        if key in NOT_METRICS or isinstance(value, bool):
            continue
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}_")
        elif isinstance(value, int | float | Decimal) and math.isfinite(value):
            flat[f"{prefix}{key}"] = float(value)
    return flat


def title(summary: Mapping[str, object]) -> str:
    """What was trained: `name` or `model` where it is text."""
    names = (summary.get(key) for key in ("name", "model"))
    return next((name for name in names if isinstance(name, str) and name), "score model")


def version(summary: Mapping[str, object]) -> str:
    """The registered version in words; empty where it is not given."""
    found = summary.get("version", summary.get("model_version"))
    return "" if found is None else f"Version {found} in the registry."


def silhouettes(summary: Mapping[str, object]) -> dict[int, float]:
    """Mean silhouette by number of clusters tried, of the kind that a segments training took; empty for any other.

    >>> silhouettes({"count": {"k": 4, "grouping": {"kind": "kmeans"}, "tried": {"kmeans": {"silhouettes": {3: 0.41, 4: 0.52}}}}})
    {3: 0.41, 4: 0.52}
    """
    tried = _count(summary).get("tried", {}).get(kind(summary), {})
    return {int(k): float(value) for k, value in tried.get("silhouettes", {}).items()}


def kind(summary: Mapping[str, object]) -> str | None:
    """The kind of clusters taken, of a segments training."""
    taken = _count(summary).get("grouping", {}).get("kind")
    return None if taken is None else str(taken)


def clusters(summary: Mapping[str, object]) -> int | None:
    """The number of clusters taken, of a segments training."""
    k = _count(summary).get("k")
    return None if k is None else int(k)


def _count(summary: Mapping[str, object]) -> Mapping[str, Any]:
    count = summary.get("count")
    return count if isinstance(count, Mapping) else {}


@dataclass(frozen=True)
class IntervalEstimate:
    """A figure and its 95% interval."""

    value: float
    low: float
    high: float

    @property
    def interval(self) -> str:
        return f"{number(self.low)} to {number(self.high)}"


@dataclass(frozen=True)
class Judged:
    """The verdict on a score model, on time it had not seen.

    `metrics`: by contender or baseline, then by metric. `gain`: Brier score of the best baseline less the champion's.
    `reliability`: (profiles, mean predicted, share observed) by tenths of the profiles.
    """

    champion: str
    metrics: Mapping[str, Mapping[str, IntervalEstimate]]
    gain: IntervalEstimate | None
    reliability: tuple[tuple[int, float, float], ...]


def judgement(summary: Mapping[str, object]) -> Judged | None:
    """The judgement inside a summary; None where it has none."""
    found = summary.get("judgement")
    if not isinstance(found, Mapping) or not isinstance(found.get("metrics"), Mapping):
        return None
    gain = found.get("gain")
    return Judged(
        champion=str(found.get("champion", "")),
        metrics={who: {name: _estimate(e) for name, e in of_one.items()} for who, of_one in found["metrics"].items()},
        gain=None if gain is None else _estimate(gain),
        reliability=tuple((b["count"], b["predicted"], b["observed"]) for b in found.get("reliability", ())),
    )


def _estimate(found: Mapping[str, float]) -> IntervalEstimate:
    return IntervalEstimate(value=found["value"], low=found["low"], high=found["high"])
