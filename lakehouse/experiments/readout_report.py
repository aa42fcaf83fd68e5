"""A read-out for a person, and as the JSON a command ends with."""

import math
from collections.abc import Sequence
from typing import Any

from lakehouse.experiments.readout import ArmComparison, ReadOut
from lakehouse.experiments.sample_ratio import BLOCKS, WARNS


def table(readout: ReadOut) -> str:
    """The read-out for a person."""
    lines = [f"{'arm':<24}{'units':>10}  " + "  ".join(f"{metric:>14}" for metric in next(iter(readout.arms.values())))]
    for arm, metrics in readout.arms.items():
        lines.append(
            f"{arm:<24}{readout.counts[arm]:>10}  "
            + "  ".join(f"{moments.mean:>14.6g}" for moments in metrics.values())
        )
    lines.append(f"sample ratio p = {readout.srm_p:.4g}" + _judged(readout.srm_p))
    lines += [f"segment {name}: sample ratio p = {p:.4g}" for name, p in readout.segments.items()]
    if readout.excluded:
        lines.append(f"left out: {readout.excluded} units that were in more than one arm")
    lines += [f"blocked: {reason}" for reason in readout.blocked_because]
    if not readout.is_blocked:
        lines += [_line(comparison, readout.alpha) for comparison in readout.comparisons]
    return "\n".join(lines)


def _judged(p: float) -> str:
    if p < BLOCKS:
        return f": below {BLOCKS}, assignment or logging is broken. Find out why; no comparison is worth reading"
    return f": below {WARNS}, look into it before believing anything" if p < WARNS else ""


def _line(comparison: ArmComparison, alpha: float) -> str:
    low, high = comparison.interval_sequential
    if not math.isfinite(low):
        return f"{comparison.metric}: {comparison.arm} against {comparison.baseline}: {_why_unknown(comparison)}"
    return (
        f"{comparison.metric}: {comparison.arm} against {comparison.baseline}: {comparison.difference:+.6g} ({comparison.relative:+.2%}), "
        f"p {comparison.p_fixed:.3g} (Holm {comparison.p_adjusted:.3g}), always valid p {comparison.p_sequential:.3g} "
        f"(Holm {comparison.p_sequential_adjusted:.3g}), "
        f"{1 - alpha:.0%} always within [{low:.6g}, {high:.6g}], better with probability {comparison.probability_better:.4f}"
        + ("" if comparison.guardrail is None else f", guardrail: {comparison.guardrail}")
    )


def _why_unknown(comparison: ArmComparison) -> str:
    if math.isnan(comparison.difference):
        return "one of them has no unit, so nothing can be said"
    if comparison.difference == 0:
        return "nothing varies and nothing differs"
    return f"{comparison.difference:+.6g}, but too little varies for an interval or a p"


def as_json(readout: ReadOut, metrics: Sequence[str], unnamed: int) -> dict[str, Any]:
    """What the last line says. A blocked read-out has no comparisons, and says why."""
    first = metrics[0]
    facts: dict[str, Any] = {
        "command": "experiments",
        "srm_p": readout.srm_p,
        "is_blocked": readout.is_blocked,
        "baseline": readout.baseline,
        "alpha": readout.alpha,
        "excluded_units": readout.excluded,
        "segments": dict(readout.segments),
        "rows_without_arm_or_unit": unnamed,
        "arms": {
            arm: {
                "n": readout.counts[arm],
                "mean": of[first].mean,
                "means": {name: moments.mean for name, moments in of.items()},
            }
            for arm, of in readout.arms.items()
        },
    }
    if readout.is_blocked:
        return facts | {"comparisons": [], "blocked_because": "; ".join(readout.blocked_because)}
    return facts | {"comparisons": [_facts(comparison) for comparison in readout.comparisons]}


def _facts(comparison: ArmComparison) -> dict[str, Any]:
    return {**vars(comparison), "is_guardrail": comparison.is_guardrail, "is_harm": comparison.is_harm}
