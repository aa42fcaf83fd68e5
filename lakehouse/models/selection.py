"""Which setting is chosen for a score, of what was known at an instant: by what each says of the newest train slice, calibrated, in log-loss.

    ahead         fitted on the train slices whose labels were over when the newest began, as what is chosen will be asked about a time it has not seen
    out of fold   of each person by a model that has not seen that person, fitted on all train slices: where older ones are missing or hold too little

Only ahead finds out what learned the time itself: of a lake that grows older, `tenure_days` tells the cut-off, and deep trees know the share of each by heart.
A search tries further settings by the same losses (lakehouse/models/search.py). Calibration is by out of fold alone, of what is published: see judgement.py.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lakehouse.errors import ModelError
from lakehouse.models import evaluation
from lakehouse.models.candidates import Setting, fit
from lakehouse.models.evaluation import Array
from lakehouse.models.examples import Examples
from lakehouse.models.score_model import BUYERS, ScoreModel
from lakehouse.models.search import search

FOLDS: Final = 3  # of people: fewer would calibrate by models of a much smaller part, more take longer
LEAST_SHARE: Final = 0.5  # of the rows of the newest train slice that older ones must have


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a profile. is_absence: whether no order in the horizon is the positive outcome. among: whom it is asked of."""

    horizon_days: int
    among: str
    is_absence: bool = False

    def asked(self, known: Examples) -> Examples:
        return known.where(known.column("has_ordered") > 0) if self.among == BUYERS else known

    def label(self, known: Examples) -> Array:
        return 1.0 - known.happened if self.is_absence else known.happened


@dataclass(frozen=True, kw_only=True)
class Selection:
    """losses: of each setting that was tried, the fixed ones first. is_ahead: how they were asked."""

    losses: tuple[tuple[Setting, float], ...]
    is_ahead: bool

    @property
    def loss(self) -> Mapping[Setting, float]:
        """By setting. No field: a summary is told as plain values, and a mapping by settings is none."""
        return dict(self.losses)

    @property
    def best(self) -> Setting:
        return min(self.losses, key=lambda one: one[1])[0]

    def of_kind(self, kind: str) -> Setting:
        return min((one for one in self.losses if one[0].kind == kind), key=lambda one: one[1])[0]

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.kind for one, _ in self.losses))


class Candidates:
    """The settings on the train slices of one split, or of what is published. `days`: of the slices, the newest first."""

    def __init__(self, rows: Examples, days: Sequence[date], question: Question, seed: int) -> None:
        self.rows, self.question, self.seed = rows.at(*days), question, seed
        self.newest = self.rows.at(days[0])
        self.label = question.label(self.newest)
        over = days[0] - timedelta(days=question.horizon_days)
        self._older = self.rows.at(*(day for day in days if day <= over))
        self._day = days[0]
        self.out_of_fold = functools.cache(self._out_of_fold)

    @property
    def is_ahead(self) -> bool:
        """Whether older slices say enough to choose by."""
        happened = self.question.label(self._older).sum()
        return 0 < happened < len(self._older) and len(self._older) >= LEAST_SHARE * len(self.newest)

    def select(self, settings: Sequence[Setting], trials: int = 0) -> Selection:
        """By the losses of `settings`, and of `trials` further ones where the choice is ahead: out of fold a search would find what knows the time best.

        Raises:
            ModelError: see out_of_fold.
        """
        loss = {setting: self._loss(setting) for setting in settings}
        if trials and self.is_ahead:
            loss |= search(self._loss, loss, trials, self.seed)
        return Selection(losses=tuple(loss.items()), is_ahead=self.is_ahead)

    def fitted(self, setting: Setting) -> ScoreModel:
        """Of all rows, calibrated by its own answers out of fold."""
        return self._fit(setting, self.rows).calibrated(*evaluation.platt(self.out_of_fold(setting), self.label))

    def _loss(self, setting: Setting) -> float:
        logit = self._ahead(setting) if self.is_ahead else self.out_of_fold(setting)
        return evaluation.log_loss(evaluation.platt_out_of_fold(logit, self.label, self.newest.person), self.label)

    def _ahead(self, setting: Setting) -> Array:
        return self._fit(setting, self._older).logit(self.newest.rows)

    def _out_of_fold(self, setting: Setting) -> Array:
        """Log-odds of the newest slice, each by a model fitted on all rows of other people.

        Raises:
            ModelError: all people but those of a fold have one outcome.
        """
        label = self.question.label(self.rows)
        fold = _folds(self.rows.person, label)
        logit = np.empty(len(self.newest))
        for number in range(FOLDS):
            others = fold[self.rows.person] != number
            if not 0 < label[others].sum() < others.sum():
                raise ModelError(
                    f"train_scores: too few of one outcome, got {label.sum():.0f} of {len(label)} rows up to {self._day}, expected some in each of {FOLDS} "
                    "parts of the people. Run again when more orders have come in"
                )
            model = self._fit(setting, self.rows.where(others))
            held_out = fold[self.newest.person] == number
            logit[held_out] = model.logit(self.newest.rows[held_out])
        return logit

    def _fit(self, setting: Setting, rows: Examples) -> ScoreModel:
        return fit(
            setting,
            rows.rows,
            self.question.label(rows),
            horizon_days=self.question.horizon_days,
            among=self.question.among,
            seed=self.seed,
        )


def _folds(person: NDArray[np.int64], label: Array) -> NDArray[np.int64]:
    """Fold of each person by number, as many of those with a positive outcome in each."""
    is_positive = np.bincount(person, label) > 0
    fold = np.empty(len(is_positive), dtype=np.int64)
    fold[np.argsort(is_positive, kind="stable")] = np.arange(len(is_positive)) % FOLDS
    return fold
