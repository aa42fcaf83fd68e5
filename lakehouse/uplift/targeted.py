"""To whom a policy gives what, in words: the features by which those who get an arm differ most from everybody."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lakehouse.targeting.encoding import Category, Encoding, Number, typed
from lakehouse.uplift.chain import Chain, LoggedArms
from lakehouse.uplift.evidence import Bounded, mean

MOST_TRAITS = 3
LEAST_DIFFERENCE = 0.1  # standard deviations; below, a trait says nothing


@dataclass(frozen=True, kw_only=True)
class Trait:
    """`here`, `everybody`: a number's mean, or the share of a level."""

    name: str
    here: float
    everybody: float
    is_share: bool


@dataclass(frozen=True, kw_only=True)
class Group:
    """Those who get one arm. `share`: of all rows. `gain`: over the best blanket action, among judged rows that got it from a model
    which had not seen them; nan where there are none.
    """

    arm: str
    share: float
    gain: Bounded
    traits: tuple[Trait, ...]


def groups(
    features: pd.DataFrame,
    encoding: Encoding,
    choice: NDArray[np.str_],
    logged: LoggedArms,
    learned: Chain,
    best: int,
    arms: Sequence[str],
    alpha: float,
) -> tuple[Group, ...]:
    """One for each arm that somebody gets, the largest first. `choice`: of every row, by the policy learned from all."""
    given = []
    for place, name in enumerate(arms):
        is_here = choice == name
        if is_here.any():
            rows = np.flatnonzero(learned.choice == place)
            gain = mean(learned.scores[rows, place] - learned.scores[rows, best], logged.person[rows], alpha)
            given.append(
                Group(arm=name, share=float(is_here.mean()), gain=gain, traits=_traits(features, encoding, is_here))
            )
    return tuple(sorted(given, key=lambda group: -group.share))


def _traits(features: pd.DataFrame, encoding: Encoding, is_here: NDArray[np.bool_]) -> tuple[Trait, ...]:
    if is_here.all():
        return ()
    sized: list[tuple[float, Trait]] = []
    for column in encoding.columns:
        sized += (
            _of_number(column, features, is_here)
            if isinstance(column, Number)
            else _of_levels(column, features, is_here)
        )
    sized.sort(key=lambda trait: -trait[0])
    return tuple(trait for size, trait in sized[:MOST_TRAITS] if size >= LEAST_DIFFERENCE)


def _of_number(column: Number, features: pd.DataFrame, is_here: NDArray[np.bool_]) -> list[tuple[float, Trait]]:
    values = features[column.name].to_numpy(dtype=np.float64)
    known = ~np.isnan(values)
    if not (known & is_here).any():
        return []
    here, everybody = float(values[known & is_here].mean()), float(values[known].mean())
    deviation = float(values[known].std())
    size = abs(here - everybody) / deviation if deviation > 0 else 0.0
    return [(size, Trait(name=column.name, here=here, everybody=everybody, is_share=False))]


def _of_levels(column: Category, features: pd.DataFrame, is_here: NDArray[np.bool_]) -> list[tuple[float, Trait]]:
    values = typed(features[column.name], is_category=True).to_numpy()
    traits = []
    for level in column.levels:
        is_level = values == level
        here, everybody = float(is_level[is_here].mean()), float(is_level.mean())
        spread = math.sqrt(everybody * (1 - everybody))
        size = abs(here - everybody) / spread if spread > 0 else 0.0
        traits.append((size, Trait(name=f"{column.name} = {level}", here=here, everybody=everybody, is_share=True)))
    return traits
