"""Decisions of any policy, as a log tells them: what `off_policy` is computed from. A fault is told by its column and row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lakehouse.errors import SourceError
from lakehouse.experiments.off_policy import Array, OffPolicy, evaluate
from lakehouse.targeting.columns import has_columns, numbers


@dataclass(frozen=True, kw_only=True)
class LoggedDecisions:
    """One entry per decision in every column. `propensity`: of the logged action; `target`: the new policy's of that same action.

    `expected`, `expected_under_target`: a model's mean reward of the logged action, and of the new policy's actions; both or none.
    """

    action: Sequence[str]
    reward: Array
    propensity: Array
    target: Array
    expected: Array | None = None
    expected_under_target: Array | None = None

    def evaluated(self, alpha: float) -> OffPolicy:
        return evaluate(
            self.reward,
            self.propensity,
            self.target,
            expected=self.expected,
            expected_under_target=self.expected_under_target,
            alpha=alpha,
        )


def decisions_of(
    frame: pd.DataFrame, *, action: str, reward: str, propensity: str, policy: str, values: Sequence[str] = ()
) -> LoggedDecisions:
    """Read one decision per row. `values`: columns of `expected` and `expected_under_target`, or none.

    Raises:
        SourceError: a column that is not there; a row without an action, a number or a probability.
    """
    if len(values) not in (0, 2):
        raise SourceError(
            f"--value: got {len(values)} columns, expected two: a model's reward of the logged action, and its mean reward "
            "of what the new policy does in the row"
        )
    has_columns(frame, [action, reward, propensity, policy, *values])
    _refuse_rows(frame[action], frame[action].isna(), "an action")
    models = [filled(frame[name]) for name in values]
    return LoggedDecisions(
        action=frame[action].astype(str).tolist(),
        reward=filled(frame[reward]),
        propensity=propensities(frame[propensity]),
        target=_probability(frame[policy], lambda p: (p >= 0) & (p <= 1), "from 0 to 1"),
        expected=models[0] if models else None,
        expected_under_target=models[1] if models else None,
    )


def filled(column: pd.Series) -> Array:
    """As numbers. Raises SourceError for what is none, and for what is missing."""
    values = numbers(column)
    _refuse_rows(column, values.isna(), "a number")
    return values.to_numpy(dtype=np.float64)


def propensities(column: pd.Series) -> Array:
    """With which what was done was chosen. Raises SourceError for what can be none."""
    return _probability(column, lambda p: (p > 0) & (p <= 1), "above 0 and at most 1: it was chosen, so it could be")


def _probability(
    column: pd.Series, holds: Callable[[Array], "np.ndarray[tuple[int], np.dtype[np.bool_]]"], words: str
) -> Array:
    probabilities = filled(column)
    _refuse_rows(column, pd.Series(~holds(probabilities), index=column.index), f"a probability {words}")
    return probabilities


def _refuse_rows(column: pd.Series, is_wrong: pd.Series, expected: str) -> None:
    """Tells the first row (1: the one below the header), and how many there are."""
    if not is_wrong.any():
        return
    row = int(np.flatnonzero(is_wrong.to_numpy())[0])
    value = column.iloc[row]
    got = "nothing" if pd.isna(value) or str(value).strip() == "" else f"'{str(value)[:40]}'"
    more = f" ({int(is_wrong.sum()):,} such rows)" if is_wrong.sum() > 1 else ""
    raise SourceError(
        f"column '{column.name}', row {row + 1}: got {got}{more}, expected {expected}. Leave such rows out"
    )
