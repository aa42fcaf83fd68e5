"""Exposures and outcomes as the decision log tells them: what a policy should have learned, whatever became of its sums. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from lakehouse.bandits.learned import Settled
from lakehouse.learning.reward import Outcome, Reward

COLUMNS = ("kind", "decision_id", "experiment", "action", "metric", "value", "context")


class LoggedExposures(NamedTuple):
    """`exposures`: every one that a policy learns from, as it is counted once it is due. `outcomes`: by decision_id."""

    exposures: list[Settled]
    outcomes: Mapping[str, Outcome]


def logged_exposures(rows: Iterable[Mapping[str, Any]], reward: Reward) -> LoggedExposures:
    """`rows`: COLUMNS of silver.decision_log, each message once.

    An exposure whose message is lost is never counted; one whose outcome's message is lost is a failure.
    """
    lessons: dict[str, tuple[str, Mapping[str, Any]]] = {}
    outcomes: dict[str, Outcome] = {}
    for row in rows:
        context = orjson.loads(row["context"] or "{}")
        if row["kind"] == "exposure" and "teaches" in context:
            lessons[row["decision_id"]] = (row["action"], context["teaches"])
        elif row["kind"] == "outcome" and row["metric"] == reward.metric:
            outcomes[row["decision_id"]] = Outcome(row["value"], 0, bool(context.get("is_late")))
    settled = [
        Settled(
            due_ms=lesson["due_ms"],
            decision_id=decision_id,
            arm=arm,
            features=tuple(lesson["features"]),
            reward=reward.worth(outcomes.get(decision_id)),
        )
        for decision_id, (arm, lesson) in lessons.items()
    ]
    return LoggedExposures(sorted(settled), outcomes)
