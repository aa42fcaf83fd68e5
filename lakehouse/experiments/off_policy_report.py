"""An off-policy evaluation for a person, and as the JSON a command ends with."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lakehouse.experiments.off_policy import OffPolicy, ValueEstimate
from lakehouse.experiments.policy_log import LoggedDecisions

MOST_ACTIONS = 20  # in the table; the most frequent
_NAMES = {"ipw": "inverse propensity", "snipw": "self-normalised", "dr": "doubly robust"}


def table(decisions: LoggedDecisions, evaluation: OffPolicy, left_out: Mapping[str, int]) -> str:
    """What was done, and what the new policy would have earned for each decision; or why that cannot be told."""
    lines = [f"{'action':<24}{'decisions':>10}{'reward':>12}{'propensity':>12}{'new policy':>12}"]
    lines += [
        f"{str(action)[:23]:<24}{len(rows):>10}" + "".join(f"{rows[name].mean():>12.4g}" for name in rows.columns)
        for action, rows in _by_action(decisions)
    ]
    lines += [f"left out: {count} decisions {reason}" for reason, count in left_out.items()]
    lines.append(
        f"effective sample {evaluation.effective_n:.0f} of {evaluation.n}, mean weight {evaluation.mean_weight:.3f}, "
        f"largest weight {evaluation.largest_share:.1%} of all"
    )
    lines.append(f"{'earned as logged':<24}{decisions.reward.mean():>12.6g}")
    if evaluation.refused is not None:
        return "\n".join([*lines, f"refused: {evaluation.refused}"])
    return "\n".join(
        lines + [_line(name, estimate) for name, estimate in _estimates(evaluation).items() if estimate is not None]
    )


def as_json(
    decisions: LoggedDecisions, evaluation: OffPolicy, left_out: Mapping[str, int], alpha: float
) -> dict[str, Any]:
    """Rewards are means per decision; estimates are null where they are refused, or no model was given."""
    estimates = {
        name: None if estimate is None else {"value": estimate.value, "interval": list(estimate.interval)}
        for name, estimate in _estimates(evaluation).items()
    }
    return {
        **{"command": "experiments", "off_policy": True, "n": evaluation.n, "effective_n": evaluation.effective_n},
        **{"mean_weight": evaluation.mean_weight, "largest_weight_share": evaluation.largest_share, "alpha": alpha},
        **{"is_refused": evaluation.refused is not None, "refused_because": evaluation.refused},
        **{"left_out": dict(left_out), "logged_mean": float(decisions.reward.mean()), **estimates},
    }


def _estimates(found: OffPolicy) -> dict[str, ValueEstimate | None]:
    return {"ipw": found.ipw, "snipw": found.snipw, "dr": found.dr}


def _line(name: str, estimate: ValueEstimate) -> str:
    low, high = estimate.interval
    return f"{_NAMES[name]:<24}{estimate.value:>12.6g}  [{low:.6g}, {high:.6g}]"


def _by_action(decisions: LoggedDecisions) -> list[tuple[str, pd.DataFrame]]:
    columns = {"reward": decisions.reward, "propensity": decisions.propensity, "target": decisions.target}
    groups = pd.DataFrame(columns).groupby(pd.Series(list(decisions.action)))
    return sorted(((str(action), rows) for action, rows in groups), key=lambda group: (-len(group[1]), group[0]))[
        :MOST_ACTIONS
    ]
