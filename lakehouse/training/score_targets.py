"""The scores that are learned from what people did, and what each asks of the examples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lakehouse.config import ScoresConfig
from lakehouse.models.score_model import BUYERS, EVERYBODY
from lakehouse.models.selection import Question
from lakehouse.profiles.declared_scores import CHURN_RISK, PURCHASE_PROPENSITY, Score


@dataclass(frozen=True, kw_only=True)
class Target:
    """A score and what is asked for it, of the configuration."""

    score: Score
    question: Callable[[ScoresConfig], Question]


PURCHASE = Target(
    score=PURCHASE_PROPENSITY, question=lambda told: Question(horizon_days=told.horizon_days, among=EVERYBODY)
)
CHURN = Target(
    score=CHURN_RISK,
    question=lambda told: Question(horizon_days=told.churn_horizon_days, among=BUYERS, is_absence=True),
)
TARGETS: Mapping[str, Target] = {target.score.column: target for target in (PURCHASE, CHURN)}
