"""Policies nobody has run, over silver.decision_log: the chance with which each would have done what was done. Pure.

A decision can be weighed when the service chose it by chance among candidates it logged. Left out, and counted: what a rule
forced, what had no candidate, what was chosen without exploring (greedy, with propensity 1 among several), and
what is no offer: lists of products, moments without one.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

import numpy as np
import orjson
import pandas as pd

from lakehouse.errors import SourceError
from lakehouse.experiments.assignment import bucket
from lakehouse.experiments.policy_log import LoggedDecisions

NEW_POLICIES = ("uniform", "best_arm")
COLUMNS = ["decision_id", "kind", "unit", "action", "propensity", "context", "metric", "value", "occurred_at"]


@dataclass(frozen=True, kw_only=True)
class LoggedDecision:
    """One decision that can be weighed. `reward`: sum of its outcomes of one metric within the window."""

    unit: str
    occurred_at: datetime
    action: str
    propensity: float
    candidates: tuple[str, ...]
    reward: float


def decisions_under(
    log: pd.DataFrame, policy: str, *, metric: str, window_days: int
) -> tuple[LoggedDecisions, Mapping[str, int]]:
    """The decisions of the log as `policy` sees them, and how many were left out, by reason.

    Args:
        log: COLUMNS of silver.decision_log.
        policy: uniform: every candidate with the same chance. best_arm: the candidate that earned most in the half of the
            people that the decision's person is not in, so that no decision is judged by a policy that has seen it.
        metric: the reward of a decision is the sum of its outcomes of that name; none = 0.
        window_days: outcomes later after the decision do not count.

    The doubly robust estimate's model is each action's mean reward in the other half.

    Raises:
        SourceError: an unknown policy, no outcome of that name, no decision to weigh, or one whose propensity is none.
    """
    if policy not in NEW_POLICIES:
        raise SourceError(f"--policy: got '{policy}', expected one of {', '.join(NEW_POLICIES)} for the lake's own log")
    decisions, left_out = weighable(log, metric=metric, window_days=window_days)
    return _under(decisions, policy), left_out


def weighable(
    log: pd.DataFrame, *, metric: str, window_days: int
) -> tuple[Sequence[LoggedDecision], Mapping[str, int]]:
    """The decisions chosen by chance, and how many others there are, by reason. Arguments and errors as `decisions_under`."""
    rewards = _rewards(log, metric, window_days)
    left_out: Counter[str] = Counter()
    decisions = []
    for row in log[log["kind"] == "decision"].to_dict("records"):
        context = orjson.loads(row["context"] or "{}")
        if (reason := _left_out(context, row["propensity"])) is not None:
            left_out[reason] += 1
        else:
            decisions.append(_decision(row, context, rewards.get(row["decision_id"], 0.0)))
    if not decisions:
        words = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "an empty log"
        raise SourceError(
            f"silver.decision_log: no decision to weigh, got {words}. Let the service explore ([serving] policy)"
        )
    return decisions, dict(left_out)


def _rewards(log: pd.DataFrame, metric: str, window_days: int) -> dict[str, float]:
    outcomes = log[log["kind"] == "outcome"]
    of_metric = outcomes[outcomes["metric"] == metric]
    if of_metric.empty:
        known = ", ".join(sorted(outcomes["metric"].dropna().unique())) or "none"
        raise SourceError(f"--reward: no outcome '{metric}' in silver.decision_log, there are: {known}")
    decided = log[log["kind"] == "decision"].set_index("decision_id")["occurred_at"]
    waited = of_metric["occurred_at"] - of_metric["decision_id"].map(decided)
    counted = of_metric[(waited >= pd.Timedelta(0)) & (waited < pd.Timedelta(days=window_days))]
    return {str(id_): float(value) for id_, value in counted.groupby("decision_id")["value"].sum().items()}


def _left_out(told: Mapping[str, Any], propensity: float) -> str | None:
    if told.get("kind") != "offer":
        return "of no offer"
    if told.get("is_forced"):
        return "forced by a rule"
    if not told.get("candidates"):
        return "without a candidate"
    if propensity == 1 and len(told["candidates"]) > 1:
        return "chosen without exploring"
    return None


def _decision(row: Mapping[Any, Any], told: Mapping[str, Any], reward: float) -> LoggedDecision:
    candidates, action, propensity = tuple(map(str, told["candidates"])), str(row["action"]), row["propensity"]
    place = f"silver.decision_log: decision '{row['decision_id']}'"
    if propensity is None or not 0 < propensity <= 1:
        raise SourceError(
            f"{place}: got propensity {propensity}, expected above 0 and at most 1. Find out who logged it"
        )
    if action not in candidates:
        raise SourceError(
            f"{place}: '{action}' is none of its candidates {', '.join(candidates)}. Find out who logged it"
        )
    return LoggedDecision(
        unit=str(row["unit"]),
        occurred_at=row["occurred_at"],
        action=action,
        propensity=float(propensity),
        candidates=candidates,
        reward=reward,
    )


def _under(decisions: Sequence[LoggedDecision], policy: str) -> LoggedDecisions:
    halves = [bucket("off_policy", decision.unit) % 2 for decision in decisions]
    models = [
        _mean_reward([decision for decision, half in zip(decisions, halves, strict=True) if half != side])
        for side in (0, 1)
    ]
    target, expected, under = [], [], []
    for decision, half in zip(decisions, halves, strict=True):
        mean_reward = models[half]
        chances = _chances(decision.candidates, mean_reward, policy)
        target.append(chances[decision.action])
        expected.append(mean_reward(decision.action))
        under.append(sum(chance * mean_reward(name) for name, chance in chances.items()))
    return LoggedDecisions(
        action=[decision.action for decision in decisions],
        reward=np.array([decision.reward for decision in decisions]),
        propensity=np.array([decision.propensity for decision in decisions]),
        target=np.array(target),
        expected=np.array(expected),
        expected_under_target=np.array(under),
    )


def _chances(candidates: Sequence[str], mean_reward: Callable[[str], float], policy: str) -> dict[str, float]:
    if policy == "uniform":
        return dict.fromkeys(candidates, 1 / len(candidates))
    best = max(sorted(candidates), key=mean_reward)
    return {name: float(name == best) for name in candidates}


def _mean_reward(decisions: Sequence[LoggedDecision]) -> Callable[[str], float]:
    """Of each action; one that nobody has tried counts as the mean of all."""
    rewards: dict[str, list[float]] = defaultdict(list)
    for one in decisions:
        rewards[one.action].append(one.reward)
    means = {action: fmean(found) for action, found in rewards.items()}
    of_all = fmean(one.reward for one in decisions) if decisions else 0.0
    return lambda action: means.get(action, of_all)
