"""A read-out for a person, and as the JSON a command ends with."""

from collections.abc import Sequence
from typing import Any

from lakehouse.experiments.readout import ArmComparison, ReadOut
from lakehouse.experiments.sample_ratio import BLOCKS, WARNS


def table(found: ReadOut) -> str:
    """The read-out for a person."""
    lines = [f"{'arm':<24}{'units':>10}  " + "  ".join(f"{metric:>14}" for metric in next(iter(found.arms.values())))]
    for arm, metrics in found.arms.items():
        lines.append(
            f"{arm:<24}{found.counts[arm]:>10}  " + "  ".join(f"{one.mean:>14.6g}" for one in metrics.values())
        )
    lines.append(f"sample ratio p = {found.srm_p:.4g}" + _judged(found.srm_p))
    if found.excluded:
        lines.append(f"left out: {found.excluded} units that were in more than one arm")
    if not found.is_blocked:
        lines += [_line(one, found.alpha) for one in found.comparisons]
    return "\n".join(lines)


def _judged(p: float) -> str:
    if p < BLOCKS:
        return f": below {BLOCKS}, assignment or logging is broken. Find out why; no comparison is worth reading"
    return f": below {WARNS}, look into it before believing anything" if p < WARNS else ""


def _line(one: ArmComparison, alpha: float) -> str:
    low, high = one.interval_sequential
    return (
        f"{one.metric}: {one.arm} against {one.baseline}: {one.difference:+.6g} ({one.relative:+.2%}), "
        f"p {one.p_fixed:.3g} (Holm {one.p_adjusted:.3g}), always valid p {one.p_sequential:.3g}, "
        f"{1 - alpha:.0%} always within [{low:.6g}, {high:.6g}], better with probability {one.probability_better:.4f}"
    )


def as_json(found: ReadOut, metrics: Sequence[str], unnamed: int) -> dict[str, Any]:
    """What the last line says. A blocked read-out has no comparisons, and says why."""
    first = metrics[0]
    facts: dict[str, Any] = {
        "command": "experiments",
        "srm_p": found.srm_p,
        "is_blocked": found.is_blocked,
        "baseline": found.baseline,
        "alpha": found.alpha,
        "excluded_units": found.excluded,
        "rows_without_arm_or_unit": unnamed,
        "arms": {
            arm: {"n": found.counts[arm], "mean": of[first].mean, "means": {name: one.mean for name, one in of.items()}}
            for arm, of in found.arms.items()
        },
    }
    if found.is_blocked:
        return facts | {"comparisons": [], "blocked_because": f"sample ratio p {found.srm_p:.3g} is below {BLOCKS}"}
    return facts | {"comparisons": [{**vars(one)} for one in found.comparisons]}
