"""Exposures and outcomes as the decision log tells them: what a policy should have learned, whatever became of its sums. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from lakehouse.bandits.learned import Settled
from lakehouse.learning.reward import Outcome, Reward

COLUMNS = ("kind", "decision_id", "experiment", "action", "metric", "value", "context")


class Told(NamedTuple):
    """`exposures`: every one that a policy learns from, as it is counted once it is due. `outcomes`: by decision_id."""

    exposures: list[Settled]
    outcomes: Mapping[str, Outcome]


def told(rows: Iterable[Mapping[str, Any]], reward: Reward) -> Told:
    """`rows`: COLUMNS of silver.decision_log, each message once.

    An exposure whose message is lost is never counted; one whose outcome's message is lost is a failure.
    """
    exposures: dict[str, tuple[str, Mapping[str, Any]]] = {}
    outcomes: dict[str, Outcome] = {}
    for row in rows:
        context = orjson.loads(row["context"] or "{}")
        if row["kind"] == "exposure" and "teaches" in context:
            exposures[row["decision_id"]] = (row["action"], context["teaches"])
        elif row["kind"] == "outcome" and row["metric"] == reward.metric:
            outcomes[row["decision_id"]] = Outcome(row["value"], 0, bool(context.get("is_late")))
    settled = [
        Settled(
            due_ms=taught["due_ms"],
            decision_id=decision_id,
            arm=arm,
            features=tuple(taught["features"]),
            reward=reward.worth(outcomes.get(decision_id)),
            at_ms=taught["at_ms"],
        )
        for decision_id, (arm, taught) in exposures.items()
    ]
    return Told(sorted(settled), outcomes)
