"""Which outcome a policy learns from, and what an exposure is worth to it. Pure.

An exposure is counted once its window is closed, whether something came of it or not. So at no time does an arm whose rewards
are slow look worse than it is, and no arm without rewards looks untried. Source: Joulani, Gyorgy and Szepesvari, Online Learning
under Delayed Feedback (ICML 2013): waiting costs a regret that does not grow, about the choices of one window. The
estimators that count sooner, by a delay distribution (Vernade, Cappe and Perchet, UAI 2017), are unbiased only where that of each arm is known.
"""

from dataclasses import dataclass

import orjson

from lakehouse.config import ServingConfig
from lakehouse.config.declarations import DAY_MS
from lakehouse.errors import StoreError
from lakehouse.online.store import Document

HIGHER = "higher"
OUTCOMES = "o:"  # so begin the keys of their documents


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a decision, by one metric: the first that was told. `is_late`: it is recorded, and is no reward."""

    value: float
    at_ms: int
    is_late: bool

    def document(self, decision_id: str, metric: str, ends_ms: int) -> Document:
        """Of one version: whoever writes it first has told it."""
        return Document(outcome_key(decision_id, metric), 1, orjson.dumps(self), ends_ms)

    @classmethod
    def decode(cls, value: bytes) -> "Outcome":
        """Raises StoreError where `document` did not make it."""
        try:
            return cls(**orjson.loads(value))
        except (orjson.JSONDecodeError, TypeError) as error:
            raise StoreError(
                f"online store: an outcome cannot be read ({error!r}), expected one of this version"
            ) from error


def outcome_key(decision_id: str, metric: str) -> str:
    """Of the document of the outcome."""
    return f"{OUTCOMES}{decision_id}:{metric}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reward:
    """The one outcome that a policy learns from; all others are only recorded. `window_ms`: from the exposure."""

    metric: str
    is_higher_better: bool
    window_ms: int

    @classmethod
    def of(cls, config: ServingConfig) -> "Reward":
        """As it is configured."""
        return cls(
            metric=config.reward_metric,
            is_higher_better=config.reward_direction == HIGHER,
            window_ms=config.exposure_days * DAY_MS,
        )

    def worth(self, outcome: Outcome | None) -> float:
        """Of an exposure whose window is closed, 0 to 1. None: nothing was told, which is an outcome of 0.

        >>> Reward(metric="converted", is_higher_better=True, window_ms=1).worth(None)
        0.0
        >>> Reward(metric="unsubscribed", is_higher_better=False, window_ms=1).worth(None)
        1.0
        """
        value = 0.0 if outcome is None or outcome.is_late else min(max(outcome.value, 0.0), 1.0)
        return value if self.is_higher_better else 1.0 - value
