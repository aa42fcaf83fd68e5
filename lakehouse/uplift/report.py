"""A study for a person, and as the JSON a command ends with."""

import math
from collections.abc import Sequence
from typing import Any

from lakehouse.uplift.curve import SHARES
from lakehouse.uplift.evidence import Bounded
from lakehouse.uplift.study import Study
from lakehouse.uplift.targeted import Group, Trait


def table(study: Study) -> str:
    """What every arm is worth, what a policy is worth more, to whom it gives what; the verdict comes last."""
    lines = [
        f"{study.reward}, per decision; {study.rows:,} decisions of {study.persons:,} persons; intervals at {1 - study.alpha:.0%}"
    ]
    lines += [f"left out: {count:,} rows {reason}" for reason, count in study.rows_left_out.items()]
    lines += [f"left out: {name}: {reason}" for name, reason in study.left_out.items()]
    if study.arms:
        lines += _values(study)
    if study.policy is not None:
        lines += _effects(study)
    return "\n".join([*lines, study.verdict])


def _values(study: Study) -> Sequence[str]:
    lines = [f"{'':<26}{'decisions':>10}  {'value if everybody gets it':<36}what the policy gives more"]
    lines += [
        f"{arm.name[:25]:<26}{arm.rows:>10,}  {_interval(arm.value):<36}{'' if arm.gain is None else _interval(arm.gain)}"
        for arm in study.arms
    ]
    if study.policy_value is not None:
        lines.append(f"{'the policy':<26}{'':>10}  {_interval(study.policy_value)}")
    lines.append(f"best blanket action: {study.best}")
    if study.gain_low is not None:
        low = "too few get another arm to say" if math.isinf(study.gain_low) else f"{study.gain_low:.4g}"
        lines.append(f"what the policy gives more than the best blanket action, lower bound: {low}")
    return lines


def _effects(study: Study) -> Sequence[str]:
    made_of = ", ".join(f"{share:.0%} {kind}" for kind, share in study.made_of.items() if share >= 0.005)
    lines = [f"effects are foretold by a blend: {made_of or 'nothing that foretells'}"]
    if study.curve is not None:
        points = (
            f"{share:.0%} {gain.value:.4g}" for share, gain in zip(SHARES[1:], study.curve.gains[1:], strict=True)
        )
        lines.append(f"gained over {study.baseline}, when the most promising get their best arm: {'  '.join(points)}")
        lines.append(f"Qini, height above the straight line: {study.curve.qini:.4g}")
    return [*lines, *(_group(group, study.best) for group in study.groups)]


def _group(group: Group, best: str) -> str:
    gain = "" if group.arm == best else f", {_interval(group.gain)} over {best}"
    traits = "; ".join(_trait(trait) for trait in group.traits)
    return f"{group.arm}: to {group.share:.1%}{gain}" + (f" ({traits})" if traits else "")


def _trait(trait: Trait) -> str:
    if trait.is_share:
        return f"{trait.name}: {trait.here:.0%} of them, {trait.everybody:.0%} of all"
    return f"{trait.name}: {trait.here:.4g} on average, {trait.everybody:.4g} of all"


def _interval(bounded: Bounded) -> str:
    if math.isinf(bounded.low):
        return "too few to say"
    return f"{bounded.value:.4g} [{bounded.low:.4g}, {bounded.high:.4g}]"


def as_json(study: Study) -> dict[str, Any]:
    """Values are per decision, cost taken off; what is not known is null."""
    return {
        "command": "train_uplift",
        "reward": study.reward,
        "alpha": study.alpha,
        "n": study.rows,
        "persons": study.persons,
        "is_refused": study.refused is not None,
        "refused_because": study.refused,
        "is_offered": study.is_offered,
        "verdict": study.verdict,
        "baseline": study.baseline or None,
        "best_blanket": study.best or None,
        "rows_left_out": dict(study.rows_left_out),
        "arms": {
            arm.name: {
                "n": arm.rows,
                "logged_mean": arm.logged_mean,
                "value": _numbers(arm.value),
                "policy_gain": None if arm.gain is None else _numbers(arm.gain),
            }
            for arm in study.arms
        },
        "policy_value": None if study.policy_value is None else _numbers(study.policy_value),
        "gain_over_best_low": study.gain_low,
        "curve": None
        if study.curve is None
        else [[share, one.value] for share, one in zip(SHARES, study.curve.gains, strict=True)],
        "qini": None if study.curve is None else study.curve.qini,
        "given": {group.arm: group.share for group in study.groups},
        "left_out": dict(study.left_out),
    }


def _numbers(bounded: Bounded) -> dict[str, Any]:
    return {"value": bounded.value, "interval": [bounded.low, bounded.high]}
