"""How good the choice for a score is: made of what was known at an instant, judged on what came after, over several splits.

On every split a setting is chosen by the train slices alone (lakehouse/models/selection.py). It is fitted on all of them, and calibrated by its own answers
out of fold: of each person by a model that has not seen that person. The test slice only judges. What is
published is made in the same way, of everything that is known by now, so that what was judged is what is served. The baselines know the newest train
slice and no more: the share of positives, that share by how long ago a profile last ordered, and by how often it ordered in 90 days.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from lakehouse.models import evaluation
from lakehouse.models.candidates import SETTINGS, Setting
from lakehouse.models.evaluation import Array, Bin, Estimate
from lakehouse.models.examples import Examples, Split
from lakehouse.models.score_model import ScoreModel
from lakehouse.models.selection import Candidates, Question, Selection

BASE_RATE: Final = "baseline: share of all"
RECENCY: Final = "baseline: share by recency"
FREQUENCY: Final = "baseline: share by frequency"
SELECTED: Final = "as selected"
RECENCY_DAYS: Final = (30.0, 90.0)  # edges; never ordered is a bin of its own
FIFTHS: Final = (0.2, 0.4, 0.6, 0.8)  # of orders in 90 days, as they lay on the newest train slice


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What was chosen on one split. model: fitted and calibrated before the test slice. tried: every setting, and the losses by which
    it was chosen. learned_until: the last day that any of it knows.
    """

    split: Split
    setting: Setting
    model: ScoreModel
    tried: Selection
    learned_until: date


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The choice on the newest split, and the figures of everyone on the test slices of all splits together, resampled by person.

    champion: the kind that was chosen on the newest split. metrics: by kind, SELECTED and baseline, then by metric. baseline: the best of
    them there, by Brier score. gain: its Brier score less that of what was selected. reliability: of what was selected; at_pass, at_touch: of the rows of either way to be scored.
    """

    champion: str
    chosen: tuple[Chosen, ...]
    metrics: Mapping[str, Mapping[str, Estimate]]
    baseline: str
    gain: Estimate
    reliability: tuple[Bin, ...]
    at_pass: tuple[Bin, ...]
    at_touch: tuple[Bin, ...]
    rows: int

    @property
    def newest(self) -> Chosen:
        return self.chosen[0]

    @property
    def beats_baseline(self) -> bool:
        return self.gain.low > 0

    @property
    def calibration_error(self) -> float:
        return evaluation.expected_calibration_error(self.reliability)

    def table(self) -> str:
        """For a person: the metrics beside the baselines, and the reliability of what was selected."""
        names = list(evaluation.METRICS)
        verdict = "better than" if self.beats_baseline else "NOT shown to be better than"
        head = f"{len(self.chosen)} test slices, 95 %"
        lines = [f"{head:<30} " + " ".join(f"{name:<24}" for name in names)]
        for who, found in self.metrics.items():
            lines.append(f"{who:<30} " + " ".join(f"{found[name]!s:<24}" for name in names))
        selected = ", ".join(f"{one.split.test} {one.setting}" for one in self.chosen)
        lines += [
            f"selected on each split: {selected}",
            f"of {len(self.newest.tried.loss)} settings tried there, by answers {'a horizon ahead' if self.newest.tried.is_ahead else 'out of fold'} about the newest train slice",
            f"{SELECTED} is {verdict} the best {self.baseline}: Brier gain {self.gain}",
            f"calibration error {self.calibration_error:.4f}; predicted -> observed, by tenths of the rows:",
        ]
        for name, bins in (("all", self.reliability), ("as time passes", self.at_pass), ("at a touch", self.at_touch)):
            pairs = "  ".join(f"{one.predicted:.3f} -> {one.observed:.3f}" for one in bins)
            lines.append(f"  {name:<15} {pairs}")
        return "\n".join(line.rstrip() for line in lines)


@dataclass(frozen=True, kw_only=True)
class _Tested:
    """Probabilities on the test slice of one split, by kind, SELECTED and baseline."""

    chosen: Chosen
    test: Examples
    p: Mapping[str, Array]


def judge(
    known: Examples,
    splits: Sequence[Split],
    question: Question,
    *,
    seed: int,
    settings: Sequence[Setting] = SETTINGS,
    trials: int = 0,
) -> Judgement:
    """Choose and judge on every split, the newest first. trials: settings that are searched for beside `settings`, on each.

    Raises:
        ModelError: too few of one outcome.
    """
    known = question.asked(known)
    tested = [_tested(known, split, question, settings, trials, seed) for split in splits]
    test = [one.test for one in tested]
    label = np.concatenate([question.label(part) for part in test])
    person = np.unique(np.concatenate([part.person for part in test]), return_inverse=True)[1]
    is_touch = np.concatenate([part.is_touch for part in test])
    p = {name: np.concatenate([one.p[name] for one in tested]) for name in tested[0].p}
    selected, baseline = p[SELECTED], best_baseline(p, label)
    return Judgement(
        champion=tested[0].chosen.setting.kind,
        chosen=tuple(one.chosen for one in tested),
        metrics={name: evaluation.estimates(told, label, seed, person) for name, told in p.items()},
        baseline=baseline,
        gain=evaluation.brier_gain(selected, p[baseline], label, seed, person),
        reliability=evaluation.reliability(selected, label),
        at_pass=evaluation.reliability(selected[~is_touch], label[~is_touch]) if not is_touch.all() else (),
        at_touch=evaluation.reliability(selected[is_touch], label[is_touch]) if is_touch.any() else (),
        rows=len(label),
    )


def _tested(
    known: Examples, split: Split, question: Question, settings: Sequence[Setting], trials: int, seed: int
) -> _Tested:
    candidates, test = Candidates(known, split.train, question, seed), known.at(split.test)
    tried = candidates.select(settings, trials)
    made = {kind: candidates.fitted(tried.of_kind(kind)) for kind in tried.kinds}
    p = {kind: model.probability(test.rows) for kind, model in made.items()}
    chosen = Chosen(
        split=split,
        setting=tried.best,
        model=made[tried.best.kind],
        tried=tried,
        learned_until=split.train[0] + timedelta(days=question.horizon_days),
    )
    p[SELECTED] = p[tried.best.kind]
    return _Tested(chosen=chosen, test=test, p=p | baselines(candidates.newest, candidates.label, test))


def baselines(known: Examples, outcome: Array, test: Examples) -> dict[str, Array]:
    """Probabilities on `test` of the rules learned of `known`.

    The share of a bin is drawn to the share of all by the weight of one row, so that an empty bin has one.
    """
    share = float(outcome.mean())
    fifths = np.unique(np.quantile(known.column("orders_90d"), FIFTHS))
    by_bin: dict[str, Callable[[Examples], Array]] = {
        RECENCY: _recency,
        FREQUENCY: functools.partial(_frequency, fifths),
    }
    found = {BASE_RATE: np.full(len(test), share)}
    for name, binned in by_bin.items():
        then, now, told = binned(known), binned(test), np.full(len(test), share)
        for one in np.unique(now):
            alike = outcome[then == one]
            told[now == one] = (alike.sum() + share) / (len(alike) + 1)
        found[name] = told
    return found


def best_baseline(p: Mapping[str, Array], label: Array) -> str:
    """The baseline with the lowest Brier score on the very rows that are judged: the hardest to beat, whichever it is."""
    return min((BASE_RATE, RECENCY, FREQUENCY), key=lambda name: evaluation.brier(p[name], label))


def _recency(known: Examples) -> Array:
    since = np.searchsorted(RECENCY_DAYS, known.column("days_since_order")).astype(float)
    return np.where(known.column("has_ordered") > 0, since, -1.0)


def _frequency(fifths: Array, known: Examples) -> Array:
    return np.searchsorted(fifths, known.column("orders_90d")).astype(float)


def refitted(
    known: Examples, days: Sequence[date], judgement: Judgement, question: Question, *, seed: int
) -> ScoreModel:
    """The chosen setting, made of these train slices, the newest first, as on each split. It has seen more than what was judged, and no slice is left to judge it by."""
    return Candidates(question.asked(known), days, question, seed).fitted(judgement.newest.setting)
