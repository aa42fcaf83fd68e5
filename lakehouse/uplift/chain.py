"""Learning forwards: every part of the log is scored, and given its arms, by models that have seen the parts before it only.

Ordinary cross-fitting is not enough here. Where no arm is better than another its folds err together: each fold's policy was
learned from the others' luck, and bounds from them promise too much (with two folds 10 % false claims in place of 5 %). Forwards
the errors of the parts are martingale differences, whatever the policies are, and their sum is normal: Luedtke and van der Laan
(2016), Statistical inference for the mean outcome under a possibly non-unique optimal treatment strategy, Annals of Statistics 44(2).

How the contenders of a model are blended is learned forwards, too: from what each foretold of the parts so far, with weights of
0 or more (stacking, Breiman 1996).
A person is in one part, by a hash of the unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from lakehouse.experiments.assignment import uniform
from lakehouse.targeting.contrasts import contrasts
from lakehouse.targeting.response_model import People, ResponseModel
from lakehouse.uplift.contenders import CONTENDERS, UNJUDGED, fit
from lakehouse.uplift.scores import scores

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

ENDS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the parts, as shares of all persons
FIRST_MODEL = 2  # part; the two before take each other's means
FIRST_JUDGED = 3  # part; from here on the blend was learned from an earlier part


@dataclass(frozen=True, kw_only=True)
class LoggedArms:
    """One row per decision. `arm`: what was done, as a place in the arms that are compared; -1 = another one.

    `propensity`: probability with which it was done. `person`: small whole numbers; `part`: of the chain, the same for all rows
    of a person. `cost`: of each arm, in the unit of the reward.
    """

    people: People
    arm: Rows
    reward: Array
    propensity: Array
    person: Rows
    part: Rows
    cost: Array

    def __len__(self) -> int:
        return len(self.reward)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """`scores`: rows x arms, cost taken off. `effects`: rows x arms, foretold as differences from the mean of all arms, then cost taken
    off; nan before the first judged part. `model`: effects learned from everybody, cost not taken off; its outputs are
    `contrasts`. `shares`: of its contenders.
    """

    scores: Array
    effects: Array
    model: ResponseModel
    shares: Array

    @property
    def is_judged(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.effects[:, 0])

    @property
    def choice(self) -> Rows:
        """The policy's arm of every judged row; -1 of the others."""
        return np.where(self.is_judged, np.argmax(np.nan_to_num(self.effects), axis=1), -1)


def part_of(units: Sequence[str]) -> Rows:
    """The part of the chain each unit is in."""
    return np.searchsorted(ENDS[:-1], [uniform("uplift", unit) for unit in units], side="right").astype(np.int64)


def chain(log: LoggedArms) -> Chain:
    """Run forwards through the parts, then learn from everybody."""
    arms = len(log.cost)
    basis = contrasts(arms)
    scored = np.empty((len(log), arms))
    effects = np.full((len(log), arms), np.nan)
    for part in range(FIRST_MODEL):
        rows, others = log.part == part, (log.part < FIRST_MODEL) & (log.part != part)
        scored[rows] = _scored(log, rows, np.tile(_means(log, others), (int(rows.sum()), 1)))
    of_effects, of_rewards = _Foretold(), _Foretold()
    for part in range(FIRST_MODEL, len(ENDS)):
        rows, past = np.flatnonzero(log.part == part), np.flatnonzero(log.part < part)
        before, now = log.people.at(past), log.people.at(rows)
        effect_each = fit(before, scored[past] @ basis).each(now)
        reward_each = fit(before, log.reward[past, None]).each(now)
        effect = np.tensordot(of_effects.shares(), effect_each, 1) @ basis.T
        reward = np.tensordot(of_rewards.shares(), reward_each, 1)
        scored[rows] = _scored(log, rows, reward + effect - (effect @ _shares(log, past))[:, None])
        of_effects.add(effect_each, scored[rows] @ basis)
        of_rewards.add(reward_each, log.reward[rows, None])
        if part >= FIRST_JUDGED:
            effects[rows] = effect - log.cost
    shares = of_effects.shares()
    model = fit(log.people, scored @ basis).blend(shares)
    return Chain(scores=scored - log.cost, effects=effects, model=model, shares=shares)


class _Foretold:
    """What the contenders said of rows they had not seen, and what came: as sums of squares and products."""

    def __init__(self) -> None:
        self._squares = np.zeros((CONTENDERS, CONTENDERS))
        self._products = np.zeros(CONTENDERS)

    def add(self, said: Array, target: Array) -> None:
        """`said`: contenders x rows x outputs; `target`: rows x outputs."""
        flat = said.reshape(CONTENDERS, -1)
        self._squares += flat @ flat.T
        self._products += flat @ target.ravel()

    def shares(self) -> Array:
        """Of each contender, those that lower the squared error of the blend most; a touch of ridge, for contenders are alike."""
        size = float(np.trace(self._squares))
        if size == 0:
            return UNJUDGED
        root = np.linalg.cholesky(self._squares + 1e-6 * size * np.eye(CONTENDERS))
        return np.asarray(nnls(root.T, np.linalg.solve(root, self._products))[0])


def _scored(log: LoggedArms, rows: NDArray[np.bool_] | Rows, expected: Array) -> Array:
    return np.asarray(scores(log.reward[rows], log.arm[rows], log.propensity[rows], expected))


def _means(log: LoggedArms, rows: NDArray[np.bool_]) -> Array:
    """Mean reward of each arm; of an arm that is not there, of all rows."""
    reward, arm = log.reward[rows], log.arm[rows]
    of_all = float(reward.mean()) if len(reward) else 0.0
    return np.array([reward[arm == place].mean() if (arm == place).any() else of_all for place in range(len(log.cost))])


def _shares(log: LoggedArms, rows: Rows) -> Array:
    return np.asarray(np.bincount(log.arm[rows] + 1, minlength=len(log.cost) + 1)[1:] / len(rows))
