"""Who gets which arm: the one whose foretold effect less its cost is the highest. Plain values, as the registry keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lakehouse.targeting.contrasts import contrasts
from lakehouse.targeting.encoding import Encoding
from lakehouse.targeting.response_model import ResponseModel, by_row

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TargetingPolicy:
    """`cost`: of each arm, in the unit of the reward. `model`: its outputs are the `contrasts` of the arms."""

    arms: tuple[str, ...]
    cost: tuple[float, ...]
    reward: str
    encoding: Encoding
    model: ResponseModel

    def effects(self, frame: pd.DataFrame) -> Array:
        """Rows x arms: reward less cost, as difference from the mean of all arms. Of each row the same whatever the others are.

        Raises:
            SourceError: a feature is not there, or is no number where one was learned from.
        """
        foretold = self.model.of(self.encoding.people(frame))
        effects = by_row(foretold, contrasts(len(self.arms)).T) - np.array(self.cost)
        return np.asarray(effects - effects.mean(axis=1, keepdims=True))

    def choose(self, frame: pd.DataFrame) -> NDArray[np.str_]:
        """The arm of every row; of equals the first. Raises as `effects`."""
        return np.asarray(np.array(self.arms)[self.effects(frame).argmax(axis=1)])

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        return cls(
            arms=tuple(parameters["arms"]),
            cost=tuple(parameters["cost"]),
            reward=parameters["reward"],
            encoding=Encoding.from_parameters(parameters["encoding"]),
            model=ResponseModel.from_parameters(parameters["model"]),
        )

    def to_parameters(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "arms": list(self.arms),
            "cost": list(self.cost),
            "reward": self.reward,
            "encoding": self.encoding.to_parameters(),
            "model": self.model.to_parameters(),
        }
